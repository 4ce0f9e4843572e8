import type { ReceivedEntry } from "../answers.ts";
import type { NearRequest, NearStatus } from "./near-cache.ts";

/** What a client keeps in its own process. Keys are whole, and were checked. */
export interface Near {
  /** The kept entry of a key, if it may be returned now. */
  get(key: string): ReceivedEntry | undefined;
  /** From now on, no value is kept whose key begins with this. */
  leaveOut(prefix: string): void;
  /** A request for a key is sent now. Undefined where its value is not kept in any case. */
  sent(key: string): NearRequest | undefined;
  /** The request has failed. */
  failed(key: string, request: NearRequest): void;
  /** The node of that URL has answered the request with an entry, or that there is none. */
  came(
    key: string,
    request: NearRequest | undefined,
    node: string,
    entry: ReceivedEntry | undefined,
  ): void;
  /** This client has written keys, or may have: their next reads ask a node. */
  wrote(keys: readonly string[]): void;
  status(): NearStatus;
}
