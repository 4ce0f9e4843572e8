/**
 * The functions that read bytes from outside. Each target takes any bytes and returns the outcome: `read`, or the code of the error with its
 * message, without numbers and quotations. All else, such as an error without a code, is a fault.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { decodeEntryLine, readLines } from "@meridian/cli";
import { parseClusterFile } from "@meridian/cluster-file";
import { decodeEscapes, readQuery, targetOf } from "@meridian/http";
import {
  blockOf,
  checkBlock,
  decodeBlock,
  decodeDirectoryMessage,
  decodeNodeMessage,
  encodeBlock,
  encodeTraces,
  assembleFrame,
  FRAME_KIND,
  MeridianError,
  parsePosition,
  parseTraceContext,
  parseTtlMs,
  readFrameHeader,
  tracesOf,
  withoutTraces,
} from "@meridian/protocol";
import { readSocketRequest } from "@meridian/protocol/socket-api";
import {
  BadBytes,
  encodeBinaryRequest,
  readBinaryMessage,
  readBinaryRequest,
} from "@meridian/protocol/binary-socket-api";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import {
  createToken,
  makeSigningKey,
  publicKeysOf,
  Revocations,
  TokenVerifier,
} from "@meridian/tokens";

/** A reader of bytes. */
export interface Target {
  readonly name: string;
  /** What changed inputs are made of. */
  readonly seeds: readonly Uint8Array[];
  /** How an input was taken. Throws or rejects for a fault. */
  take(input: Buffer): string | Promise<string>;
  stop?(): Promise<void>;
}

export const text = (...lines: readonly string[]): readonly Uint8Array[] =>
  lines.map((line) => Buffer.from(line));

