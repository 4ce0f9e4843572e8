/**
 * No message of a directory makes a node read more than a bounded number of rows and bytes in one turn of the event loop. `SqlMeter` counts them as SQLite returns
 * them, on a store with many keys and a long outbox. The table has, for each type, a message that causes as much work as that type can; a test fails for a new type
 * that is not in the table.
 */
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  agree,
  capabilities,
  DIRECTORY_SCHEMAS,
  hottest,
  stampTimeOf,
  type DirectoryMessage,
  type Entry,
  type KeyHeat,
  type Member,
  type Welcome,
} from "@meridian/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { fillStore, keyOf } from "../support/filled-stores.ts";
import { ScriptedNode } from "../support/scripted-node.ts";
import { SqlMeter } from "../support/sql-meter.ts";

const KEYS = 12_000;
/** How many frames are in the outbox, how many writes are in a frame, and the value of each write. */
const FRAMES = 48;
const WRITES = 20;
const VALUE = new Uint8Array(6 * 1024);
/**
 * How many rows and bytes one round of the event loop may read: for sending, for looking through and for comparing, each of which checks its limit before every piece,
 * and so may exceed it by one piece; and what the store has of the keys of a window that is acknowledged, of frames from before the start.
 */
const ROWS = 2 * (512 + 1_024);
const BYTES = 4 * (1024 * 1024 + 512 * 1024);

const nowMs = Date.now();
const clock = { aheadMs: 0, agreeing: 2, members: 2 };
/** A welcome from a log that has everything that the node has, except the node's outbox. */
const HERE: Partial<Welcome> = {
  logId: 99,
  epoch: 9,
  epochs: [[9, 0]],
  head: 1,
  committedThrough: 1,
  resumeAfter: 1,
  homeThrough: 1,
};
const ECHO: Extract<DirectoryMessage, { type: "echo" }> = {
  type: "echo",
  nowMs,
  echoMs: nowMs,
  head: 1,
  committedThrough: 1,
  followed: [],
  horizon: 0,
  horizonAt: 0,
  holdBack: false,
  clock,
};
const BEGIN: DirectoryMessage = { type: "reconcile-begin", nowMs, head: 1, horizon: 0 };

const MEMBERS = Array.from({ length: 3_000 }, (_, index): Member => {
  const id = `node-${index}`;
  return {
    id,
    region: "eu",
    url: `http://${id}.test:1`,
    lat: 0,
    lon: 0,
    status: "ready",
  };
});

const folder = mkdtempSync(join(tmpdir(), "meridian-node-turns-"));
let meter: SqlMeter | undefined;

beforeAll(async () => {
  mkdirSync(join(folder, "data"));
  const path = join(folder, "data", "region.db");
  await (await ScriptedNode.start(path)).stop();
  fillStore({ data: join(folder, "data"), kind: "region" }, { keys: KEYS }, nowMs);
  const writer = await ScriptedNode.start(path);
  for (let frame = 0; frame < FRAMES; frame += 1) {
    const requests = Array.from({ length: WRITES }, (_, index) => {
      return { key: `own/${frame}/${index}`, value: VALUE, contentType: "a/b", ttlMs: 0 };
    });
    await writer.replica.write(requests.map((request) => ({ ...request, deleted: false })));
  }
  await writer.stop();
  meter = new SqlMeter();
}, 60_000);

afterAll(() => {
  meter?.dispose();
  rmSync(folder, { recursive: true });
});

type Script = (node: ScriptedNode) => Promise<void> | void;

async function reconciling(node: ScriptedNode, more: Partial<Welcome> = {}): Promise<void> {
  node.welcome({ ...HERE, resume: "reconcile", ...more });
  await node.rest();
  node.say(BEGIN);
  await node.rest();
}

function entriesOf(first: number, count: number): readonly Entry[] {
  return Array.from({ length: count }, (_, index) => {
    const stamp = { time: stampTimeOf(nowMs) + first + index, origin: 5 };
    const value = new Uint8Array(20);
    const key = `fed/${String(first + index).padStart(8, "0")}`;
    return { key, value, contentType: "", stamp, expiresAtMs: 0, deleted: false };
  });
}

/** The members of a welcome by which the directory says that it has the whole outbox. */
function wholeOutbox({ store }: ScriptedNode): Partial<Welcome> {
  const [last] = store.outboxAfter(FRAMES - 1, 1);
  return { outboxThrough: FRAMES, outboxTime: last?.highestTime ?? 0 };
}

async function fed(node: ScriptedNode, keys: number): Promise<void> {
  node.welcome({ ...HERE, ...wholeOutbox(node), head: 1 + keys, committedThrough: 1 + keys });
  for (let first = 0; first < keys; first += 1_000) {
    const place = { after: 1 + first, through: 1_001 + first, committedThrough: 1 + keys };
    node.feed(place, entriesOf(first, 1_000));
    await node.rest();
  }
}

