/**
 * The record of tokens and keys that were made with a folder of secrets: a line of JSON each, beside the key that signs. A token is
 * recorded before anybody sees it, and never itself: its id, what it grants, and until when.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { MeridianError } from "@meridian/protocol";

/** The record's place in the folder. */
const FILE = "issued-tokens.jsonl";

/** Adds a line. Throws `INVALID_CONFIG` where it cannot be written: then nothing is to be made. */
export function recordIssued(folder: string, line: object): void {
  const path = join(folder, FILE);
  try {
    appendFileSync(path, `${JSON.stringify(line)}\n`, { mode: 0o600 });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected to write down in \`${path}\` what is made: ${why}`,
      { cause },
    );
  }
}

/** The token of an id, if it is in the record. */
export function issuedToken(
  folder: string,
  id: string,
): { readonly id: string; readonly expiresAtMs: number } | undefined {
  let text: string;
  try {
    text = readFileSync(join(folder, FILE), "utf8");
  } catch {
    // Whoever revokes need not have what makes tokens.
    return undefined;
  }
  const line = text.split("\n").findLast((each) => each.includes(JSON.stringify(id)));
  const { expires } = JSON.parse(line ?? "{}") as { readonly expires?: string };
  return expires === undefined ? undefined : { id, expiresAtMs: Date.parse(expires) };
}
