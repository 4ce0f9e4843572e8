import {
  COMPLAINT_KINDS,
  complaintsOf,
  examine,
  type AskedDirectory,
  type AskedNode,
  type Checkup,
  type ComplaintKind,
} from "@meridian/doctor";
import { expect, test } from "vitest";

import { absentNodeOf, directoryStatusOf, nodeOf, regionStatusOf } from "./answers.ts";
import { run, serve } from "./command.ts";

const DAY_MS = 86_400_000;
const NOW_MS = 1_000 * DAY_MS;

type DirectorySays = Parameters<typeof directoryStatusOf>[0];
type NodeSays = Parameters<typeof regionStatusOf>[0];

function directoryOf(
  status: DirectorySays = {},
  given: Partial<AskedDirectory> = {},
): AskedDirectory {
  const asked = { url: "http://one", failure: undefined, expiresAtMs: undefined };
  return { ...asked, status: directoryStatusOf(status), ...given };
}

function askedNode(status: NodeSays = {}, given: Partial<AskedNode> = {}): AskedNode {
  const asked = { id: "oslo", url: "http://oslo", failure: undefined, expiresAtMs: undefined };
  const listed = nodeOf({ id: "oslo", url: "http://oslo" });
  return { ...asked, listed, status: regionStatusOf(status), ...given };
}

/** Two directories and a node without a problem, except what is given. */
function checkupOf(given: Partial<Checkup> = {}): Checkup {
  const second = directoryOf({ logId: 2 }, { url: "http://two" });
  return { nowMs: NOW_MS, directories: [directoryOf(), second], nodes: [askedNode()], ...given };
}

const of = (status: DirectorySays): Partial<Checkup> => ({
  directories: [directoryOf(status), directoryOf()],
});
const peer = {
  name: "http://two",
  connected: false,
  logId: 2,
  epoch: 1,
  applied: 0,
  behind: 0,
  lagMs: 0,
  reconciling: false,
  members: 1,
};
const clocks = { aheadMs: 0, agreeing: 1, members: 3, confirmed: false, deviant: [] };
const missed = { failure: "no answer", status: undefined };

/** The kind of each problem, and a part of its text. */
const PLANTED: Readonly<Record<ComplaintKind, readonly [given: Partial<Checkup>, said: string]>> = {
  "directory-unreachable": [
    { directories: [directoryOf(), directoryOf({}, { url: "http://down", ...missed })] },
    "no answer",
  ],
  "one-directory": [{ directories: [directoryOf()] }, "only directory"],
  "directories-apart": [of({ peers: [peer] }), "http://two"],
  "node-absent": [
    {
      nodes: [
        askedNode(
          {},
          {
            ...missed,
            listed: absentNodeOf({ id: "oslo", url: "", goneSinceMs: NOW_MS - 3 * DAY_MS }),
          },
        ),
      ],
    },
    "3 d",
  ],
  "node-unreachable": [{ nodes: [askedNode({}, missed)] }, "no answer"],
  "node-refused": [
    { nodes: [askedNode({ replica: { admission: "refused", refusal: "its clock" } })] },
    "its clock",
  ],
  "node-not-ready": [{ nodes: [askedNode({ status: "syncing" })] }, "syncing"],
  "node-behind": [{ nodes: [askedNode({ replica: { lagMs: 10_000, behind: 7 } })] }, "7 writes"],
  "clock-skewed": [{ nodes: [askedNode({ replica: { skewMs: -5_000 } })] }, "5 s behind"],
  "clocks-disagree": [of({ clocks }), "1 of 3"],
  "versions-apart": [of({ version: "0.9" }), "0.9"],
  damaged: [of({ damage: "page 7" }), "page 7"],
  "no-snapshot": [of({ snapshots: { keptAtMs: 5, failure: "max_bytes" } }), "growing: max_bytes"],
  "disk-full": [{ nodes: [askedNode({ shortage: "no room" })] }, "no room"],
  "disk-low": [
    { nodes: [askedNode({ disk: { freeBytes: 2 ** 30, sizeBytes: 11 * 2 ** 30 } })] },
    "1.0 of 11.0 GiB",
  ],
  "nearly-full": [of({ gauges: [{ name: "members", now: 80, max: 100 }] }), "80 of 100"],
  "certificate-expires": [
    { nodes: [askedNode({}, { expiresAtMs: NOW_MS + 13 * DAY_MS })] },
    "expires in 13 d",
  ],
  quarantine: [{ nodes: [askedNode({ replica: { quarantined: 9 } })] }, "9 entries"],
};

test("of a cluster that is well nothing is said", () => {
  expect(complaintsOf(checkupOf())).toEqual([]);
});