/** By type: sends the messages that come before a message of that type, and then one that causes as much work as the type can. */
const SCRIPTS: Readonly<Record<DirectoryMessage["type"], Script>> = {
  welcome: (node) => node.welcome({ ...HERE, outboxThrough: 0 }),
  echo: async (node) => {
    node.welcome({ ...HERE });
    node.say({ ...ECHO, horizon: stampTimeOf(nowMs) - 1, horizonAt: 1 });
  },
  acknowledge: async (node) => {
    node.welcome({ ...HERE });
    await node.rest();
    const outboxThrough = node.frames;
    node.say({ type: "acknowledge", nowMs, outboxThrough, committedThrough: 1 });
  },
  refuse: async (node) => {
    node.welcome({ ...HERE });
    await node.rest();
    const timeMax = stampTimeOf(nowMs - 86_400_000);
    node.say({ type: "refuse", nowMs, position: 1, code: "CLOCK_AHEAD", timeMax });
  },
  "applied-by": async (node) => {
    node.welcome({ ...HERE });
    await node.rest();
    const nodes = Array.from({ length: 3_000 }, (_, index) => `node-${index}`);
    node.say({ type: "applied-by", nowMs, position: 1, nodes, ready: nodes });
  },
  located: async (node) => {
    node.welcome({ ...HERE });
    const place = { logId: 99, epoch: 9, sequence: 1, incarnation: 5, outboxPosition: 5 };
    const reached = node.replica.reach(place, 100);
    node.say({ type: "located", nowMs, incarnation: 5, position: 5, sequence: 1 });
    expect(await reached).toBe(true);
  },
  members: (node) => {
    node.welcome({ ...HERE });
    node.say({ type: "members", nowMs, members: MEMBERS });
  },
  "members-changed": (node) => {
    node.welcome({ ...HERE });
    node.say({ type: "members-changed", nowMs, changed: MEMBERS, gone: [] });
  },
  "heat-elsewhere": (node) => {
    node.welcome({ ...HERE, ...agree(capabilities()) });
    const used = Array.from({ length: KEYS }, (_, index): KeyHeat => [keyOf(index), 1]);
    node.say({ type: "heat-elsewhere", nowMs, keys: hottest(used) });
  },
  // Nobody has asked, so the node closes the link.
  decided: (node) => {
    node.welcome({ ...HERE, ...agree(capabilities()) });
    const decision = { id: 1, code: null, sequence: 1, time: 0, atMs: nowMs, why: "" };
    node.say({ type: "decided", nowMs, ...decision });
  },
  // Directories send these two to other directories only; a node that receives one closes the link.
  registry: (node) => {
    node.welcome({ ...HERE });
    node.say({ type: "registry", nowMs, head: 1, lowestTime: 0, members: [] });
  },
  standing: (node) => {
    const place = { logId: 99, epoch: 9, head: 1, followed: [] };
    node.say({ type: "standing", ...agree(capabilities()), nowMs, ready: true, ...place });
  },
  "reconcile-begin": (node) => reconciling(node),
  compared: async (node) => {
    await reconciling(node);
    const { id, ranges } = node.said("compare");
    node.say({ type: "compared", nowMs, id, differing: ranges.map((_, index) => index) });
  },
  wanted: async (node) => {
    await reconciling(node);
    const { id, ranges } = node.said("compare");
    node.say({ type: "compared", nowMs, id, differing: ranges.map((_, index) => index) });
    await node.rest();
    const offer = node.said("offer");
    const keys = offer.entries.map(([key]) => key);
    expect(keys.length).toBeGreaterThan(100);
    node.say({ type: "wanted", nowMs, id: offer.id, donated: 0, keys });
  },
};

const MORE: Readonly<Record<string, Script>> = {
  "welcome, where the acknowledgement of the whole outbox was lost": async (node) => {
    node.welcome({ ...HERE, ...wholeOutbox(node) });
    await node.rest();
    expect(node.replica.info().outboxPending).toBe(0);
  },
  "welcome to another log, which may lack what the newest frames brought": async (node) => {
    const keys = 30_000;
    await fed(node, keys);
    const place = { head: 1 + keys, committedThrough: 1 + keys };
    // The node adopts the horizon once no frame is on its way into the store.
    for (let echo = 0; echo < 2_000 && node.store.horizon === 0; echo += 1) {
      node.say({ ...ECHO, ...place, horizon: 1_000, horizonAt: 1 });
      await node.rest();
    }
    expect(node.store.horizon).toBe(1_000);
    const before = node.store.outboxThrough;
    await node.reconnect();
    meter?.take();
    const elsewhere = { logId: 98, epoch: 8, epochs: [[8, 0] as [number, number]] };
    node.welcome({ ...elsewhere, ...wholeOutbox(node), homeThrough: 1 });
    await node.rest();
    expect(node.store.outboxThrough).toBeGreaterThan(before + 20);
  },
  "a frame of many entries": async (node) => {
    const count = 12_000;
    node.welcome({ ...HERE, head: 1 + count, committedThrough: 1 + count });
    const place = { after: 1, through: 1 + count, committedThrough: 1 + count };
    node.feed(place, entriesOf(0, count));
    await node.rest();
    expect(node.store.get("fed/00011999")).toBeDefined();
  },
};

describe("messages of a directory", () => {
  it("are all in the table", () => {
    expect(Object.keys(SCRIPTS).toSorted()).toEqual(Object.keys(DIRECTORY_SCHEMAS).toSorted());
  });

  it.each(Object.entries({ ...SCRIPTS, ...MORE }))(
    "%s",
    { timeout: 60_000 },
    async (_type, script) => {
      cpSync(join(folder, "data"), join(folder, "case"), { recursive: true });
      const node = await ScriptedNode.start(join(folder, "case", "region.db"));
      try {
        meter?.take();
        await script(node);
        await node.rest();
        const { rows, bytes } = meter?.take() ?? { rows: NaN, bytes: NaN };
        expect(rows).toBeLessThanOrEqual(ROWS);
        expect(bytes).toBeLessThanOrEqual(BYTES);
      } finally {
        await node.stop();
        rmSync(join(folder, "case"), { recursive: true });
      }
    },
  );
});
