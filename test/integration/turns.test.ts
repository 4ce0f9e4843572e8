/**
 * No request and no message makes a program read more than a bounded number of rows and bytes in one turn of the event loop, on stores of many keys. `SqlMeter` counts
 * them as SQLite returns them. Tables hold a request for each route and messages for each type; the tests fail for a new route or type that is not in a table.
 */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { RunningDirectory } from "@meridian/directory";
import type { Link } from "@meridian/ports";
import {
  capabilities,
  hottest,
  NODE_SCHEMAS,
  type KeyHeat,
  type NodeMessage,
  stampTimeOf,
} from "@meridian/protocol";
import {
  SOCKET_REQUESTS,
  type SocketRequest,
  type SocketRequestType,
} from "@meridian/protocol/socket-api";
import { silentLogger } from "@meridian/runtime";
import { heartbeatOf, helloOf, SOCKET_TONGUES } from "@meridian/testkit";
import { dialLink } from "@meridian/transport";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { getJson, startSmallDirectory, startSmallRegion, until } from "@meridian/harness";

import { DOOMED_KEYS, LARGE_KEYS, LARGE_VALUE, requestsOf } from "../attacks/requests.ts";
import { fillStore, keyOf } from "../support/filled-stores.ts";
import { SqlMeter } from "../support/sql-meter.ts";

const KEYS = 20_000;
const EXPIRED = 8_000;
/** How many rows one round of the event loop may read: the limit of a timer's turn and that of a `setImmediate`. Each is checked before every piece, and so exceeded by up to one. */
const ROWS = 2 * (512 + 1_024);
/** How many bytes beside its largest piece: the same, where a piece may have the largest value, and one more value is read that does not fit any more. */
const BYTES = 1024 * 1024 + 2 * LARGE_VALUE.length + 256 * 1024;
/** How many bytes the largest piece has: the frame of a batch, which is read again if the link is lost before the frame is acknowledged. */
const PIECE_BYTES = 16 * LARGE_VALUE.length;
/** The keys that a batch over a WebSocket deletes. */
const SOCKET_DOOMED_KEYS = DOOMED_KEYS.map((key) => `${key}/ws`);
const FILLED_KEYS = [...LARGE_KEYS, ...DOOMED_KEYS, ...SOCKET_DOOMED_KEYS];

const folder = mkdtempSync(join(tmpdir(), "meridian-turns-"));
const running: (() => Promise<void>)[] = [];
let meter: SqlMeter | undefined;
let directory = "";
let region = "";

function directoryHere(): Promise<RunningDirectory> {
  return startSmallDirectory({ data: join(folder, "directory") });
}

beforeAll(async () => {
  const nowMs = Date.now();
  const at = { id: "paris", data: join(folder, "region"), valueBytesMax: 2 * 1024 * 1024 };
  const more = FILLED_KEYS.map((key) => [key, Buffer.from(LARGE_VALUE)] as const);
  const first = await directoryHere();
  const empty = await startSmallRegion({ ...at, directory: [first.url] });
  await empty.stop();
  await first.stop();
  const filling = { keys: KEYS, expired: EXPIRED, more };
  fillStore({ data: at.data, kind: "region" }, { ...filling, lacksEvery: 500 }, nowMs);
  fillStore({ data: join(folder, "directory"), kind: "directory" }, filling, nowMs);
  meter = new SqlMeter();
  const second = await directoryHere();
  const node = await startSmallRegion({ ...at, directory: [second.url] });
  running.push(
    () => node.stop(),
    () => second.stop(),
  );
  [directory, region] = [second.url, node.url];
  await until("the region serves", async () => (await fetch(`${region}/readyz`)).ok);
}, 60_000);

afterAll(async () => {
  for (const stop of running) await stop();
  meter?.dispose();
  rmSync(folder, { recursive: true });
});

function expectBounded(what: string): void {
  const { rows, bytes, largest } = meter?.take() ?? { rows: NaN, bytes: NaN, largest: NaN };
  expect([what, rows <= ROWS ? "" : `${rows} rows`]).toEqual([what, ""]);
  expect([what, bytes <= BYTES ? "" : `${bytes} bytes`]).toEqual([what, ""]);
  expect([what, largest <= PIECE_BYTES ? "" : `a piece of ${largest} bytes`]).toEqual([what, ""]);
}

it("opening two stores and comparing them", async () => {
  const { count } = await getJson<{ readonly count: number }>(`${region}/digest`);
  expect(count).toBe(KEYS + FILLED_KEYS.length);
  expectBounded("the start");
});

