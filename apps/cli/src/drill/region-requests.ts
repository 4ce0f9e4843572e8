/** The requests of one session to whichever region, with the token of what it has seen. */
import { asMeridianError, type ErrorCode } from "@meridian/protocol";

/** What came of a request. */
export type Reply =
  | {
      readonly kind: "done";
      /** What was read; undefined for no value. */
      readonly value?: string | undefined;
      /** When what was written expires, in milliseconds since the Unix epoch; 0 for never. */
      readonly expiresAtMs: number;
    }
  /** Nothing was done, and the region said so. */
  | { readonly kind: "refused"; readonly code: string }
  /** Nobody knows what was done. */
  | { readonly kind: "unanswered"; readonly why: string };

const PATIENCE_MS = 1_500;

/** Problems by which a region says that it has done nothing. */
const NOTHING_DONE: ReadonlySet<string> = new Set<ErrorCode>([
  "POSITION_NOT_REACHED",
  "NODE_SYNCING",
  "NODE_DRAINING",
  "OVERLOADED",
]);

/** One session. Its requests come one after the other. */
export class RegionRequests {
  #position: string | undefined;

  set(url: string, key: string, value: string, ttlMs: number): Promise<Reply> {
    const query = ttlMs === 0 ? "" : `?ttl=${ttlMs}ms`;
    return this.#send(url, key, query, { method: "PUT", body: value });
  }

  delete(url: string, key: string): Promise<Reply> {
    return this.#send(url, key, "", { method: "DELETE" });
  }

  get(url: string, key: string): Promise<Reply> {
    return this.#send(url, key, "", {});
  }

  async #send(url: string, key: string, query: string, init: RequestInit): Promise<Reply> {
    try {
      const headers = this.#position === undefined ? {} : { "meridian-position": this.#position };
      const signal = AbortSignal.timeout(PATIENCE_MS);
      const target = `${url}/cache/${encodeURIComponent(key)}${query}`;
      const answer = await fetch(target, { ...init, headers, signal });
      const text = await answer.text();
      const isAbsent = answer.status === 404 && init.method === undefined;
      if (!answer.ok && !isAbsent) return refusal(answer.status, text);
      this.#position = answer.headers.get("meridian-position") ?? this.#position;
      if (init.method === undefined) {
        return { kind: "done", value: isAbsent ? undefined : text, expiresAtMs: 0 };
      }
      const { expiresAtMs } = JSON.parse(text) as { readonly expiresAtMs?: number | null };
      return { kind: "done", expiresAtMs: expiresAtMs ?? 0 };
    } catch (cause) {
      return { kind: "unanswered", why: asMeridianError(cause).message };
    }
  }
}

function refusal(status: number, text: string): Reply {
  let code = "";
  try {
    code = String((JSON.parse(text) as { readonly code?: unknown }).code);
  } catch {
    // Something else than a region has answered.
  }
  if (NOTHING_DONE.has(code)) return { kind: "refused", code };
  return { kind: "unanswered", why: `HTTP ${status} ${code}` };
}
