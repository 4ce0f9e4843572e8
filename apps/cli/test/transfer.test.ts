/** The lines that `export` writes and `import` reads. */
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";

import { decodeEntryLine, encodeEntryLine } from "../src/transfer/entry-line.ts";
import { readLines } from "../src/transfer/lines.ts";
import { run } from "./command.ts";

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function linesOf(text: string | Uint8Array, size = 3, bytesMax = 100): Promise<unknown[]> {
  const found: unknown[] = [];
  const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
  for await (const { text: each, line } of readLines(inPieces(bytes, size), bytesMax)) {
    found.push([line, each]);
  }
  return found;
}

describe("the line of an entry", () => {
  it("says all of it, whatever the bytes are", () => {
    fc.assert(
      fc.property(
        fc.string({ unit: "binary", minLength: 1 }),
        fc.uint8Array(),
        fc.option(fc.integer({ min: 1, max: 4e12 }), { nil: undefined }),
        (key, value, expiresAtMs) => {
          const entry = { value, contentType: "a/b", etag: "x-1", expiresAtMs };
          const read = decodeEntryLine(encodeEntryLine(key, entry), 1);
          const expected = { key, contentType: "a/b", expiresAtMs: expiresAtMs ?? null };
          expect({ ...read, value: [...read.value] }).toEqual({ ...expected, value: [...value] });
        },
      ),
    );
  });

  it("may leave out what has a default, and say more", () => {
    const read = decodeEntryLine('{"key":"k","value":"v","more":[]}', 1);
    expect({ ...read, value: String(read.value) }).toEqual({
      key: "k",
      value: "v",
      contentType: "application/octet-stream",
      expiresAtMs: null,
    });
  });

  it.each([
    ["{", "line 7: Expected JSON: "],
    ["[]", "line 7: Expected an object, got []"],
    ['{"value":"v"}', "line 7: Expected `key` as text, got nothing"],
    ['{"key":"k","value":7}', "line 7: Expected `value` as text, got 7"],
    [
      '{"key":"k","value":"","encoding":"hex"}',
      'line 7: Expected `encoding` as `utf8` or `base64`, got "hex"',
    ],
    [
      '{"key":"k","value":"a*","encoding":"base64"}',
      'line 7: Expected `value` in base64, got "a*"',
    ],
    ['{"key":"k","value":"","contentType":1}', "line 7: Expected `contentType` as text, got 1"],
    [
      '{"key":"k","value":"","expiresAtMs":-1}',
      "line 7: Expected `expiresAtMs` as null or a whole number of milliseconds, got -1",
    ],
  ])("is refused as %s", (text, message) => {
    expect(() => decodeEntryLine(text, 7)).toThrow(message);
  });
});

describe("lines that come in pieces", () => {
  it.each([1, 2, 3, 100])("of %i bytes are put together, empty ones left out", async (size) => {
    const text = "früh\n\r\nlast\r\nno break";
    expect(await linesOf(text, size)).toEqual([
      [1, "früh"],
      [3, "last"],
      [4, "no break"],
    ]);
  });

  it("are refused where one is too long, or no text", async () => {
    await expect(linesOf("ok\n".padEnd(20, "x"), 3, 10)).rejects.toThrow(
      "line 2: Expected at most",
    );
    await expect(linesOf(Uint8Array.of(10, 255, 10))).rejects.toThrow("line 2: Expected UTF-8");
  });
});

test.each([
  [["import", "--rate", "0"], "Expected `--rate` as entries per second, more than 0, got `0`"],
  [["import", "--from-line", "x"], "Expected `--from-line` as a whole number from 1, got `x`"],
  [["export", "--rate", "fast"], "Expected `--rate` as entries per second, more than 0"],
])("%j is refused", async (argv, message) => {
  const { exitCode, stderr } = await run(argv, { stdin: "" });
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(message);
});

test.each([
  ["/nowhere/entries.ndjson", "ENOENT"],
  ["/", "EISDIR"],
])("import of %s, which is no file, says so", async (file, said) => {
  const { exitCode, stderr } = await run(["import", file, "--node", "http://127.0.0.1:1"]);
  expect(exitCode).not.toBe(0);
  expect(stderr).toContain(`INVALID_ARGUMENT: Expected a file that can be read, got ${said}`);
});

test("import without lines says what it wants", async () => {
  const { stderr } = await run(["import"]);
  expect(stderr).toContain("Expected a file or lines on stdin, got neither");
});