test.each(COMPLAINT_KINDS)("it finds `%s`, says what and what helps, and nothing else", (kind) => {
  const [given, said] = PLANTED[kind];
  const found = complaintsOf(checkupOf(given));
  expect(found.map((each) => each.kind)).toEqual([kind]);
  expect(found[0]?.what).toContain(said);
  expect(found[0]?.remedy).toMatch(/\w.*\.$/);
  expect(complaintsOf(checkupOf(given), new Set([kind]))).toEqual([]);
});

test.each([
  [
    "a clock that is deviant for a directory",
    of({ clocks: { ...clocks, confirmed: true, deviant: [{ id: "rome", aheadMs: 3_600_000 }] } }),
    "clock-skewed",
  ],
  ["a directory whose disk is low", of({ disk: { freeBytes: 9, sizeBytes: 100 } }), "disk-low"],
  [
    "a full disk once, although little of it is free",
    of({ stall: "no room", disk: { freeBytes: 0, sizeBytes: 100 } }),
    "disk-full",
  ],
  ["a directory that cannot write", of({ stall: "no room" }), "disk-full"],
  [
    "a certificate that has expired",
    { directories: [directoryOf({}, { expiresAtMs: NOW_MS - DAY_MS }), directoryOf()] },
    "certificate-expires",
  ],
] as const)("it finds %s", (_what, given, kind) => {
  expect(complaintsOf(checkupOf(given)).map((each) => each.kind)).toEqual([kind]);
});

test("a disk with a tenth of it free is as it ought to be", () => {
  const disk = { freeBytes: 10, sizeBytes: 100 };
  expect(complaintsOf(checkupOf({ ...of({ disk }), nodes: [askedNode({ disk })] }))).toEqual([]);
});

test("memory that is full of what it keeps is as it ought to be", () => {
  const gauges = [{ name: "cacheEntries", now: 100, max: 100 }];
  expect(complaintsOf(checkupOf({ nodes: [askedNode({ gauges })] }))).toEqual([]);
});

async function cluster(status: NodeSays): Promise<string> {
  const node = await serve({ "GET /status": { body: regionStatusOf({ id: "oslo", ...status }) } });
  const directory = await serve({
    "GET /status": { body: directoryStatusOf({}) },
    "GET /nodes": { body: { nodes: [nodeOf({ id: "oslo", url: node.url })] } },
  });
  return directory.url;
}

test("the command exits with 1 if it finds a problem, and with 0 if there is none or it is accepted", async () => {
  const url = await cluster({ replica: { quarantined: 9 } });
  const argv = ["doctor", "--directory", url];
  const found = await run([...argv, "--accept", "one-directory"]);
  expect(found.stdout.toString()).toMatch(
    /^oslo: .*9 entries.*\(quarantine\)\n {2}Decide.*\n.*1 problem\./,
  );
  expect(found.exitCode).toBe(1);
  const accepted = await run([...argv, "--accept", "one-directory, quarantine"]);
  expect([accepted.exitCode, accepted.stdout.toString()]).toEqual([
    0,
    "Asked 1 directory and 1 node: no problem.\n",
  ]);
  const json = JSON.parse((await run([...argv, "--json"])).stdout.toString()) as {
    readonly complaints: readonly { readonly kind: string }[];
  };
  expect(json.complaints.map(({ kind }) => kind)).toEqual(["one-directory", "quarantine"]);
});

test("the command exits with 4 if no directory answers, and with 2 if it cannot be meant", async () => {
  const none = await run(["doctor", "--directory", "http://127.0.0.1:1"]);
  expect([none.exitCode, none.stderr]).toEqual([
    4,
    expect.stringContaining("DIRECTORY_UNREACHABLE"),
  ]);
  const odd = await run(["doctor", "--accept", "everything"]);
  expect([odd.exitCode, odd.stderr]).toEqual([2, expect.stringContaining("one-directory")]);
});

test("nodes that are gone are asked after those that are there", async () => {
  const there = Array.from({ length: 40 }, (_, n) => nodeOf({ id: `there-${n}`, url: "http://x" }));
  const gone = Array.from({ length: 40 }, (_, n) =>
    absentNodeOf({ id: `gone-${n}`, url: "http://x" }),
  );
  const asked: string[] = [];
  const { nodes } = await examine(
    ["http://one"],
    {
      directory: () => Promise.resolve(directoryOf({ peers: [] })),
      nodes: () => Promise.resolve([...gone, ...there]),
      node: ({ id, url }) => {
        asked.push(id);
        return Promise.resolve({ url, ...missed, expiresAtMs: undefined });
      },
    },
    NOW_MS,
  );
  expect(asked).toEqual([...there, ...gone].map(({ id }) => id));
  expect(nodes).toHaveLength(80);
});
