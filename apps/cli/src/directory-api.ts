/** What the command asks of a directory, and of a node about itself. */
import { ERROR_KINDS, MeridianError, type Coordinates, type ErrorCode } from "@meridian/protocol";

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

/** A directory's HTTP interface. Every method throws what the directory answered, or `DIRECTORY_UNREACHABLE`. */
export class DirectoryApi {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
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

  #get(path: string): Promise<Readonly<Record<string, unknown>>> {
    return getJson(this.#url + path, "DIRECTORY_UNREACHABLE");
  }
}

/** The JSON object at a URL. Throws what the server answered, or `unreachable`. */
export async function getJson(
  url: string,
  unreachable: ErrorCode,
): Promise<Readonly<Record<string, unknown>>> {
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(PATIENCE_MS) });
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
