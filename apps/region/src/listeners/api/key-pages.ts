/** Pages of keys as JSON. */
import type { Entry } from "@meridian/protocol";
import type { Described, keyPage } from "@meridian/protocol/http-api";

import { etagOf } from "../../service/cached-record.ts";
import type { KeyPage } from "../../service/key-listing.ts";
import type { RegionService } from "../../service/region-service.ts";
import { Steps } from "../../service/steps.ts";
import { faceOf } from "./entry-face.ts";
import { describeFound } from "./found-entry.ts";
import { TextPieces } from "./text-pieces.ts";

type ToldKey = Described<typeof keyPage>["keys"][number];

/** After so many bytes of values a page ends. */
const VALUES_BYTES = 1024 * 1024;

/** A page without values, as JSON tells of it. */
export function pageOf({ entries, next }: KeyPage): Described<typeof keyPage> {
  return { keys: entries.map(toldKey), next };
}

/** The JSON of a page with its values, as many as are not too long together. What has gone meanwhile is left out. */
export async function pageWithValues(
  { reads }: Pick<RegionService, "reads">,
  page: KeyPage,
): Promise<readonly Uint8Array[]> {
  const text = new TextPieces('{"keys":[');
  let count = 0;
  const next = await walkPage(reads, page, (entry) => {
    const { found: _, ...told } = describeFound(entry, faceOf(entry));
    const one: ToldKey = { ...told, bytes: entry.value.byteLength };
    text.add(`${count === 0 ? "" : ","}${JSON.stringify(one)}`);
    count += 1;
  });
  text.add(`],"next":${JSON.stringify(next)}}`);
  return text.end();
}

/** Calls `tell` with the entries of a page, as many as are not too long together. Resolves to the key after which to go on; to null at the end. */
export async function walkPage(
  reads: Pick<RegionService["reads"], "peek">,
  page: KeyPage,
  tell: (entry: Entry) => void,
): Promise<string | null> {
  const steps = new Steps();
  let bytes = 0;
  for (const { key } of page.entries) {
    const entry = reads.peek(key);
    if (entry !== undefined) {
      tell(entry);
      bytes += entry.value.byteLength;
    }
    await steps.spend(entry?.value.byteLength ?? 0);
    if (bytes >= VALUES_BYTES && key !== page.entries.at(-1)?.key) return key;
  }
  return page.next;
}

function toldKey({
  key,
  bytes,
  contentType,
  stamp,
  expiresAtMs,
}: KeyPage["entries"][number]): ToldKey {
  const expiry = expiresAtMs === 0 ? null : expiresAtMs;
  return { key, bytes, contentType, etag: etagOf({ stamp }), expiresAtMs: expiry };
}
