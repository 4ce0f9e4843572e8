/** Whatever a directory says, in whatever state the link is: it costs the link at most, and nothing that the node has stored. */
import { agree, capabilities, type DirectoryMessage, type Entry } from "@meridian/protocol";
import { membersOf, oddMessages, welcomeWith } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { ScriptedDirectory } from "./scripted-directory.ts";

const nowMs = 1_767_225_600_000;
const clock = { aheadMs: 0, agreeing: 1, members: 1 };

const USUAL: readonly DirectoryMessage[] = [
  welcomeWith({ ...agree({ ...capabilities(), features: [] }), nowMs, clock }),
  {
    type: "echo",
    nowMs,
    echoMs: nowMs,
    head: 0,
    committedThrough: 0,
    followed: [],
    horizon: 0,
    horizonAt: 0,
    holdBack: false,
    clock,
  },
  { type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 0 },
  { type: "refuse", nowMs, position: 1, code: "CLOCK_AHEAD", timeMax: Number.MAX_SAFE_INTEGER },
  { type: "applied-by", nowMs, position: 1, nodes: [], ready: [] },
  { type: "located", nowMs, incarnation: 1, position: 1, sequence: null },
  { type: "members", nowMs, members: [] },
  { type: "members-changed", nowMs, changed: [], gone: [] },
  { type: "heat-elsewhere", nowMs, keys: [["k", 1]] },
  { type: "decided", nowMs, id: 1, code: null, sequence: 0, time: 0, atMs: nowMs, why: "" },
  { type: "registry", nowMs, head: 0, lowestTime: 0, members: [] },
  {
    type: "standing",
    ...agree(capabilities()),
    nowMs,
    ready: true,
    logId: 7,
    epoch: 1,
    head: 0,
    followed: [],
  },
  { type: "reconcile-begin", nowMs, head: 0, horizon: 0, resumes: false },
  { type: "compared", nowMs, id: 1, differing: [] },
  { type: "wanted", nowMs, id: 1, donated: 0, keys: [] },
];

type State = "greeting" | "following" | "waiting" | "reconciling";
const STATES: readonly State[] = ["greeting", "following", "waiting", "reconciling"];

/** A node that has one write in its outbox, with its link in that state. */
async function nodeIn(state: State): Promise<ScriptedDirectory> {
  const script = new ScriptedDirectory();
  if (state === "greeting") return script;
  script.welcome(0, { resume: state === "following" ? "feed" : "reconcile" });
  const written = script.replica.write([
    { key: "mine", value: Uint8Array.of(1), contentType: "a/b", ttlMs: 0, deleted: false },
  ]);
  await script.settle();
  await written;
  if (state === "reconciling") script.say({ type: "reconcile-begin", nowMs, head: 0, horizon: 0 });
  await script.settle();
  return script;
}

describe.each(STATES)("a node whose link is %s", (state) => {
  it(
    "survives any message of its directory, and keeps what it has",
    { timeout: 60_000 },
    async () => {
      const failures: string[] = [];
      for (const odd of oddMessages(USUAL)) {
        const script = await nodeIn(state);
        const before = script.store.get("mine");
        const outbox = script.store.outboxAfter(0, 1_000).length;
        script.hear(odd.json);
        await script.settle();
        script.clock.advance(100);
        await script.settle();
        const said = `${odd.json.slice(0, 200)} while ${state}`;
        if (!odd.isRight && script.closed === undefined) failures.push(`${said} was taken`);
        // Only an acknowledgement of what was sent lets go of it, and only durably so.
        const isKept =
          odd.type === "acknowledge" || script.store.outboxAfter(0, 1_000).length >= outbox;
        if (!isKept || keyOf(script.store.get("mine")) !== keyOf(before))
          failures.push(`${said} lost a write`);
        const again = script.replica.write([
          { key: "again", value: Uint8Array.of(2), contentType: "a/b", ttlMs: 0, deleted: false },
        ]);
        await script.settle();
        await again.catch((failure: unknown) => failures.push(`${said}: ${String(failure)}`));
      }
      expect(failures).toEqual([]);
    },
  );
});

it.each([
  ["more of the outbox than there is", { outboxThrough: 1 }],
  ["a place that the node has never been at", { head: 5, resumeAfter: 5 }],
  ["more of what the node has than it has", { head: 5, homeThrough: 5 }],
])("a directory that takes a node in with %s is left", (_, more) => {
  const script = new ScriptedDirectory();
  script.welcome(0, more);
  expect(script.closed).toBe(4400);
  expect(script.replica.info()).toMatchObject({ applied: 0, outboxPending: 0 });
});

function keyOf(entry: Entry | undefined): string | undefined {
  return entry === undefined ? undefined : `${entry.key} ${entry.value.join()}`;
}

it.each(membersOf("directory"))(
  "%s: every member that it has is tried",
  (_type, members, tried) => {
    expect(tried).toEqual(members);
  },
);
