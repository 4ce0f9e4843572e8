import { fromBase64, toBase64, type MeridianError } from "@meridian/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";

import { decodeValue, encodeValue } from "../src/values.ts";

test("every JSON value comes back as it was set", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(decodeValue("k", encodeValue(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
});

test("bytes come back as they were set, with any content type that is neither JSON nor text", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      expect(decodeValue("k", encodeValue(bytes))).toEqual(bytes);
      expect(decodeValue("k", encodeValue(bytes, "image/png"))).toEqual(bytes);
    }),
  );
});

test("base64 agrees with that of Node.js, past the chunk size too", () => {
  const large = Uint8Array.from({ length: 20_000 }, (_, index) => index % 251);
  const check = (bytes: Uint8Array): void => {
    expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
    expect(Buffer.from(fromBase64(toBase64(bytes))).equals(bytes)).toBe(true);
  };
  check(large);
  fc.assert(fc.property(fc.uint8Array(), check));
});

test("a string with a text type is stored as it is, and read as a string", () => {
  const encoded = encodeValue("héllo", "text/plain; charset=utf-8");
  expect(Buffer.from(encoded.bytes).toString()).toBe("héllo");
  expect(decodeValue("k", encoded)).toBe("héllo");
});

test("types that end in +json are JSON", () => {
  const encoded = encodeValue({ a: 1 }, "application/ld+json");
  expect(decodeValue("k", encoded)).toEqual({ a: 1 });
});

class Money {
  readonly amount = 1;
}

/** What JSON would store as something else, or not at all. */
const LOSSY: readonly (readonly [string, () => unknown])[] = [
  ["undefined", () => undefined],
  ["a function", () => () => 1],
  ["a symbol", () => Symbol("s")],
  ["a bigint", () => 1n],
  ["NaN", () => NaN],
  ["an infinite number", () => -Infinity],
  ["a Map", () => new Map([[1, 2]])],
  ["a Set", () => new Set([1])],
  ["a WeakMap", () => new WeakMap()],
  ["a RegExp", () => /x/],
  ["an Error", () => new Error("x")],
  ["a Promise", () => Promise.resolve(1)],
  ["an invalid Date", () => new Date(NaN)],
  ["a boxed number", () => Object(1)],
  ["a Float64Array", () => new Float64Array(2)],
  ["an ArrayBuffer", () => new ArrayBuffer(2)],
  ["an object of a class", () => new Money()],
  ["an object with a symbol as a name", () => ({ [Symbol("s")]: 1 })],
];

test.each(LOSSY)("%s is refused as a value, and inside of one by its path", (_, make) => {
  const refusal = (value: unknown): MeridianError | undefined => {
    try {
      encodeValue(value);
      return undefined;
    } catch (cause) {
      return cause as MeridianError;
    }
  };
  expect(refusal(make())).toMatchObject({ code: "INVALID_ARGUMENT", details: { path: "" } });
  expect(refusal({ user: { "first name": [1, make()] } })).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: expect.stringContaining('at `user["first name"][1]`') as string,
  });
  expect(refusal({ toJSON: () => ({ inner: make() }) })).toMatchObject({
    details: { path: "inner" },
  });
});

test("bytes are refused inside of a value: only alone are they stored as they are", () => {
  expect(() => encodeValue({ photo: Uint8Array.of(1) })).toThrowError(/Uint8Array.*at `photo`/);
  expect(() => encodeValue({ photo: Buffer.of(1) })).toThrowError(/Buffer.*at `photo`/);
});

test("a value that contains itself, that is too deep, or that throws, is refused with the code", () => {
  const circle: Record<string, unknown> = {};
  circle["again"] = { circle };
  let deep: unknown = 1;
  for (let level = 0; level < 100_000; level += 1) deep = [deep];
  const broken = {
    toJSON: () => {
      throw new Error("not today");
    },
  };
  const code = expect.objectContaining({ code: "INVALID_ARGUMENT" }) as MeridianError;
  expect(() => encodeValue(circle)).toThrowError(/contains itself at `again.circle`/);
  expect(() => encodeValue(deep)).toThrowError(code);
  expect(() => encodeValue(broken)).toThrowError(code);
});

test("one object in two places, a Date and objects without a prototype are taken", () => {
  const shared = { a: 1 };
  const date = new Date(0);
  const bare: unknown = Object.assign(Object.create(null), { b: 2 });
  const { bytes } = encodeValue({ first: shared, second: shared, date, bare });
  expect(JSON.parse(Buffer.from(bytes).toString())).toEqual({
    first: { a: 1 },
    second: { a: 1 },
    date: "1970-01-01T00:00:00.000Z",
    bare: { b: 2 },
  });
});

test("text that UTF-8 cannot hold is refused", () => {
  expect(() => encodeValue("\ud800", "text/plain")).toThrowError(/surrogate/);
});

test("an object is refused where the content type holds no JSON", () => {
  expect(() => encodeValue({}, "text/plain")).toThrowError(/string or bytes/);
});

test("stored bytes that are not what their content type says are an error that names the key", () => {
  const bytes = Buffer.from("{not json");
  expect(() => decodeValue("k", { bytes, contentType: "application/json" })).toThrowError(
    expect.objectContaining({
      code: "INVALID_BODY",
      message: expect.stringContaining("`k`") as string,
    }) as MeridianError,
  );
});