/** A refusal as an outcome. Throws what is none. */
function outcomeOf(cause: unknown): string {
  if (cause instanceof BadBytes) return cause.message.replaceAll(/\d+/g, "#");
  if (!(cause instanceof MeridianError) || cause.code === "INTERNAL") throw cause;
  const [expected = ""] = cause.message.split(/, got|: /);
  return `${cause.code} ${expected.replaceAll(/`[^`]*`|\d[\d.e+-]*/g, "#").slice(0, 60)}`;
}

/** A target that reads at once. */
function reader(name: string, seeds: readonly Uint8Array[], read: (input: Buffer) => void): Target {
  const take = (input: Buffer): string => {
    try {
      read(input);
      return "read";
    } catch (cause) {
      return outcomeOf(cause);
    }
  };
  return { name, seeds, take };
}

const WEBSOCKET_DOCUMENT = readFileSync(
  new URL("../../packages/protocol/WEBSOCKET.md", import.meta.url),
  "utf8",
);

/** The requests over WebSockets, as their document shows them. */
export const SOCKET_REQUESTS: readonly string[] = [
  ...WEBSOCKET_DOCUMENT.matchAll(/^> (.*)$/gm),
].map(([, request = ""]) => request);

/** The binary messages that the document shows. */
const BINARY_EXAMPLES: readonly Buffer[] = [
  ...WEBSOCKET_DOCUMENT.matchAll(/^[<>] \{.*\}\n((?:(?:[0-9a-f]{2} )+ .*\n)+)/gm),
].map(([, lines = ""]) => Buffer.from(lines.replaceAll(/  .*/g, "").replaceAll(/\s/g, ""), "hex"));

/** A binary request of each type, with all that may be left out in one of them or another. */
export const BINARY_REQUESTS: readonly Uint8Array[] = [
  ...BINARY_EXAMPLES,
  encodeBinaryRequest({ type: "auth", id: 1, token: "a.b.c" }),
  encodeBinaryRequest({ type: "ping", id: 2 }),
  encodeBinaryRequest({
    type: "get",
    id: 3,
    key: "k",
    position: "p1.1a.2b.3c.4d.5e",
    waitMs: 5,
    ifNoneMatch: '"1-1"',
    stale: true,
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "a=b",
  }),
  encodeBinaryRequest({
    type: "set",
    id: 4,
    key: "k",
    value: Buffer.from("value"),
    ack: "local",
    timeout: "1s",
    ifMatch: "*",
    contentType: "text/plain",
    ttl: "5m",
    deadlineMs: 1_767_225_600_000,
  }),
  encodeBinaryRequest({ type: "delete", id: 5, key: "k", ifNoneMatch: "*", ack: "directory" }),
  encodeBinaryRequest({ type: "touch", id: 6, key: "k", ttl: "1h", expiresAt: "never" }),
  encodeBinaryRequest({ type: "getMany", id: 7, keys: ["a", "ключ", ""], waitMs: 1 }),
  encodeBinaryRequest({
    type: "setMany",
    id: 8,
    entries: [
      { key: "a", value: Buffer.from("b"), contentType: "a/b", ttl: "90s" },
      { key: "b", value: Buffer.of() },
    ],
  }),
  encodeBinaryRequest({ type: "deleteMany", id: 9, keys: ["a", "b"], timeout: "5ms" }),
  encodeBinaryRequest({ type: "entries", id: 10, prefix: "a", after: "b", limit: 9, values: true }),
  encodeBinaryRequest({ type: "watch", id: 11, prefix: "a", values: true, resume: "c1.1.1" }),
  encodeBinaryRequest({ type: "watch", id: 11, key: "a", positions: true }),
  encodeBinaryRequest({ type: "unwatch", id: 12, watch: 11 }),
  encodeBinaryRequest({ type: "hasMany", id: 13, keys: ["a"] }),
  encodeBinaryRequest({ type: "pull", id: 14, key: "a" }),
  encodeBinaryRequest({ type: "lease", id: 15, key: "a", ttl: "5s", wait: "1ms" }),
  encodeBinaryRequest({ type: "release", id: 16, key: "a", lease: "none of mine" }),
];

const STAMP = { time: 258_696_806_903_808, origin: 2_205_130_032_131 };
const ENTRIES = ["greeting", "\0revoked/a", "ключ"].map((key, index) => ({
  key,
  value: Buffer.from("hallo"),
  contentType: "text/plain",
  stamp: { ...STAMP, time: STAMP.time + index },
  expiresAtMs: index * 1e12,
  deleted: false,
  ...(index === 1 && { attributes: Buffer.from("abcdef") }),
}));
const TRACES = [undefined, "rojo=00f067aa0ba902b7"].flatMap(
  (state) =>
    parseTraceContext("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", state) ?? [],
);
/** The incarnation that the frames name. */
export const INCARNATION = 1_001;

const FRAME_HEADER = {
  kind: FRAME_KIND.entries,
  reportApplied: true,
  incomplete: false,
  count: ENTRIES.length,
  after: 0,
  through: 0,
  committedThrough: 0,
  highestTime: STAMP.time + 2,
  sentAtMs: 1_767_225_600_124,
  incarnation: INCARNATION,
  position: 1,
} as const;
/** A frame without traces, and one with. */
export const FRAMES: readonly Uint8Array[] = [[], TRACES].map((traces) =>
  assembleFrame(FRAME_HEADER, encodeBlock(ENTRIES), encodeTraces(traces)),
);

const CLUSTER = `cluster: shop
directories: [{ id: main, host: 127.0.0.1, port: 7400, data: /tmp/a }]
regions:
  - { id: oslo, lat: 59.9, lon: 10.7, port: 7401, data: /tmp/b }
