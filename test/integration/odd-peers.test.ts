/**
 * A peer that sends a wrong message over a real link, in any state of its session, loses its link, and nobody else is affected. The directory runs on a real database, and
 * two healthy nodes write and read meanwhile.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { encodeMessage, stampTimeOf, type Hello, type NodeMessage } from "@meridian/protocol";
import type { Replica } from "@meridian/replication";
import { silentLogger } from "@meridian/runtime";
import { heartbeatOf, helloOf, oddFrames, oddMessages } from "@meridian/testkit";
import { dialLink, type WebSocketLink } from "@meridian/transport";
import { expect, it, onTestFinished } from "vitest";
import { getJson, until } from "@meridian/harness";

import { startMemoryNode } from "../support/memory-node.ts";

/** How many odd peers are connected at a time. */
const LINKS = 64;
const STATES = ["new", "fed", "unfed", "reconciling", "following"] as const;
/** No message at all: the directory closes the link of whoever sends it, in any state. */
const END = "the end";

type State = (typeof STATES)[number];

function oddHello(slot: number): Hello {
  const named = { nodeId: `odd-${slot}`, incarnation: 10_000 + slot, nowMs: Date.now() };
  return helloOf({ ...named, features: [], status: "syncing" });
}

function usualMessages(): readonly NodeMessage[] {
  const nowMs = Date.now();
  const greeting = { versions: [1, 1] as [number, number], features: [], cluster: "test", nowMs };
  const range = { to: null, count: 0, fingerprint: "0000000000000000" };
  return [
    oddHello(LINKS),
    { type: "follow", ...greeting, logId: 99, epoch: 98, head: 0, cursors: [] },
    { type: "probe", ...greeting },
    heartbeatOf({ nowMs, lowestTime: stampTimeOf(nowMs) }),
    { type: "applied", nowMs, through: 1 },
    { type: "locate", nowMs, incarnation: 1, position: 1 },
    { type: "reconcile", nowMs },
    { type: "compare", nowMs, id: 1, from: null, ranges: [range] },
    { type: "offer", nowMs, id: 2, from: null, to: null, entries: [] },
    { type: "reconciled", nowMs },
    { type: "goodbye", nowMs },
  ];
}

interface Visit {
  readonly state: State;
  readonly said: string | Uint8Array;
  readonly isRight: boolean;
}

/**
 * The cases: every valid message and every odd frame in every state, because their effect depends on the state; and every odd message in one state,
 * which changes from case to case. The tests of `@meridian/replication` send every odd message in every state.
 */
function visitsOf(): readonly Visit[] {
  const usual = usualMessages();
  const odd = oddMessages(usual).map(({ json, isRight }, index): Visit => {
    return { state: STATES[index % STATES.length] ?? "new", said: json, isRight };
  });
  const each = STATES.flatMap((state) => [
    ...usual.map((message): Visit => ({ state, said: encodeMessage(message), isRight: true })),
    ...oddFrames(Date.now()).map((said): Visit => ({ state, said, isRight: false })),
  ]);
  return [...odd, ...each];
}

/** Connects an odd peer, brings its session into `state`, sends `said` and then `END`. Resolves to the code and the reason with which the link was closed. */
function visit(
  directory: string,
  slot: number,
  state: State,
  said: string | Uint8Array,
): Promise<string> {
  return new Promise((resolve) => {
    const say = (message: NodeMessage): void => link.send(encodeMessage(message));
    const finish = (): void => {
      link.send(said);
      link.send(END);
    };
    const link: WebSocketLink = dialLink(
      `${directory}/replicate`,
      {
        onOpen: () => {
          if (state === "new") return finish();
          if (state === "following") {
            const { versions, features, cluster, nowMs } = oddHello(slot);
            const place = { logId: 1_000 + slot, epoch: 98, head: 0, cursors: [] };
            return say({ type: "follow", versions, features, cluster, nowMs, ...place });
          }
          const elsewhere = { logId: 99, epoch: 1, sequence: 1 };
          const away = state === "fed" ? {} : { cursors: [elsewhere], home: elsewhere };
          say({ ...oddHello(slot), ...away });
        },
        onMessage: (message) => {
          if (typeof message !== "string" || !message.includes('"type":"welcome"')) return;
          if (state === "reconciling") say({ type: "reconcile", nowMs: Date.now() });
          finish();
        },
        onPart: () => {},
        onDrain: () => {},
        onClose: (code, reason) => resolve(`${code} ${reason}`),
      },
      { logger: silentLogger },
    );
  });
}

function healthyNode(directory: string, id: string): Replica {
  const replica = startMemoryNode({ directory, cluster: "test", id });
  onTestFinished(() => replica.stop());
  return replica;
}

/** Repeats `step` until the returned function is called, which resolves once the running step has ended. */
function repeat(step: (turn: number) => Promise<void>): () => Promise<void> {
  let isOver = false;
  const loop = (async () => {
    for (let turn = 1; !isOver; turn += 1) {
      await step(turn);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  })();
  loop.catch(() => {});
  return async () => {
    isOver = true;
    await loop;
  };
}

async function startAll(): Promise<{ readonly url: string; readonly nodes: readonly Replica[] }> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-odd-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const directory = await startDirectory({
    host: "127.0.0.1",
    port: 0,
    data: folder,
    cluster: "test",
    logger: silentLogger,
  });
  onTestFinished(() => directory.stop());
  const nodes = ["berlin", "tokyo"].map((id) => healthyNode(directory.url, id));
  await until("all nodes are ready", () => nodes.every(({ status }) => status === "ready"));
  return { url: directory.url, nodes };
}

it(
  "a peer that sends anything in any state harms no node, no write and no answer",
  { timeout: 120_000 },
  async () => {
    const { url, nodes } = await startAll();
    const nearest = (): Promise<{ readonly nodes: readonly { readonly id: string }[] }> =>
      getJson(`${url}/nearest?lat=1&lon=2&limit=100`);
    const missed: string[] = [];
    const endWatch = repeat(async () => {
      const ids = (await nearest()).nodes.map(({ id }) => id);
      for (const id of ["berlin", "tokyo"]) if (!ids.includes(id)) missed.push(id);
    });
    const written: string[] = [];
    const endLoad = repeat(async (turn) => {
      const [key, contentType, ttlMs] = [`key/${turn}`, "text/plain", 0];
      const write = { key, value: Uint8Array.of(turn % 256), contentType, ttlMs, deleted: false };
      await nodes[turn % nodes.length]?.write([write]);
      written.push(key);
    });

    const visits = visitsOf();
    const failures: string[] = [];
    const next = visits.values();
    const slot = async (index: number): Promise<void> => {
      for (const { state, said, isRight } of next) {
        const why = await visit(url, index, state, said);
        const isEnd = why.includes(END);
        if (isEnd && !isRight) failures.push(`${state}: ${String(said).slice(0, 200)} was taken`);
      }
    };
    await Promise.all(Array.from({ length: LINKS }, (_, index) => slot(index)));
    await endWatch();
    await endLoad();

    expect(failures).toEqual([]);
    expect(missed).toEqual([]);
    expect(written.length).toBeGreaterThan(10);
    await until("the directory and both nodes hold all that was written", async () => {
      const { count } = await getJson<{ readonly count: number }>(`${url}/digest`);
      return (
        count === written.length &&
        nodes.every((node) => written.every((key) => node.get(key) !== undefined))
      );
    });
  },
);
