/** The codes of errors, which are stable across versions. */
export type CacheErrorCode =
  /** An option has a value outside its range, or no bound was given. */
  | "BAD_OPTION"
  /** A time to live is not a number, or is NaN. */
  | "BAD_TTL"
  /** `sizeOf` returned something that is not a number of bytes. */
  | "BAD_SIZE"
  /** `rank` returned something else than two numbers. */
  | "BAD_RANK"
  /** The argument of `restore` is not a snapshot. */
  | "BAD_SNAPSHOT"
  /** A loader did not settle in time. */
  | "LOAD_TIMEOUT";

/** Every error that the cache itself throws. The call that threw it has changed nothing. */
export class CacheError extends Error {
  override readonly name = "CacheError";
  readonly code: CacheErrorCode;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;

  constructor(code: CacheErrorCode, message: string) {
    super(message);
    this.code = code;
    this.retryable = code === "LOAD_TIMEOUT";
  }
}

/** Builds the error for an unexpected value; the message says what was expected and what came. */
export function unexpected(
  code: CacheErrorCode,
  name: string,
  expected: string,
  got: unknown,
): CacheError {
  const shown = typeof got === "number" || typeof got === "string" ? String(got) : typeof got;
  return new CacheError(code, `Expected \`${name}\` ${expected}, got \`${shown}\``);
}
