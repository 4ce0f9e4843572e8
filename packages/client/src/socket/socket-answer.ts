import type {
  BinaryEntry,
  BinaryMessage,
  BinaryResult,
} from "@meridian/protocol/binary-socket-api";

import type { ListedPage, ReceivedEntry } from "../answers.ts";
import type { RawAnswer } from "../exchange.ts";

const NOTHING = new Uint8Array(0);

type Facts = Readonly<Record<string, string | null>>;

/** An answer over a WebSocket, with what HTTP says in its status and headers. */
class SocketAnswer implements RawAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  readonly json: unknown;
  readonly entries?: ReadonlyMap<string, ReceivedEntry>;
  readonly page?: ListedPage;
  readonly transport = "websocket";
  readonly #facts: Facts;

  constructor(
    status: number,
    facts: Facts,
    {
      body = NOTHING,
      json,
      entries,
      page,
    }: Partial<Pick<RawAnswer, "body" | "json" | "entries" | "page">> = {},
  ) {
    this.status = status;
    this.body = body;
    this.json = json;
    if (entries !== undefined) this.entries = entries;
    if (page !== undefined) this.page = page;
    this.#facts = facts;
  }

  get headers(): this {
    return this;
  }

  get(name: string): string | null {
    return this.#facts[name] ?? null;
  }
}

/** The answer that a message of a node is. `keys` are those that were asked for. */
export function answerOfMessage(
  message: Extract<BinaryMessage, { readonly kind: "result" | "error" }>,
  keys: readonly string[],
  position: string,
): RawAnswer {
  if (message.kind === "result") return answerOfResult(message.result, keys, position);
  const json = JSON.parse(message.problem) as Problem;
  const status = Number(json.status);
  const facts = { "meridian-position": position, "content-type": "application/problem+json" };
  const retryAfter = json.retryable === true && RESTING.has(status) ? restOf(json) : null;
  return new SocketAnswer(status, { ...facts, "retry-after": retryAfter }, { json });
}

/** What is looked at here of a problem document. */
interface Problem {
  readonly status?: unknown;
  readonly retryable?: unknown;
  readonly retryAfterSeconds?: unknown;
}

/** The statuses with which HTTP asks to be left alone for a while. */
const RESTING: ReadonlySet<number> = new Set([429, 503, 507]);

function restOf({ retryAfterSeconds }: Problem): string {
  return typeof retryAfterSeconds === "number" ? String(retryAfterSeconds) : "1";
}

function answerOfResult(
  result: BinaryResult,
  keys: readonly string[],
  position: string,
): RawAnswer {
  const facts = { "meridian-position": position };
  switch (result.form) {
    case "json": {
      const json = JSON.parse(result.json) as { readonly etag?: unknown };
      const etag = typeof json.etag === "string" ? json.etag : null;
      return new SocketAnswer(200, { ...facts, etag }, { json });
    }
    case "found": {
      const { etag, contentType, expiresAtMs, value } = result.entry;
      const told = { ...facts, etag, "content-type": contentType, ...expiryOf(expiresAtMs) };
      // A copy, as the message may be a part of something large.
      return new SocketAnswer(200, told, { body: value.slice() });
    }
    case "unchanged":
      return new SocketAnswer(304, {
        ...facts,
        etag: result.etag,
        ...expiryOf(result.expiresAtMs),
      });
    case "many":
      return new SocketAnswer(200, facts, { entries: entriesOf(result.entries, keys) });
    case "page":
      return new SocketAnswer(200, facts, { page: pageOf(result) });
  }
}

function expiryOf(expiresAtMs: number | null): Facts {
  return { "meridian-expires-at": expiresAtMs === null ? null : String(expiresAtMs) };
}

function entriesOf(
  entries: readonly (BinaryEntry | undefined)[],
  keys: readonly string[],
): ReadonlyMap<string, ReceivedEntry> {
  const found = new Map<string, ReceivedEntry>();
  for (const [index, key] of keys.entries()) {
    const entry = entries[index];
    if (entry !== undefined) found.set(key, receivedOf(entry));
  }
  return found;
}

function pageOf({ entries, next }: Extract<BinaryResult, { readonly form: "page" }>): ListedPage {
  const listed = entries.map((entry) => {
    const { key, value } = entry;
    return { key, bytes: value.length, hasValue: true, entry: receivedOf(entry) };
  });
  return { entries: listed, next };
}

function receivedOf({ etag, contentType, expiresAtMs, value }: BinaryEntry): ReceivedEntry {
  return { etag, contentType, expiresAtMs, bytes: value.slice() };
}
