/** What a request fails with. */

/** A request that was refused, or did not reach the program (`code` is `UNREACHABLE`). */
export class ApiProblem extends Error {
  readonly code: string;
  /** 0 if there was no answer. */
  readonly status: number;

  constructor(code: string, status: number, detail: string) {
    super(detail);
    this.code = code;
    this.status = status;
  }

  /** Whether another token may help. */
  get isAboutToken(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** What an error says. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
