/**
 * The recording of version 1: bytes that parties of that version have sent. Whatever is changed later, this code reads them
 * as they were meant and, where it speaks version 1, writes them; so the recording itself is never changed.
 */
import { readFileSync } from "node:fs";

import {
  assembleFrame,
  blockOf,
  checkBlock,
  decodeBlock,
  decodeDirectoryMessage,
  decodeNodeMessage,
  DIRECTORY_SCHEMAS,
  encodeBlock,
  encodeMessage,
  extensionOf,
  NODE_SCHEMAS,
  readFrameHeader,
  type Entry,
  type FrameHeader,
  FEATURES,
} from "@meridian/protocol";
import { describe, expect, it } from "vitest";

interface RecordedEntry extends Omit<Entry, "value" | "attributes"> {
  readonly value: string;
  readonly attributes?: string;
}

interface RecordedFrame {
  readonly about: string;
  readonly header: FrameHeader;
  readonly extension: string;
  readonly entries: readonly RecordedEntry[];
  readonly hex: string;
}

interface Recording {
  readonly messages: readonly { readonly from: "node" | "directory"; readonly text: string }[];
  readonly frames: readonly RecordedFrame[];
}

const { messages, frames } = JSON.parse(
  readFileSync(new URL("wire-1.json", import.meta.url), "utf8"),
) as Recording;

const bytesOf = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, "hex"));

const entryOf = ({ attributes, value, ...plain }: RecordedEntry): Entry => ({
  ...plain,
  value: bytesOf(value),
  ...(attributes !== undefined && { attributes: bytesOf(attributes) }),
});

const decode = { node: decodeNodeMessage, directory: decodeDirectoryMessage };

/** The value with a member, or an item of a pair, more wherever there can be one. */
function grown(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(grown);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, each]) => [name, grown(each)] as const);
  return Object.fromEntries([["before", { all: [1] }], ...members, ["after", null]]);
}

describe.each(messages)("version 1 from the $from: $text", ({ from, text }) => {
  it("is read as it was meant, and still says all that it said", () => {
    const message = decode[from](text);
    expect(message).toMatchObject(JSON.parse(text) as object);
    expect(JSON.parse(encodeMessage(message))).toMatchObject(JSON.parse(text) as object);
  });

  it("is read alike with members that nobody knows", () => {
    expect(decode[from](JSON.stringify(grown(JSON.parse(text))))).toEqual(decode[from](text));
  });
});

it("the recording has every type of message", () => {
  const recorded = (side: string): string[] =>
    messages
      .filter(({ from }) => from === side)
      .map(({ text }) => (JSON.parse(text) as { readonly type: string }).type);
  // What a feature brings is not part of the version, and its name begins with that of the feature, but for those of `conditions`.
  const brought = [...FEATURES, "propose", "barrier", "decided"];
  const typesOf = (schemas: object): string[] =>
    Object.keys(schemas).filter((type) => !brought.some((feature) => type.startsWith(feature)));
  expect(recorded("node").toSorted()).toEqual(typesOf(NODE_SCHEMAS).toSorted());
  expect(recorded("directory").toSorted()).toEqual(typesOf(DIRECTORY_SCHEMAS).toSorted());
});

/** Flags that came with a feature since: those of version 1 are read as if they said no. */
const UNKNOWN_THEN = { incomplete: false };

describe.each(frames)("a frame of version 1: $about", ({ hex, header, extension, entries }) => {
  const frame = bytesOf(hex);

  it("is read as it was meant", () => {
    expect(readFrameHeader(frame)).toEqual({ ...UNKNOWN_THEN, ...header });
    expect(Buffer.from(extensionOf(frame)).toString("hex")).toBe(extension);
    expect(decodeBlock(blockOf(frame), header.count)).toEqual(entries.map(entryOf));
    checkBlock(blockOf(frame), header.count, header.highestTime);
  });

  it("is written with the same bytes", () => {
    const written = assembleFrame(header, encodeBlock(entries.map(entryOf)), bytesOf(extension));
    expect(Buffer.from(written).toString("hex")).toBe(hex);
  });

  it("is read alike with an extension that nobody knows", () => {
    const longer = assembleFrame(header, blockOf(frame), new Uint8Array(300).fill(7));
    expect(readFrameHeader(longer)).toEqual({ ...UNKNOWN_THEN, ...header });
    expect(decodeBlock(blockOf(longer), header.count)).toEqual(entries.map(entryOf));
  });
});
