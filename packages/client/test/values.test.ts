import type { MeridianError } from "@meridian/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";

import { fromBase64, toBase64 } from "../src/base64.ts";
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

test.each([
  ["undefined", undefined],
  ["a function", () => 1],
  ["a bigint", 1n],
  ["NaN", NaN],
  ["a Map, which JSON would empty", new Map([[1, 2]])],
  ["a Float64Array, which JSON would turn into an object", new Float64Array(2)],
])("%s is refused as a value", (_, value) => {
  expect(() => encodeValue(value)).toThrowError(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }) as MeridianError,
  );
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
