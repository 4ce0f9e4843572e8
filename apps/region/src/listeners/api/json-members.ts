/** Checks the members of a JSON body. */
import { checkOption } from "@meridian/http";
import { MeridianError } from "@meridian/protocol";

/** The members of a JSON object. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Throws `INVALID_BODY` unless that is an object, `UNKNOWN_OPTION` if it has a member that is not among `known`. */
export function objectOf(json: unknown, what: string, known: readonly string[]): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected ${what} to be an object, got ${kindOf(json)}`,
    );
  }
  for (const name of Object.keys(json)) checkOption(name, known);
  return json as JsonObject;
}

/** A member that is a list of 1 to `itemsMax`. Throws `INVALID_BODY` and `INVALID_ARGUMENT`. */
export function listOf(body: JsonObject, name: string, itemsMax: number): readonly unknown[] {
  const list = body[name];
  if (!Array.isArray(list)) {
    throw new MeridianError(
      "INVALID_BODY",
      `Expected \`${name}\` to be a list, got ${kindOf(list)}`,
    );
  }
  if (list.length >= 1 && list.length <= itemsMax) return list;
  const said = `Expected 1 to ${itemsMax} of \`${name}\`, got ${list.length}`;
  throw new MeridianError("INVALID_ARGUMENT", said);
}

/** A member that is text if it is there. Throws `INVALID_BODY`. */
export function optionalText(object: JsonObject, name: string): string | undefined {
  return object[name] === undefined ? undefined : textOf(object[name], name);
}

/** Throws `INVALID_BODY` unless that is text. */
export function textOf(json: unknown, name: string): string {
  if (typeof json === "string") return json;
  throw new MeridianError("INVALID_BODY", `Expected \`${name}\` to be text, got ${kindOf(json)}`);
}

function kindOf(json: unknown): string {
  if (json === null) return "null";
  if (json === undefined) return "nothing";
  return Array.isArray(json) ? "a list" : `${typeof json === "object" ? "an" : "a"} ${typeof json}`;
}
