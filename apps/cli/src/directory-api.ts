/** What the command asks of a directory, and of a node about itself. */
import {
  asMeridianError,
  ERROR_KINDS,
  MeridianError,
  type Coordinates,
  type ErrorCode,
} from "@meridian/protocol";

/** A node as the directory describes it; `fields` has everything that was said. */
export interface NodeRecord {
  readonly id: string;
  readonly url: string;
  readonly status: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** What `nearest` looks for. */
export interface NearestQuery {
  readonly location: Coordinates;
  readonly limit?: string | undefined;
  readonly exclude?: string | undefined;
}

/** How long an answer may take, in milliseconds. */
const PATIENCE_MS = 5_000;

/**
 * The HTTP interface of the directories: the first that answers is asked from then on. Every method throws what the
 * directory answered, or `DIRECTORY_UNREACHABLE`.
 */
export class DirectoryApi {
  /** Those that are left, in order of priority. Invariant: never none. */
  #urls: readonly [string, ...string[]];

  /** `urls` without a last slash, in order of priority. */
  constructor(urls: string | readonly string[]) {
    const [first, ...others] = [urls].flat();
    if (first === undefined) throw new MeridianError("INVALID_ARGUMENT", "Expected a directory");
    this.#urls = [first, ...others];
  }

  /** The one that is asked: the one that has answered, once one has. */
  get url(): string {
    return this.#urls[0];
  }

  async nearest({ location, limit, exclude }: NearestQuery): Promise<readonly NodeRecord[]> {
    const query = new URLSearchParams({ lat: String(location.lat), lon: String(location.lon) });
    if (limit !== undefined) query.set("limit", limit);
    if (exclude !== undefined) query.set("exclude", exclude);
    const { nodes } = await this.#get(`/nearest?${query.toString()}`);
    return Array.isArray(nodes) ? nodes.map(recordOf) : [];
  }

  async nodes(): Promise<readonly NodeRecord[]> {
    const { nodes } = await this.#get("/nodes");
    return Array.isArray(nodes) ? nodes.map(recordOf) : [];
  }

  async node(id: string): Promise<NodeRecord> {
    return recordOf(await this.#get(`/nodes/${encodeURIComponent(id)}`));
  }

  status(): Promise<Readonly<Record<string, unknown>>> {
    return this.#get("/status");
  }

  async #get(path: string): Promise<Readonly<Record<string, unknown>>> {
    const failures: string[] = [];
    for (;;) {
      const [first, second, ...others] = this.#urls;
      try {
        return await getJson(first + path, "DIRECTORY_UNREACHABLE");
      } catch (cause) {
        const { code, message, retryable } = asMeridianError(cause);
        // One that answers that it cannot, such as while it catches up, is as good as away.
        if (!retryable || (second === undefined && failures.length === 0)) throw cause;
        failures.push(message);
        if (second === undefined) throw new MeridianError(code, failures.join("; "), { cause });
        this.#urls = [second, ...others];
      }
    }
  }
}

/** The JSON object at a URL, or in answer to another request to it. Throws what the server answered, or `unreachable`. */
export async function getJson(
  url: string,
  unreachable: ErrorCode,
  init: RequestInit = {},
): Promise<Readonly<Record<string, unknown>>> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    const inner: unknown = cause instanceof Error ? (cause.cause ?? cause) : cause;
    const said = inner instanceof Error ? inner.message : String(inner);
    throw new MeridianError(unreachable, `Expected an answer at ${url}, got none: ${said}`, {
      cause,
    });
  }
  const answer = parseObject(text, url);
  if (status < 400) return answer;
  const { code, detail } = answer;
  const known = typeof code === "string" && Object.hasOwn(ERROR_KINDS, code);
  throw new MeridianError(
    known ? (code as ErrorCode) : "INTERNAL",
    typeof detail === "string" ? detail : `${url} answered HTTP ${status}`,
  );
}

function parseObject(text: string, url: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Told below, with what came instead.
  }
  throw new MeridianError("INTERNAL", `Expected JSON at ${url}, got \`${text.slice(0, 80)}\``);
}

function recordOf(value: unknown): NodeRecord {
  const fields: Record<string, unknown> =
    typeof value === "object" && value !== null ? { ...value } : {};
  const text = (name: string): string => {
    const member = fields[name];
    return typeof member === "string" ? member : "";
  };
  return { id: text("id"), url: text("url"), status: text("status"), fields };
}
