/** Looks through the keys of a region, page by page, for those that contain a text. */
import type { RegionAnswer } from "../../api/answers.ts";

/** Keys as a region lists them. */
export type KeyPage = RegionAnswer<"/keys">;

/** What is looked for: keys that begin with the one, and contain the other in upper or lower case. */
export interface KeyQuestion {
  readonly prefix: string;
  readonly part: string;
}

/** What was found. */
export interface FoundKeys {
  readonly keys: KeyPage["keys"];
  /** Where to go on; null at the end. */
  readonly next: string | null;
  /** How many keys were looked at. */
  readonly looked: number;
}

/** So many keys are listed before somebody asks for more. */
const LISTED = 100;

/** A page that is searched, and how many keys are searched before somebody asks for more. */
const SEARCHED = 1_000;
const LOOKED_MAX = 20_000;

/** Reads the next keys after one, up to `limit` of them. */
export type ReadKeys = (after: string | undefined, limit: number) => Promise<KeyPage>;

/** The next keys after one that contain the text. Rejects as `read` does. */
export async function findKeys(
  read: ReadKeys,
  { part }: Pick<KeyQuestion, "part">,
  after: string | undefined,
): Promise<FoundKeys> {
  if (part === "") {
    const { keys, next } = await read(after, LISTED);
    return { keys, next, looked: keys.length };
  }
  const wanted = part.toLowerCase();
  const found: KeyPage["keys"][number][] = [];
  let [from, looked] = [after, 0];
  for (;;) {
    const { keys, next } = await read(from, SEARCHED);
    found.push(...keys.filter(({ key }) => key.toLowerCase().includes(wanted)));
    looked += keys.length;
    if (next === null || found.length >= LISTED || looked >= LOOKED_MAX) {
      return { keys: found, next, looked };
    }
    from = next;
  }
}

/** How many keys were found, in words. */
export function countText(
  { keys, next, looked }: FoundKeys,
  { prefix, part }: KeyQuestion,
): string {
  const count = keys.length;
  const more = next !== null;
  const which = part === "" ? "begins like that" : "contains that";
  const all = looked.toLocaleString("en");
  const searched = part === "" ? "" : ` of the ${more ? "first " : ""}${all} that were looked at`;
  if (count > 0) {
    const isMore = more && part === "" ? " and more" : "";
    return `${count.toLocaleString("en")}${isMore} ${count === 1 ? "key" : "keys"}${searched}`;
  }
  if (more) return `No key${searched} ${which}.`;
  return prefix === "" && part === "" ? "There are no keys." : `No key ${which}.`;
}
