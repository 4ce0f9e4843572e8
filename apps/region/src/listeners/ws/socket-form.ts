import type { Entry, MeridianError } from "@meridian/protocol";
import type { ReadRequest, RequestId, ValueEncoding } from "@meridian/protocol/socket-api";

import type { KeyPage } from "../../service/key-listing.ts";
import type { RegionService } from "../../service/region-service.ts";
import type { KeyNews } from "../../service/watches.ts";
import type { EntryFace } from "../api/entry-face.ts";

/** A message, or a part of one: text in JSON, bytes in the binary subprotocol. */
export type Said = string | Uint8Array;

/** How requests and answers are written: one for each subprotocol. What is done for a request does not depend on it. */
export interface SocketForm<Part extends Said = Said> {
  /** Whether messages are binary; of the other kind, each is refused. */
  readonly isBinary: boolean;
  read(message: Buffer): ReadRequest;
  /** A result without values. */
  plain(result: object): Part;
  /** A result that is a live entry. Throws `INVALID_ARGUMENT` for a value that the encoding cannot say. */
  found(entry: Entry, face: EntryFace, encoding: ValueEncoding | undefined): Part;
  /** A result that is an entry whose value the client has. */
  unchanged(entry: Entry, face: EntryFace): Part;
  /** A part of a result of many. */
  oneOfMany(
    key: string,
    entry: Entry | undefined,
    face: EntryFace | undefined,
    encoding: ValueEncoding | undefined,
  ): Part;
  /** A result of many keys, in their order. */
  many(parts: readonly Part[]): Part;
  /** A result that is a page of keys with their values. */
  page(service: Pick<RegionService, "reads">, page: KeyPage): Promise<Part>;
  /** Whole messages. */
  result(id: RequestId, result: Part, position: string): Part;
  error(id: RequestId | null, error: MeridianError, position: string): Part;
  changes(
    id: RequestId,
    news: readonly KeyNews[],
    values: boolean,
    resume: string,
    position: string,
  ): Part;
  reload(id: RequestId, resume: string, position: string): Part;
  /** All changes through the position have been told. */
  position(id: RequestId, resume: string, position: string, times: WatchTimes): Part;
}

/** When something is told of a watch: milliseconds since it began, and the region's time. */
interface WatchTimes {
  readonly elapsedMs: number;
  readonly nowMs: number;
}