limits: { cacheEntries: 1000, ttlDefault: 90s }
`;

/** The messages of the protocol, as its document shows them. */
export const MESSAGES: readonly string[] = [
  ...readFileSync(new URL("../../packages/protocol/PROTOCOL.md", import.meta.url), "utf8").matchAll(
    /^```json [\w-]+\n(.*?)^```/gms,
  ),
].flatMap(([, json = ""]) => (json.includes('"type"') ? [json] : []));

/** Targets that need nothing that runs. */
export const READERS: readonly Target[] = [
  reader(
    "http-target",
    text("/cache/a%20b?ttl=5m&ack=all", "http://x:80/keys?prefix=%E2%82%AC#a", "/../a?b=c+d&b"),
    (input) => {
      const { path, query } = targetOf(input.toString("latin1"));
      decodeEscapes(path, "INVALID_KEY");
      readQuery(query, ["ttl", "ack", "prefix", "b"]);
    },
  ),
  reader("position", text("p1.1a.2b.3c.4d.5e", "p1.0.0.0.0.0", "p2.1.2.3.4.5.6.7"), (input) => {
    parsePosition(input.toString("latin1"));
  }),
  reader("node-message", text(...MESSAGES), (input) => {
    decodeNodeMessage(input.toString(), 1e7);
  }),
  reader("directory-message", text(...MESSAGES), (input) => {
    decodeDirectoryMessage(input.toString());
  }),
  reader("socket-request", text(...SOCKET_REQUESTS), (input) => {
    const told = readSocketRequest(input.toString());
    if ("error" in told) throw told.error;
  }),
  reader("binary-socket-request", BINARY_REQUESTS, (input) => {
    const told = readBinaryRequest(input);
    if ("error" in told) throw told.error;
  }),
  reader("binary-socket-message", BINARY_EXAMPLES, (input) => {
    readBinaryMessage(input);
  }),
  reader(
    "trace-context",
    text("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nrojo=00f067aa0ba902b7,a@b=c"),
    (input) => {
      const [parent, ...state] = input.toString("latin1").split("\n");
      // A trace that makes no sense is passed over, as if there was none.
      const trace = parseTraceContext(parent, state.join("\n"));
      if (trace === undefined) throw new MeridianError("INVALID_ARGUMENT", "Expected a trace");
    },
  ),
  reader("ttl", text("5m", "1h30m", "90", "250ms", "7d", "1.5s"), (input) => {
    parseTtlMs(input.toString());
  }),
  reader("frame", FRAMES, (input) => {
    const { count, highestTime } = readFrameHeader(input);
    if (tracesOf(withoutTraces(input)).length > 0) throw new Error("traces that were taken out");
    tracesOf(input);
    const block = blockOf(input);
    decodeBlock(block, count);
    checkBlock(block, count, highestTime);
  }),
  reader("cluster-file", text(CLUSTER, CLUSTER.replaceAll("regions", "# regions")), (input) => {
    parseClusterFile(input.toString(), "cluster.yaml");
  }),
  reader(
    "import-line",
    text(
      '{"key":"a","value":"b","encoding":"utf8","contentType":"text/plain","expiresAtMs":null}',
      '{"key":"a","value":"YQ==","encoding":"base64","expiresAtMs":1767225600124}',
    ),
    (input) => {
      decodeEntryLine(input.toString(), 1);
    },
  ),
];

/** What a file of `meridian import` holds, which comes in pieces. */
export function importTarget(): Promise<Target> {
  const line = (key: string): string =>
    `${JSON.stringify({ key, value: "b", encoding: "utf8", contentType: "text/plain", expiresAtMs: null })}\n`;
  return Promise.resolve({
    name: "import-file",
    seeds: text(line("a") + line("ключ"), `\ufeff${line("a")}\r\n\n${line("b")}`, "\n".repeat(9)),
    take: async (input) => {
      try {
        let lines = 0;
        for await (const { text: said, line: number } of readLines(
          piecesOf(input),
          LINE_BYTES_MAX,
        )) {
          decodeEntryLine(said, number);
          lines += 1;
        }
        return `read ${Math.min(lines, 3)} lines`;
      } catch (cause) {
        return outcomeOf(cause);
      }
    },
  });
}

const LINE_BYTES_MAX = 300;
const PIECE_BYTES = 37;

async function* piecesOf(input: Buffer): AsyncGenerator<Uint8Array, void, undefined> {
  for (let at = 0; at < input.byteLength; at += PIECE_BYTES) {
    yield input.subarray(at, at + PIECE_BYTES);
  }
}

/** Tokens: changed ones, and claims that nobody would make, signed by the right key. */
export async function tokenTarget(): Promise<Target> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-fuzz-"));
  const key = await makeSigningKey();
  const path = join(folder, "keys.json");
  writeFileSync(path, JSON.stringify(publicKeysOf([key])));
  const watched = { clock: systemClock, logger: silentLogger };
  const revocations = new Revocations({ ageMaxMs: 1e9, knownAtMs: 0, ...watched });
  const verifier = await TokenVerifier.open({ path, cluster: "c", revocations, ...watched });
  const nowMs = systemClock.nowMs();
  const wish = { scope: "read", prefixes: [""], nodes: [], subject: "", cluster: "c" } as const;
  const made = await createToken(key, { ...wish, nowMs, expiresAtMs: nowMs + 1e9 }, systemRandom);
  const [, claims = ""] = made.token.split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  return {
    name: "token",
    seeds: text(`Bearer ${made.token}`, `Bearer ${none}.${claims}.`, `bearer  ${none}.${none}.AA`),
    take: async (input) => {
      const header = input.toString("latin1");
      try {
        await verifier.verify(header);
      } catch (cause) {
        return outcomeOf(cause);
      }
      // Only what says the same may pass.
      if (header.replace(/^bearer +/i, "") === made.token) return "read";
      throw new Error("a changed token was taken");
    },
    stop: async () => {
      verifier.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
