/**
 * Extends JSON by types that JSON lacks. Such a value is encoded as an object with one member, whose name begins with `$`:
 *
 *   {"$Date":"2026-01-01T00:00:00.000Z"}   {"$BigInt":"12"}   {"$Number":"NaN"}   {"$undefined":0}
 *   {"$Map":[[key,value],…]}   {"$Set":[value,…]}   {"$Uint8Array":"base64"}, and so every typed array, its numbers little-endian
 *
 * An object of the program that looks like that is wrapped once more: {"$":{"$Date":1}}.
 */
import { decodeUtf8, fromBase64, toBase64 } from "@meridian/protocol";

import { isPlain, memberPath } from "../json-value.ts";
import type { Codec } from "./codec.ts";

const ARRAYS: Readonly<Record<string, new (buffer: ArrayBuffer) => Numbers>> = {
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
};

type Numbers =
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array;

type Leaf = string | number | boolean | null | undefined | bigint | Date;

/** `Value` if rich JSON holds it without loss, or if it is unknown; else a type that it is not assignable to. */
export type RichJson<Value> = unknown extends Value
  ? Value
  : Value extends Leaf | Numbers
    ? Value
    : Value extends ReadonlyMap<infer Key, infer Item>
      ? [Key, Item] extends [RichJson<Key>, RichJson<Item>]
        ? Value
        : never
      : Value extends ReadonlySet<infer Item>
        ? Item extends RichJson<Item>
          ? Value
          : never
        : Value extends symbol | Error | ArrayBuffer | ((...args: never[]) => unknown)
          ? never
          : { [Name in keyof Value]: RichJson<Value[Name]> };

const encoder = new TextEncoder();

/** A codec for JSON with `Date`, `Map`, `Set`, `BigInt`, `undefined`, `NaN`, infinite numbers and typed arrays. */
export function richJson<Value = unknown>(): Codec<RichJson<Value>, Value> {
  return {
    contentType: "application/vnd.meridian.rich+json",
    encode: (value) => encoder.encode(JSON.stringify(treeOf(value, "", []))),
    decode: (bytes) => revived(JSON.parse(decodeUtf8(bytes))) as Value,
  };
}

/** What stands for a value in JSON. `within` has the objects that it is in. */
function treeOf(value: unknown, path: string, within: readonly object[]): unknown {
  switch (typeof value) {
    case "string":
    case "boolean":
      return value;
    case "number":
      if (Object.is(value, -0)) return { $Number: "-0" };
      return Number.isFinite(value) ? value : { $Number: String(value) };
    case "bigint":
      return { $BigInt: String(value) };
    case "undefined":
      return { $undefined: 0 };
    case "object":
      return value === null ? null : treeOfObject(value, path, within);
    case "function":
    case "symbol":
      throw refusal(`a ${typeof value}`, path);
  }
}

function treeOfObject(value: object, path: string, within: readonly object[]): unknown {
  if (within.includes(value)) throw refusal("an object that contains itself", path);
  const inside = [...within, value];
  const of = (part: unknown, name: string): unknown => treeOf(part, name, inside);
  if (Array.isArray(value)) return value.map((part, index) => of(part, `${path}[${index}]`));
  if (value instanceof Date) {
    return { $Date: Number.isNaN(value.getTime()) ? "" : value.toISOString() };
  }
  if (value instanceof Map) {
    return {
      $Map: [...value].map(([key, part], index) => [
        of(key, `${path}[${index}][0]`),
        of(part, `${path}[${index}][1]`),
      ]),
    };
  }
  if (value instanceof Set) {
    return { $Set: [...value].map((part, index) => of(part, `${path}[${index}]`)) };
  }
  if (ArrayBuffer.isView(value)) return treeOfNumbers(value, path);
  if (!isPlain(value)) throw refusal(`an object of class ${value.constructor?.name}`, path);
  const members = Object.entries(value).map(
    ([name, part]) => [name, of(part, memberPath(path, name))] as const,
  );
  const tree = Object.fromEntries(members);
  return tagOf(tree) === undefined ? tree : { $: tree };
}

function treeOfNumbers(view: ArrayBufferView, path: string): unknown {
  const name = (view as Partial<Numbers>)[Symbol.toStringTag] ?? "";
  if (!Object.hasOwn(ARRAYS, name)) throw refusal(`an object of class ${name}`, path);
  const { buffer, byteOffset, byteLength } = view;
  return { [`$${name}`]: toBase64(new Uint8Array(buffer, byteOffset, byteLength)) };
}

/** The name of the only member of an object, where that says what the object stands for. */
function tagOf(object: object): string | undefined {
  const [name, ...others] = Object.keys(object);
  return name?.startsWith("$") === true && others.length === 0 ? name : undefined;
}

/** The value that a part of parsed JSON stands for. Objects are changed in place. */
function revived(part: unknown): unknown {
  if (typeof part !== "object" || part === null) return part;
  const tag = Array.isArray(part) ? undefined : tagOf(part);
  const members = part as Record<string, unknown>;
  if (tag === undefined) return withRevivedMembers(members);
  const held = members[tag];
  if (tag === "$") return withRevivedMembers(held as Record<string, unknown>);
  return standingFor(tag, held);
}

function withRevivedMembers(members: Record<string, unknown>): unknown {
  for (const name of Object.keys(members)) members[name] = revived(members[name]);
  return members;
}

function standingFor(tag: string, held: unknown): unknown {
  switch (tag) {
    case "$Date":
      return new Date(held === "" ? NaN : String(held));
    case "$BigInt":
      return BigInt(String(held));
    case "$Number":
      return Number(held);
    case "$undefined":
      return undefined;
    case "$Map":
      return new Map(revived(held) as [unknown, unknown][]);
    case "$Set":
      return new Set(revived(held) as unknown[]);
    default: {
      const name = tag.slice(1);
      const numbers = Object.hasOwn(ARRAYS, name) ? ARRAYS[name] : undefined;
      if (numbers === undefined) {
        throw new Error(`Expected a value that is known, got \`${tag}\``);
      }
      return new numbers(fromBase64(String(held)).buffer as ArrayBuffer);
    }
  }
}

function refusal(what: string, path: string): Error {
  return new Error(`${what}${path === "" ? "" : ` at \`${path}\``}`);
}
