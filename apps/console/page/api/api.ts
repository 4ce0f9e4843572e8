/**
 * The requests of the page. All of them go to the origin that served it; what another party knows, that origin fetches. The
 * token of whoever looks goes with each of them and is kept in memory only.
 */
import type { DirectoryAnswer, DirectoryApi, RegionAnswer, RegionApi } from "./answers.ts";
import { ApiProblem, messageOf } from "./api-problem.ts";
import { eventsOf, type SentEvent } from "./event-stream.ts";

export { ApiProblem, messageOf };

/** The options of a query; those that are undefined are left out. */
type QueryOptions = Readonly<Record<string, string | number | undefined>>;

/** What a request takes beside its path. */
export interface RequestOptions {
  readonly query?: QueryOptions;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal;
}

/** The paths at which other programs answer, through the one that served the page: each of them may take other tokens. */
const VIEWED = /^\/(?:nodes\/[^/]+|directory)\/view\//;

/** Asks the program that served the page. */
export class Api {
  #token: string | undefined;
  #playgroundToken: string | undefined;
  readonly #onRefused: (problem: ApiProblem) => void;

  /** `onRefused` is told of every answer of this program that wants a token, or another one. */
  constructor(onRefused: (problem: ApiProblem) => void) {
    this.#onRefused = onRefused;
  }

  /** Sends that token from here on; undefined for none. */
  useToken(token: string | undefined): void {
    this.#token = token;
  }

  /** Sends that token with requests to the playground of a development cluster. */
  usePlaygroundToken(token: string): void {
    this.#playgroundToken = token;
  }

  /** `GET` of a directory's path that has no parameters in it. */
  directory<Path extends keyof DirectoryApi>(
    path: Path,
    options: RequestOptions = {},
  ): Promise<DirectoryAnswer<Path>> {
    return this.json<DirectoryAnswer<Path>>("GET", path, options);
  }

  /** `GET` of a region's path that has no parameters in it. */
  region<Path extends keyof RegionApi>(
    path: Path,
    options: RequestOptions = {},
  ): Promise<RegionAnswer<Path>> {
    return this.json<RegionAnswer<Path>>("GET", path, options);
  }

  /** Any request whose answer is JSON. Throws `ApiProblem`, or the signal's reason. */
  async json<Body>(method: string, path: string, options: RequestOptions = {}): Promise<Body> {
    const answer = await this.send(method, path, options);
    return (await answer.json()) as Body;
  }

  /** Any request. Throws `ApiProblem` for an answer that is a refusal, or the signal's reason. */
  async send(method: string, path: string, options: RequestOptions = {}): Promise<Response> {
    const { query = {}, headers = {}, body, signal } = options;
    let answer: Response;
    try {
      answer = await fetch(path + queryText(query), {
        method,
        headers: { ...this.#authorization(path), ...headers },
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        ...(body !== undefined && { body }),
        ...(signal !== undefined && { signal }),
      });
    } catch (cause) {
      signal?.throwIfAborted();
      throw new ApiProblem("UNREACHABLE", 0, `No answer: ${messageOf(cause)}`);
    }
    if (answer.ok) return answer;
    const problem = await problemOf(answer);
    if (problem.status === 401 && !VIEWED.test(path) && !isOfPlayground(path)) {
      this.#onRefused(problem);
    }
    throw problem;
  }

  /** The events of a path, until the stream ends; `onOpen` is told when the stream begins. Throws as `send` does. */
  async *events(
    path: string,
    signal: AbortSignal,
    onOpen: () => void = () => {},
  ): AsyncGenerator<SentEvent, void, undefined> {
    const headers = { accept: "text/event-stream" };
    const answer = await this.send("GET", path, { headers, signal });
    if (answer.body === null) throw new ApiProblem("UNREACHABLE", 0, "No events in the answer");
    onOpen();
    yield* eventsOf(answer.body, signal);
  }

  #authorization(path: string): Readonly<Record<string, string>> {
    if (isOfPlayground(path) && this.#playgroundToken !== undefined) {
      return { "x-meridian-dev": this.#playgroundToken };
    }
    return this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` };
  }
}

/** Whether the playground of a development cluster answers a path, which takes the token of its own page. */
function isOfPlayground(path: string): boolean {
  return path.startsWith("/dev/");
}

function queryText(query: QueryOptions): string {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${encodeURIComponent(name)}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? "" : `?${given.join("&")}`;
}

async function problemOf(answer: Response): Promise<ApiProblem> {
  const text = (await answer.text().catch(() => "")).slice(0, 10_000);
  try {
    const { code, detail } = JSON.parse(text) as { readonly code: string; readonly detail: string };
    return new ApiProblem(String(code), answer.status, String(detail));
  } catch {
    return new ApiProblem("UNKNOWN", answer.status, `The answer has the status ${answer.status}`);
  }
}
