/** Reads the value of an option from its text. */
import {
  checkIdentifier,
  parseAddress,
  parseHorizonMs,
  parseHosts,
  parseOrigins,
  parseTtlMs,
  parseUrl,
  parseUrls,
  parseWebOrigin,
} from "@meridian/protocol";

import type { OptionRow, TextKinds } from "./option-row.ts";

type TextRow = Extract<OptionRow, { readonly kind: keyof TextKinds }>;

type Readers = { readonly [Kind in keyof TextKinds]: (text: string) => TextKinds[Kind] };

/** A reader for each kind of text. The message of the error that it throws says what was expected and what came. */
const READERS: Omit<Readers, "name"> = {
  text: (text) => text,
  duration: parseTtlMs,
  horizon: parseHorizonMs,
  address: parseAddress,
  url: parseWebOrigin,
  base: parseUrl,
  urls: parseUrls,
  origins: parseOrigins,
  hosts: parseHosts,
};

/** What the usage text calls the value. */
const PLACEHOLDERS: Readonly<Record<keyof TextKinds | "integer" | "number" | "switch", string>> = {
  text: "text",
  name: "name",
  duration: "ttl",
  horizon: "ttl",
  address: "address",
  url: "url",
  base: "url",
  urls: "urls",
  origins: "origins",
  hosts: "names",
  integer: "integer",
  number: "number",
  switch: "true|false",
};

/** What the usage text calls the value of an option. */
export function placeholderOf(row: OptionRow): string {
  return row.kind === "choice" ? row.choices.join("|") : PLACEHOLDERS[row.kind];
}

/** The value that a text stands for. Throws an error whose message names `source`, what was expected and what came. */
export function readValue(row: OptionRow, text: string, source: string): unknown {
  switch (row.kind) {
    case "switch":
      if (text === "true" || text === "false") return text === "true";
      throw new Error(`Expected \`${source}\` to be \`true\` or \`false\`, got \`${text}\``);
    case "integer":
    case "number":
      return readNumber(row, text, source);
    case "choice":
      if (row.choices.includes(text)) return text;
      throw new Error(`Expected \`${source}\` to be ${listed(row.choices)}, got \`${text}\``);
    case "text":
    case "name":
    case "duration":
    case "horizon":
    case "address":
    case "url":
    case "base":
    case "urls":
    case "origins":
    case "hosts":
      return readNamed(row, text, source);
  }
}

function readNamed(row: TextRow, text: string, source: string): TextKinds[keyof TextKinds] {
  try {
    return readText(row, text);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`\`${source}\`: ${said}`, { cause });
  }
}

/** Reads the value of an option from text by the reader of its kind. Throws an error whose message says what was expected and what came. */
export function readText(row: TextRow, text: string): TextKinds[keyof TextKinds] {
  return row.kind === "name" ? checkIdentifier(row.what, text) : READERS[row.kind](text);
}

function readNumber(
  row: Extract<OptionRow, { readonly min: number }>,
  text: string,
  source: string,
): number {
  const shape = row.kind === "integer" ? /^[+-]?\d+$/ : /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
  const value = shape.test(text) ? Number(text) : NaN;
  if (value >= row.min && value <= row.max) return value;
  const range = rangeOf(row, row.min);
  throw new Error(`Expected \`${source}\` to be ${range}, got \`${text}\``);
}

/** The numbers that an option takes, from `min` on, in words. */
export function rangeOf(row: Extract<OptionRow, { readonly min: number }>, min: number): string {
  const what = row.kind === "integer" ? "a whole number" : "a number";
  return `${what} between ${min} and ${row.max}`;
}

/** Joins words for a message: `a, b or c`. */
export function listed(words: readonly string[]): string {
  const quoted = words.map((word) => `\`${word}\``);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}
