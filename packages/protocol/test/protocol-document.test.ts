/** PROTOCOL.md is what a stranger builds from: whatever it shows is held against the code here. */
import { existsSync, readFileSync } from "node:fs";

import {
  blockOf,
  checkBlock,
  decodeBlock,
  decodeDirectoryMessage,
  decodeNodeMessage,
  ERROR_KINDS,
  errorOfCloseCode,
  formatPosition,
  formatStamp,
  FRAME_KIND,
  isStamp,
  MESSAGE_BYTES_MAX,
  parsePosition,
  parseStamp,
  PROTOCOL_VERSION,
  readFrameHeader,
  STAMP_EPOCH_MS,
  stampTimeOf,
  type DirectoryMessage,
  type ErrorKind,
  type FrameHeader,
  type NodeMessage,
  type Position,
  type Stamp,
  burial,
  isPurgeable,
  replaces,
  type Entry,
  type Summary,
} from "@meridian/protocol";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../../", import.meta.url);
const DOCUMENT = readFileSync(new URL("../PROTOCOL.md", import.meta.url), "utf8");

interface Fence {
  /** What follows the three backquotes. */
  readonly info: string;
  /** The `##` heading above it. */
  readonly chapter: string;
  /** The `###` heading above it, if it is in the same chapter. */
  readonly section: string;
  readonly text: string;
}

function readFences(document: string): Fence[] {
  const fences: Fence[] = [];
  let chapter = "";
  let section = "";
  let open: { readonly info: string; readonly lines: string[] } | undefined;
  for (const line of document.split("\n")) {
    if (open === undefined && line.startsWith("## ")) [chapter, section] = [line.slice(3), ""];
    if (open === undefined && line.startsWith("### ")) section = line.slice(4);
    if (!line.startsWith("```")) open?.lines.push(line);
    else if (open === undefined) open = { info: line.slice(3), lines: [] };
    else {
      fences.push({ info: open.info, chapter, section, text: open.lines.join("\n") });
      open = undefined;
    }
  }
  expect(open, "a fence that is not closed").toBeUndefined();
  return fences;
}

const FENCES = readFences(DOCUMENT);

function fenceOf(info: string): string {
  const found = FENCES.filter((fence) => fence.info === info);
  expect(found, `fence ${info}`).toHaveLength(1);
  return found[0]?.text ?? "";
}

/** The rows of the one table whose header starts with `firstColumn`, as cells. */
function tableOf(firstColumn: string): string[][] {
  const lines = DOCUMENT.split("\n");
  const header = lines.findIndex((line) => cellsOf(line)[0] === firstColumn);
  expect(header, `table ${firstColumn}`).toBeGreaterThan(0);
  const end = lines.findIndex((line, index) => index > header && !line.startsWith("|"));
  return lines.slice(header + 2, end).map(cellsOf);
}