/** Reads the answer to a request, or the beginning of a stream of events, which does not end. Resolves to the first bytes of the answer. */
function answerOf(url: string, request: Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), "127.0.0.1", () => socket.write(request));
    let head = "";
    socket.on("data", (chunk: Buffer) => {
      if (head.length >= 4_096) return;
      head += chunk.toString("latin1");
      if (/^content-type: text\/event-stream/im.test(head)) socket.destroy();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(head));
  });
}

it("every route of both programs, asked for the most", async () => {
  for (const url of [directory, region]) {
    const requests = await requestsOf(url);
    expect(requests.length).toBeGreaterThan(5);
    meter?.take();
    for (const { route, bytes } of requests) {
      const closing = Buffer.from(
        bytes.toString("latin1").replace("\r\n", "\r\nConnection: close\r\n"),
        "latin1",
      );
      expect(await answerOf(url, closing)).toMatch(/^HTTP\/1\.1 [2345]/);
      expectBounded(route);
    }
  }
});

it("a prefix behind which everything has expired", async () => {
  const page = await getJson<{ readonly keys: readonly unknown[] }>(`${region}/keys?prefix=k0000`);
  expect(page.keys.length).toBeLessThanOrEqual(100);
  expectBounded("/keys");
});

const nowMs = Date.now();
const hello = helloOf({ nodeId: "odd", incarnation: 4_711, nowMs });
const heartbeat = heartbeatOf({ nowMs, lowestTime: 1 });
const home = { logId: 99, epoch: 9, sequence: 1 };
const compared: NodeMessage[] = [
  { ...hello, cursors: [home], home },
  { type: "reconcile", nowMs },
];
const everything = { to: null, count: 65_536, fingerprint: "0000000000000000" };
const ranges = Array.from({ length: 4_096 }, (_, index) => ({
  ...everything,
  to: index === 4_095 ? null : keyOf(index),
  count: 1,
}));
const entries = Array.from({ length: KEYS }, (_, index): [string, number, number] => [
  keyOf(index),
  1,
  5,
]);
const USED = hottest(entries.map(([key]): KeyHeat => [key, 1]));
const say = { nowMs, id: 1, from: null };
const PROPOSAL: NodeMessage = {
  type: "propose",
  nowMs,
  id: 1,
  key: keyOf(1),
  ifStamp: null,
  stamp: [stampTimeOf(nowMs), 5],
  value: "",
  contentType: "",
  expiresAtMs: 0,
  deleted: true,
};
/** By type: the messages that come before a message of that type, and then one that causes as much work as the type can. */
const SCRIPTS: Readonly<Record<NodeMessage["type"], readonly NodeMessage[]>> = {
  hello: [hello, heartbeat],
  follow: [
    {
      type: "follow",
      ...capabilities(),
      cluster: "test",
      logId: 98,
      epoch: 97,
      head: 0,
      cursors: [],
      nowMs,
    },
  ],
  probe: [{ type: "probe", ...capabilities(), cluster: "test", nowMs }],
  heartbeat: [hello, heartbeat],
  applied: [hello, { type: "applied", nowMs, through: 1 }],
  locate: [hello, { type: "locate", nowMs, incarnation: 4_711, position: 1 }],
  reconcile: compared,
  compare: [...compared, { type: "compare", ...say, ranges: [everything] }],
  offer: [...compared, { type: "offer", ...say, to: null, entries }],
  reconciled: [...compared, { type: "reconciled", nowMs }],
  // Nothing answers it, so the link ends with its lease.
  heat: [hello, { type: "heat", nowMs, keys: USED }],
  propose: [hello, PROPOSAL],
  barrier: [hello, { type: "barrier", nowMs, id: 1 }],
  goodbye: [hello, { type: "goodbye", nowMs }],
};
const MORE: Readonly<Record<string, readonly NodeMessage[]>> = {
  "compare, in many ranges": [...compared, { type: "compare", ...say, ranges }],
  "offer of nothing": [...compared, { type: "offer", ...say, to: null, entries: [] }],
};

describe("messages of a node", () => {
  it("are all in the table", () => {
    expect(Object.keys(SCRIPTS).toSorted()).toEqual(Object.keys(NODE_SCHEMAS).toSorted());
  });

  it.each(Object.entries({ ...SCRIPTS, ...MORE }))("%s", async (type, messages) => {
    meter?.take();
    await converse(messages);
    expectBounded(type);
  });
});

/** By the type of a message that does not end the link: the answer that shows that the directory has handled the message. */
const ENDS: Partial<Record<string, RegExp>> = {
  hello: /"type":"echo"/,
  follow: /"type":"registry"/,
  probe: /"type":"standing"/,
  heartbeat: /"type":"echo"/,
  applied: /"type":"echo"/,
  locate: /"type":"located"/,
  reconcile: /"type":"reconcile-begin"/,
  compare: /"type":"compared"/,
  offer: /"type":"wanted"/,
  propose: /"type":"decided"/,
  barrier: /"type":"decided"/,
};

