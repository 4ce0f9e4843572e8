/**
 * Encodes values as JSON without loss.
 *
 * `JSON.stringify` silently turns a `Map` into `{}` and `NaN` into `null`, and leaves out values that it does not know:
 * the value that is read back then differs from the one that was set. This module refuses such a value and names its place.
 * An object with a `toJSON` method, such as a `Date`, is encoded as what that method returns.
 */
import { MeridianError } from "@meridian/protocol";

/** A problem of a value, and its place. */
interface Flaw {
  readonly path: string;
  readonly what: string;
}

/** The JSON of a value. Throws `INVALID_ARGUMENT` with the path of the first part that JSON cannot hold. */
export function jsonTextOf(value: unknown): string {
  let flaw: Flaw | undefined;
  let cause: unknown;
  try {
    flaw = flawOf(value, "", []);
    if (flaw === undefined) return JSON.stringify(value);
  } catch (failure) {
    // A `toJSON` that throws, or more levels than the stack has room for.
    cause = failure;
    flaw = { path: "", what: failure instanceof Error ? failure.message : String(failure) };
  }
  const where = flaw.path === "" ? "" : ` at \`${flaw.path}\``;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected a value that JSON can hold, or a Uint8Array, got ${flaw.what}${where}`,
    { details: { path: flaw.path }, cause },
  );
}

/** The same, with the members of objects in the order of their names: equal values have equal texts. */
export function stableJsonOf(value: unknown): string {
  return JSON.stringify(JSON.parse(jsonTextOf(value)), (_, part: unknown) =>
    typeof part !== "object" || part === null || Array.isArray(part)
      ? part
      : Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : 1))),
  );
}

/** `within` has the objects that the value is in. */
function flawOf(value: unknown, path: string, within: readonly object[]): Flaw | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : { path, what: `\`${value}\`` };
    case "object":
      return value === null ? undefined : flawOfObject(value, path, within);
    case "undefined":
      return { path, what: "undefined" };
    case "function":
      return { path, what: "a function" };
    case "symbol":
    case "bigint":
      return { path, what: `the ${typeof value} \`${value.toString()}\`` };
  }
}

function flawOfObject(value: object, path: string, within: readonly object[]): Flaw | undefined {
  if (within.includes(value)) return { path, what: "an object that contains itself" };
  if (ArrayBuffer.isView(value)) return { path, what: classOf(value) };
  const inside = [...within, value];
  if ("toJSON" in value && typeof value.toJSON === "function") {
    if (value instanceof Date && Number.isNaN(value.getTime())) {
      return { path, what: "an invalid Date" };
    }
    const said: unknown = value.toJSON(path.slice(path.lastIndexOf(".") + 1));
    return said === value ? flawOfMembers(value, path, inside) : flawOf(said, path, inside);
  }
  return flawOfMembers(value, path, inside);
}

function flawOfMembers(value: object, path: string, inside: readonly object[]): Flaw | undefined {
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const flaw = flawOf(value[index], `${path}[${index}]`, inside);
      if (flaw !== undefined) return flaw;
    }
    return undefined;
  }
  if (!isPlain(value)) return { path, what: classOf(value) };
  const [symbol] = Object.getOwnPropertySymbols(value);
  if (symbol !== undefined) return { path, what: `a member named by \`${symbol.toString()}\`` };
  for (const [name, member] of Object.entries(value)) {
    const flaw = flawOf(member, memberPath(path, name), inside);
    if (flaw !== undefined) return flaw;
  }
  return undefined;
}

/** Whether an object is a plain object, of this or another realm. */
export function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** The path of a member. */
export function memberPath(path: string, name: string): string {
  if (!/^[\w$]+$/.test(name)) return `${path}[${JSON.stringify(name)}]`;
  return path === "" ? name : `${path}.${name}`;
}

function classOf(value: object): string {
  const name = value.constructor?.name ?? "";
  return `an object of class ${name === "" ? "null" : name}, which has no \`toJSON\``;
}
