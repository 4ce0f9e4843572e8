/**
 * The record of the tokens and keys that were made with a folder of secrets: one line of JSON each, in a file beside the signing key. The id, grant and
 * expiry of a token are recorded before the token is printed; the token itself is not recorded.
 */
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { MeridianError } from "@meridian/protocol";

/** The record's place in the folder. */
const FILE = "issued-tokens.jsonl";

/** Adds a line. Throws `INVALID_CONFIG` if that fails; the token or key must then not be used. */
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
    // A user who revokes tokens need not have the folder of secrets.
    return undefined;
  }
  const line = text.split("\n").findLast((each) => each.includes(JSON.stringify(id)));
  const { expires } = JSON.parse(line ?? "{}") as { readonly expires?: string };
  return expires === undefined ? undefined : { id, expiresAtMs: Date.parse(expires) };
}
