import { constants } from "node:os";

/** The names of all error numbers, for Node has none of its own for some, such as `EDQUOT`. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([name, number]) => [number, name]),
);

/** The name of the error number of a failure of the file system, such as `ENOSPC`; undefined for any other failure. */
export function errnoOf(cause: unknown): string | undefined {
  if (!(cause instanceof Error) || !("errno" in cause) || typeof cause.errno !== "number") {
    return undefined;
  }
  return NAMES.get(Math.abs(cause.errno));
}
