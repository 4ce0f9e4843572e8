/** The requests of the command to directories and nodes. */
import {
  asMeridianError,
  connectionFailure,
  MeridianError,
  type Coordinates,
  type ErrorCode,
} from "@meridian/protocol";
import {
  absentNode,
  checkAnswer,
  nearestNode,
  presentNode,
  problem,
  type Described,
} from "@meridian/protocol/http-api";
import * as v from "valibot";

/** The members that a node in an answer must have; others are ignored. */
const KNOWN = [
  "id",
  "url",
  "status",
  "goneSinceMs",
  "lat",
  "lon",
  "lagMs",
  "outboxPending",
  "load",
] as const;

const knownNode = v.variant("status", [v.pick(presentNode, KNOWN), v.pick(absentNode, KNOWN)]);

const knownNodes = v.object({ nodes: v.array(knownNode) });

const nearNodes = v.object({
  nodes: v.array(v.pick(nearestNode, ["id", "url", "distanceMeters", "lagMs"])),
});

/** A problem document. A newer program may send a code that this one does not know. */
const failure = v.object({
  code: v.fallback(problem.entries.code, "INTERNAL"),
  detail: problem.entries.detail,
});

/** A node as a directory knows it. */
export type KnownNode = Pick<Described<typeof presentNode | typeof absentNode>, KnownMember>;

type KnownMember =
  | "id"
  | "url"
  | "status"
  | "goneSinceMs"
  | "lat"
  | "lon"
  | "lagMs"
  | "outboxPending"
  | "load";

/** A node near a place. */
export type NearNode = Pick<
  Described<typeof nearestNode>,
  "id" | "url" | "distanceMeters" | "lagMs"
>;

/** The parameters of `nearest`. */
export interface NearestQuery {
  readonly location: Coordinates;
  readonly limit?: string | undefined;
  readonly exclude?: string | undefined;
}

/** How long an answer may take, in milliseconds. */
const PATIENCE_MS = 5_000;

/**
 * The HTTP interface of the directories. The first directory that answers gets all later requests. Every method throws the error that the
 * directory answered, or `DIRECTORY_UNREACHABLE`.
 */
export class DirectoryApi {
  /** The URLs that have not failed, in order of priority. Invariant: at least one. */
  #urls: readonly [string, ...string[]];

  /** `urls` without a last slash, in order of priority. */
  constructor(urls: string | readonly string[]) {
    const [first, ...others] = [urls].flat();
    if (first === undefined) throw new MeridianError("INVALID_ARGUMENT", "Expected a directory");
    this.#urls = [first, ...others];
  }

  /** The URL that gets the next request: once a directory has answered, the URL of that directory. */
  get url(): string {
    return this.#urls[0];
  }

  async nearest({ location, limit, exclude }: NearestQuery): Promise<readonly NearNode[]> {
    const query = new URLSearchParams({ lat: String(location.lat), lon: String(location.lon) });
    if (limit !== undefined) query.set("limit", limit);
    if (exclude !== undefined) query.set("exclude", exclude);
    return (await this.get(`/nearest?${query.toString()}`, nearNodes)).nodes;
  }

  async nodes(): Promise<readonly KnownNode[]> {
    return (await this.get("/nodes", knownNodes)).nodes;
  }

  node(id: string): Promise<KnownNode> {
    return this.get(`/nodes/${encodeURIComponent(id)}`, knownNode);
  }

  /** Sends `GET path`. Resolves to the answer, checked by `schema`. */
  async get<Schema extends v.GenericSchema>(
    path: string,
    schema: Schema,
  ): Promise<Described<Schema>> {
    const failures: string[] = [];
    for (;;) {
      const [first, second, ...others] = this.#urls;
      try {
        return await getJson(first + path, schema, "DIRECTORY_UNREACHABLE");
      } catch (cause) {
        const { code, message, retryable } = asMeridianError(cause);
        // A directory that answers that it is not ready counts as unreachable.
        if (!retryable || (second === undefined && failures.length === 0)) throw cause;
        failures.push(message);
        if (second === undefined) throw new MeridianError(code, failures.join("; "), { cause });
        this.#urls = [second, ...others];
      }
    }
  }
}

/**
 * Sends a request, by default `GET`. Resolves to the answer, checked by `schema`. Throws the error that the server answered, `INTERNAL` if the answer
 * does not fit the schema, or `unreachable`.
 */
export async function getJson<Schema extends v.GenericSchema>(
  url: string,
  schema: Schema,
  unreachable: ErrorCode,
  init: RequestInit = {},
): Promise<Described<Schema>> {
  const { status, text } = await requested(url, unreachable, init);
  if (status < 400) return checkAnswer(schema, parsed(text, url), url);
  throw problemOf(text, status, url);
}

/** Resolves to the text at a URL. Throws the error that the server answered, or `unreachable`. */
export async function getText(url: string, unreachable: ErrorCode): Promise<string> {
  const { status, text } = await requested(url, unreachable, {});
  if (status < 400) return text;
  throw problemOf(text, status, url);
}

async function requested(
  url: string,
  unreachable: ErrorCode,
  init: RequestInit,
): Promise<{ readonly status: number; readonly text: string }> {
  try {
    const response = await fetch(url, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
    return { status: response.status, text: await response.text() };
  } catch (cause) {
    const said = `Expected an answer at ${url}, got none: ${connectionFailure(cause).message}`;
    throw new MeridianError(unreachable, said, { cause });
  }
}

/** The error of a problem document, or of an answer without one. */
export function problemOf(text: string, status: number, url: string): MeridianError {
  const { output, success } = v.safeParse(failure, parsed(text, url));
  return success
    ? new MeridianError(output.code, output.detail)
    : new MeridianError("INTERNAL", `${url} answered HTTP ${status}`);
}

function parsed(text: string, url: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const said = `Expected JSON at ${url}, got \`${text.slice(0, 80)}\``;
    throw new MeridianError("INTERNAL", said, { cause });
  }
}