function cellsOf(line: string): string[] {
  if (!line.startsWith("|")) return [];
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

// The compiler asks for every type that there is, and for no other.
const NODE_TYPES: Readonly<Record<NodeMessage["type"], true>> = {
  hello: true,
  follow: true,
  probe: true,
  heartbeat: true,
  applied: true,
  locate: true,
  reconcile: true,
  compare: true,
  offer: true,
  reconciled: true,
  heat: true,
  propose: true,
  barrier: true,
  goodbye: true,
};
const DIRECTORY_TYPES: Readonly<Record<DirectoryMessage["type"], true>> = {
  welcome: true,
  echo: true,
  acknowledge: true,
  refuse: true,
  "applied-by": true,
  located: true,
  members: true,
  "members-changed": true,
  "heat-elsewhere": true,
  decided: true,
  registry: true,
  standing: true,
  "reconcile-begin": true,
  compared: true,
  wanted: true,
};
const SIDES = [
  {
    chapter: "Messages from the node",
    side: "node",
    types: Object.keys(NODE_TYPES),
    decode: decodeNodeMessage,
  },
  {
    chapter: "Messages from the directory",
    side: "directory",
    types: Object.keys(DIRECTORY_TYPES),
    decode: decodeDirectoryMessage,
  },
];
/** The examples that are no messages; each has a test of its own, the digests in the replication package. */
const VECTORS = [
  "json frame",
  "json stamp-vector",
  "json digest-vectors",
  "json position-vector",
  "json burial-vector",
];

describe.each(SIDES)("the document's chapter on the $side", ({ chapter, types, decode }) => {
  const fences = FENCES.filter((fence) => fence.chapter === chapter);

  it("has one section and one example for each message", () => {
    expect(fences.map(({ info }) => info).toSorted()).toEqual(
      types.map((type) => `json ${type}`).toSorted(),
    );
    for (const { info, section } of fences) {
      const type = info.slice("json ".length);
      expect(section).toBe(`\`${type}\``);
    }
  });

  it("shows messages that decode, of the type that it says", () => {
    for (const { info, text } of fences) {
      expect(decode(text).type).toBe(info.slice("json ".length));
    }
  });

  it("names every member of each message in its section", () => {
    for (const type of types) {
      const start = DOCUMENT.indexOf(`### \`${type}\`\n`);
      const prose = DOCUMENT.slice(start, DOCUMENT.indexOf("```json", start));
      const example = fences.find(({ info }) => info === `json ${type}`)?.text ?? "{}";
      for (const member of Object.keys(JSON.parse(example) as object)) {
        if (member === "type" || member === "nowMs") continue;
        expect(prose, `${type}.${member}`).toContain(`\`${member}\``);
      }
    }
  });
});

it("every JSON example in the document is a message or a vector that a test reads", () => {
  const chapters = SIDES.map(({ chapter }) => chapter);
  const others = FENCES.filter(
    ({ info, chapter }) => info.startsWith("json") && !chapters.includes(chapter),
  );
  expect(others.map(({ info }) => info).toSorted()).toEqual(VECTORS.toSorted());
});

describe("the document's table of errors", () => {
  it("is the one that the code has", () => {
    expect(tableOf("code")).toEqual(
      Object.entries<ErrorKind>(ERROR_KINDS).map(([code, kind]) => [
        `\`${code}\``,
        kind.title,
        String(kind.status),
        String(kind.closeCode ?? "–"),
        kind.retryable ? "yes" : "no",
      ]),
    );
  });

  it("has every close code that the text names", () => {
    const named = [...DOCUMENT.matchAll(/\b4\d{3}\b(?! UTF| ms| bytes|\w)/g)].map(([code]) => code);
    const closeCodes = new Set(named.map(Number).filter((code) => code >= 4400 && code < 4500));
    expect(closeCodes.size).toBeGreaterThan(5);
    for (const code of closeCodes) expect(errorOfCloseCode(code), `close ${code}`).toBeDefined();
  });
});

describe("the document's frame in bytes", () => {
  const rows = fenceOf("hex frame")
    .split("\n")
    .map((line) => /^ *(\d+) {2}((?:[0-9a-f]{2} ?)+) +(.+)$/.exec(line)?.slice(1) ?? []);
  const bytes = Uint8Array.from(
    rows.flatMap(([, hex = ""]) => hex.trim().split(" ")).map((byte) => parseInt(byte, 16)),
  );
  const expected = JSON.parse(fenceOf("json frame")) as {
    readonly header: FrameHeader;
    readonly entries: readonly (Record<string, unknown> & { readonly value: string })[];
  };

  it("is laid out without a gap, each field at the offset that it gives", () => {
    let offset = 0;
    for (const [at, hex = ""] of rows) {
      expect(Number(at)).toBe(offset);
      offset += hex.trim().split(" ").length;
    }
    expect(DOCUMENT).toContain(`${offset} in all`);
  });

  it("has the header and the entries that the document says", () => {
    const header = readFrameHeader(bytes);
    const entries = decodeBlock(blockOf(bytes), header.count).map((entry) => ({
      ...entry,
      value: new TextDecoder().decode(entry.value),
    }));
    expect({ header, entries }).toEqual(expected);
    checkBlock(blockOf(bytes), header.count, header.highestTime);
  });

  it("is labelled with the values that it has", () => {
    const labels = new Map(rows.map(([, , label = ""]) => label.split(": ") as [string, string]));
    const { header, entries } = expected;
    for (const field of ["after", "through", "highestTime", "incarnation", "position"] as const) {
      expect(labels.get(field), `label ${field}`).toBe(String(header[field]));
    }
    const [entry] = entries;
    for (const label of ["key", "value"]) expect(labels.get(label)).toBe(entry?.[label]);
    expect(labels.get("content type")).toBe(entry?.["contentType"]);
    expect(labels.get("expiresAtMs")).toBe(String(entry?.["expiresAtMs"]));
  });
});

describe("the document's vectors", () => {
  it("of a stamp have its time and its text", () => {
    const vector = JSON.parse(fenceOf("json stamp-vector")) as {
      readonly millisecond: string;
      readonly counter: number;
      readonly stamp: Stamp;
      readonly text: string;
    };
    expect(stampTimeOf(Date.parse(vector.millisecond)) + vector.counter).toBe(vector.stamp.time);
    expect(isStamp(vector.stamp)).toBe(true);
    expect(formatStamp(vector.stamp)).toBe(vector.text);
    expect(parseStamp(vector.text)).toEqual(vector.stamp);
  });

  it("of a session position have its token", () => {
    const vector = JSON.parse(fenceOf("json position-vector")) as {
      readonly position: Position;
      readonly token: string;
    };
    expect(formatPosition(vector.position)).toBe(vector.token);
    expect(parsePosition(vector.token)).toEqual(vector.position);
  });

  it("of a burial has its stamp, and what is purgeable with it", () => {
    const vector = JSON.parse(fenceOf("json burial-vector")) as {
      readonly horizon: number;
      readonly entry: Summary;
      readonly burial: Summary;
      readonly purgeable: readonly Pick<Entry, "deleted" | "expiresAtMs">[];
      readonly kept: readonly Pick<Entry, "deleted" | "expiresAtMs">[];
    };
    const { horizon, entry } = vector;
    const grave = burial(entry.key, entry.stamp.time);
    expect({ key: grave.key, stamp: grave.stamp }).toEqual(vector.burial);
    expect(replaces(grave, entry)).toBe(true);
    for (const each of [grave, ...vector.purgeable]) {
      expect(isPurgeable({ ...entry, ...each }, horizon)).toBe(true);
      expect(isPurgeable({ ...entry, ...each }, horizon - 1)).toBe(false);
    }
    for (const each of vector.kept) {
      expect(isPurgeable({ ...entry, ...each }, horizon)).toBe(false);
    }
  });

  it("of the constants are those of the code", () => {
    const spaced = (value: number): string => value.toLocaleString("en").replaceAll(",", " ");
    expect(DOCUMENT).toContain(`Version ${PROTOCOL_VERSION}.`);
    expect(DOCUMENT).toContain(`A message is at most ${spaced(MESSAGE_BYTES_MAX)} bytes`);
    expect(DOCUMENT).toContain(`(${spaced(STAMP_EPOCH_MS)} since the Unix epoch)`);
  });
});

describe("the document's session", () => {
  const lines = fenceOf("transcript")
    .split("\n")
    .map((line) => /^(\w+) ([→←]) (.+)$/.exec(line)?.slice(1) ?? []);

  it("is made of messages and frames of the protocol", () => {
    const kinds = lines.map(([, arrow = "", said = ""]) => {
      if (/^close \d+$/.test(said)) return "close";
      if (said.startsWith("{")) {
        return (arrow === "→" ? decodeNodeMessage : decodeDirectoryMessage)(said).type;
      }
      const frame = Uint8Array.from(Buffer.from(said, "hex"));
      const header = readFrameHeader(frame);
      expect(header.kind).toBe(FRAME_KIND.entries);
      decodeBlock(blockOf(frame), header.count);
      return arrow === "→" ? "offered" : `fed ${header.count}`;
    });
    expect(kinds).toEqual(expect.arrayContaining(["offered", "fed 0", "fed 1", "acknowledge"]));
  });

  it("shows each node greeting first and closing last", () => {
    for (const node of new Set(lines.map(([name]) => name))) {
      const own = lines.filter(([name]) => name === node).map(([, , said = ""]) => said);
      expect(own[0]).toContain(`"type":"hello"`);
      expect(own[1]).toContain(`"type":"welcome"`);
      expect(own.at(-1)).toBe("close 1000");
    }
  });
});

describe("the document's invariants", () => {
  const [, chapter = ""] = /\n## Invariants\n(.*?)\n## /s.exec(DOCUMENT) ?? [];
  const invariants = chapter.split(/\n(?=\d+\. )/).slice(1);
  const references = invariants.map((invariant) => [
    ...invariant.matchAll(/Enforced by: `([^`]+)`\s+"([^"]+)"/g),
  ]);

  it("are numbered from 1, and each is enforced by a test", () => {
    expect(invariants.map((text) => parseInt(text, 10))).toEqual(
      invariants.map((_, index) => index + 1),
    );
    expect(invariants.length).toBeGreaterThan(10);
    for (const [index, found] of references.entries()) {
      expect(found.length, `invariant ${index + 1}`).toBeGreaterThan(0);
    }
    expect(references.flat()).toHaveLength(DOCUMENT.split("Enforced by").length - 1);
  });

  it("name tests that exist, by titles that they have", () => {
    for (const [, path = "", title = ""] of references.flat()) {
      const file = new URL(path, ROOT);
      expect(existsSync(file), `file ${path}`).toBe(true);
      expect(readFileSync(file, "utf8"), `file ${path}`).toContain(title);
    }
  });
});