/** Sends the messages to the directory, each once it is allowed, and resolves once the directory has handled the last one. */
function converse(messages: readonly NodeMessage[]): Promise<void> {
  return new Promise((resolve) => {
    const left = [...messages];
    let said = "";
    const url = `${directory.replace("http", "ws")}/replicate`;
    const next = (): void => {
      const message = left.shift();
      if (message === undefined) return;
      said = message.type;
      link.send(JSON.stringify(message));
    };
    const onMessage = (message: string | Uint8Array): void => {
      if (typeof message !== "string") return;
      if (left.length === 0 && ENDS[said]?.test(message)) return link.close(1000, "");
      if (/"type":"(welcome|reconcile-begin|echo)"/.test(message)) next();
    };
    const nothing = (): void => {};
    const rest = { onPart: nothing, onDrain: nothing, onClose: () => resolve() };
    const events = { onOpen: next, onMessage, ...rest };
    const link: Link = dialLink(url, events, { logger: silentLogger });
  });
}

type Asking<Type extends SocketRequestType> = Omit<
  Extract<SocketRequest, { type: Type }>,
  "id" | "type"
>;

const LISTED = Array.from({ length: 1_000 }, (_, index) => keyOf(EXPIRED + index * 11));
const WATCH_ID = 1_000;
/** By type: what is asked over a WebSocket, so that it causes as much work as the type can. */
const SOCKET_ASKINGS: { readonly [Type in SocketRequestType]: readonly Asking<Type>[] } = {
  auth: [{ token: "none" }],
  ping: [{}],
  get: [{ key: "nul/1" }, { key: "nul/2", encoding: "base64", stale: true }],
  set: [{ key: "ws/set", value: LARGE_VALUE.replaceAll("\0", "v") }],
  delete: [{ key: "nul/3" }],
  touch: [{ key: "nul/4", ttl: "1h" }],
  getMany: [{ keys: [...LARGE_KEYS] }, { keys: LISTED }],
  setMany: [{ entries: LISTED.map((key) => ({ key, value: "v".repeat(1_000) })) }],
  deleteMany: [{ keys: SOCKET_DOOMED_KEYS }, { keys: LISTED }],
  hasMany: [{ keys: [...LARGE_KEYS] }, { keys: LISTED }],
  pull: [{ key: "nul/5" }],
  lease: [{ key: "nul/6", ttl: "1s" }],
  release: [{ key: "nul/6", lease: "nobody" }],
  entries: [
    { prefix: "", limit: 1_000, values: true },
    { prefix: "k0000", limit: 1_000 },
    { prefix: "nul/", values: true },
  ],
  watch: [{ prefix: "", values: true }],
  unwatch: [{ watch: WATCH_ID }],
};
/** Writes change what reads read, so they come last; and so does the end of the watch. */
const SOCKET_ORDER: readonly SocketRequestType[] = [
  "auth",
  "ping",
  "watch",
  "get",
  "getMany",
  "hasMany",
  "entries",
  "lease",
  "release",
  "touch",
  "pull",
  "set",
  "setMany",
  "delete",
  "deleteMany",
  "unwatch",
];

describe("requests over a WebSocket", () => {
  it("are all in the table", () => {
    expect(SOCKET_ORDER.toSorted()).toEqual(Object.keys(SOCKET_REQUESTS).toSorted());
  });

  it.each(["json", "binary"] as const)(
    "read a bounded number of rows and bytes in a turn, and so does the watch of all keys (%s)",
    async (subprotocol) => {
      const tongue = SOCKET_TONGUES[subprotocol]();
      const socket = new WebSocket(`${region.replace("http", "ws")}/ws`, [tongue.protocol]);
      const heard = new Set<string>();
      socket.on("message", (data: Buffer) => {
        const { type, id } = tongue.read(data);
        heard.add(`${type === "changes" ? "changes" : "answer"} ${String(id)}`);
      });
      await once(socket, "open");
      let id = WATCH_ID;
      for (const type of SOCKET_ORDER) {
        meter?.take();
        for (const asking of SOCKET_ASKINGS[type]) {
          id = type === "watch" ? WATCH_ID : id + 1;
          socket.send(tongue.write({ id, type, ...asking }));
          while (!heard.has(`answer ${id}`)) await once(socket, "message");
        }
        expectBounded(type);
      }
      expect(heard).toContain(`changes ${WATCH_ID}`);
      socket.close();
      await once(socket, "close");
    },
  );
});
