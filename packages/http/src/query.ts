import { MeridianError } from "@meridian/protocol";

import { decodeEscapes } from "./target.ts";

/** The options of a query, each at most once. */
export type Query<Name extends string> = { readonly [Option in Name]?: string };

/**
 * Reads the query of a request that knows the options `known`; `query` is without its question mark. Throws
 * `UNKNOWN_OPTION` for any other, because a mistyped option that is ignored answers another question, and
 * `INVALID_ARGUMENT` for an option that is repeated or not UTF-8.
 */
export function readQuery<Name extends string>(query: string, known: readonly Name[]): Query<Name> {
  const options: Record<string, string> = {};
  if (query === "") return options as Query<Name>;
  for (const pair of query.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const name = decodeForm(equals === -1 ? pair : pair.slice(0, equals));
    checkOption(name, known);
    if (Object.hasOwn(options, name)) {
      throw new MeridianError("INVALID_ARGUMENT", `Expected \`${name}\` once, got it again`);
    }
    options[name] = equals === -1 ? "" : decodeForm(pair.slice(equals + 1));
  }
  return options as Query<Name>;
}

/** Throws `UNKNOWN_OPTION` unless `name` is one of `known`. */
export function checkOption(name: string, known: readonly string[]): void {
  if (known.includes(name)) return;
  const expected =
    known.length === 0 ? "no options" : `only ${known.map((one) => `\`${one}\``).join(", ")}`;
  throw new MeridianError("UNKNOWN_OPTION", `Expected ${expected}, got \`${name.slice(0, 100)}\``, {
    details: { option: name.slice(0, 100), known },
  });
}

/** What a whole number may be, and is where it is not given. */
export interface WholeBounds {
  readonly min: number;
  readonly max: number;
  readonly fallback: number;
}

/** Reads a whole number within bounds. Throws `INVALID_ARGUMENT`. */
export function readWhole(name: string, text: string | undefined, bounds: WholeBounds): number {
  if (text === undefined) return bounds.fallback;
  const value = /^\d{1,16}$/.test(text) ? Number(text) : NaN;
  if (value >= bounds.min && value <= bounds.max) return value;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be a whole number from ${bounds.min} to ${bounds.max}, got \`${text.slice(0, 100)}\``,
  );
}

function decodeForm(text: string): string {
  return decodeEscapes(text.replaceAll("+", " "));
}
