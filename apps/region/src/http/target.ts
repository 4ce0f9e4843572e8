import { checkKey, MeridianError } from "@meridian/protocol";

/** Where a request is addressed to, still percent-encoded. */
export interface Target {
  readonly path: string;
  /** Without its question mark. */
  readonly query: string;
}

/** The path under which keys lie. */
export const KEY_PREFIX = "/cache/";

/** Splits the URL of a request. */
export function targetOf(url: string): Target {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const hash = url.indexOf("#", start);
  const end = hash === -1 ? url.length : hash;
  const mark = url.indexOf("?", start);
  if (mark === -1 || mark > end) return { path: url.slice(start, end), query: "" };
  return { path: url.slice(start, mark), query: url.slice(mark + 1, end) };
}

/** The key that a path under `/cache/` names. Throws `INVALID_KEY`. */
export function keyOfPath(path: string): string {
  return checkKey(decode(path.slice(KEY_PREFIX.length), "INVALID_KEY"));
}

/** The options of a query, each at most once. */
export type Query<Name extends string> = { readonly [Option in Name]?: string };

/**
 * Reads the query of a request that knows the options `known`. Throws `UNKNOWN_OPTION` for any other, and
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

function decodeForm(text: string): string {
  return decode(text.replaceAll("+", " "), "INVALID_ARGUMENT");
}

function decode(text: string, code: "INVALID_KEY" | "INVALID_ARGUMENT"): string {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch (cause) {
    throw new MeridianError(
      code,
      `Expected percent escapes of UTF-8, got \`${text.slice(0, 100)}\``,
      { cause },
    );
  }
}
