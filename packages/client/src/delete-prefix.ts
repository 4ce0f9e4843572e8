import { MeridianError } from "@meridian/protocol";

import type { Namespace } from "./namespace.ts";
import { checkText } from "./requests.ts";

/** How many keys one request deletes. */
const PAGE_KEYS = 1_000;

/**
 * Deletes the keys that begin with `prefix`, a thousand at a time, and returns how many had a value. A key that is set meanwhile may stay. What is
 * deleted is no longer listed, so that after an error a second call goes on where the first one ended. Throws `INVALID_ARGUMENT` for an
 * empty prefix, which would be all keys.
 */
export async function deletePrefix(
  values: Pick<Namespace<never, unknown>, "keys" | "deleteMany">,
  prefix: string,
): Promise<number> {
  if (checkText("prefix", prefix, "INVALID_ARGUMENT") === "") {
    throw new MeridianError("INVALID_ARGUMENT", "Expected `prefix` with a character, got none");
  }
  let count = 0;
  let page: string[] = [];
  const deletePage = async (): Promise<void> => {
    count += (await values.deleteMany(page)).deleted.length;
    page = [];
  };
  for await (const { key } of values.keys({ prefix, pageSize: PAGE_KEYS })) {
    if (page.push(key) === PAGE_KEYS) await deletePage();
  }
  if (page.length > 0) await deletePage();
  return count;
}
