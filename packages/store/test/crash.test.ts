import { burial, type MeridianError, type ReplicaRecord } from "@meridian/protocol";
/**
 * Deaths of the writer and of the whole process. The invariant: after reopening, the store holds exactly a prefix of
 * what was appended, in order, and that prefix has everything whose `done` was called.
 */
import { fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { openDirectoryLog, openReplicaStore, type SqliteReplicaStore } from "@meridian/store";
import { bundleSource } from "@meridian/source-bundle";
import { emptyReplicaDisk, MemoryReplicaStore } from "@meridian/testkit";
import { afterAll, describe, expect, it } from "vitest";
import { entry, frame, local, outcome, remote } from "./records.ts";
import { StoreFolder, until } from "./store-folder.ts";

const folder = new StoreFolder();
afterAll(() => folder.remove());

/** Records of every usual kind: writes, overwrites, a restamp, acknowledgements. */
function records(): ReplicaRecord[] {
  const made: ReplicaRecord[] = [];
  for (let at = 1; at <= 6; at += 1) {
    made.push(local(at, [entry(`own${at % 3}`, 100 + at), entry("hot", 200 + at)]));
    made.push(remote([entry(`own${at % 2}`, 103), entry("hot", 150 + at)], at));
  }
  const entries = [entry("own0", 60), entry("hot", 61)];
  const replaced = [
    { time: 106, origin: 1 },
    { time: 206, origin: 1 },
  ];
  made.push({
    ...local(6, entries),
    kind: "restamp",
    replaced,
    takenBack: replaced,
  } as ReplicaRecord);
  made.push({ kind: "progress", outboxThrough: 4, cursor: { logId: 1, epoch: 2, sequence: 9 } });
  made.push(local(7, [entry("own1", 300)]), { kind: "progress", outboxThrough: 7 });
  const buried = remote([burial("own1", 300), burial("own2", 105)], 20);
  const quarantined = { entries: [entry("own1", 300), entry("own2", 105)], atMs: 9 };
  made.push({ ...buried, quarantined } as ReplicaRecord);
  made.push({ ...local(8, [entry("own2", 400)]), released: [2] } as ReplicaRecord);
  made.push({ kind: "progress", horizon: 310 }, remote([burial("own1", 301)], 21));
  return made;
}

function viewOf(store: SqliteReplicaStore | MemoryReplicaStore): unknown {
  const keys = store.summariesAfter(null, 100).map(({ key }) => key);
  return {
    cursor: store.cursor,
    outboxThrough: store.outboxThrough,
    outboxAcknowledged: store.outboxAcknowledged,
    highestTime: store.highestTime,
    admittedTime: store.admittedTime,
    outbox: store.outboxAfter(store.outboxAcknowledged, 1e9),
    horizon: store.horizon,
    quarantined: store.quarantined,
    quarantine: store.quarantinedAfter(0, 10),
    entries: keys.map((key) => store.get(key)),
  };
}

/** What a store holds after the first `count` records. */
async function viewAfter(count: number): Promise<unknown> {
  const model = new MemoryReplicaStore(emptyReplicaDisk(1), (callback) => callback());
  for (const record of records().slice(0, count)) await outcome(model, record);
  return viewOf(model);
}

describe("the death of the writer", () => {
  // The commits alone take more steps than these, so the writer dies in every case.
  const steps = Array.from({ length: 29 }, (_, index) => 1 + index * 2);
  it.each(steps)("at its step %i loses nothing that was acknowledged", async (dieAtStep) => {
    const name = `step-${dieAtStep}`;
    const tuning = { dieAtStep, walIdleBytes: 0, redo: false };
    let onBroken = (_failure: MeridianError): void => {};
    const told = new Promise<MeridianError>((resolve) => (onBroken = resolve));
    const store = await openReplicaStore({ ...folder.options(name, tuning), onBroken });
    let acknowledged = 0;
    let failed = 0;
    let code = "none";
    for (const record of records()) {
      const failure = await outcome(store, record);
      if (failure === undefined) acknowledged += 1;
      else failed += 1;
      if (failure !== undefined) {
        code = failure.code;
        break;
      }
      // The writer folds only during a pause between writes.
      if (acknowledged % 3 === 0) {
        await until(() => store.stats().unfoldedEntries === 0 || store.stats().failed);
      }
    }
    expect(code).toBe("STORE_FAILED");
    expect(store.stats().failed).toBe(true);
    expect((await told).code).toBe("STORE_FAILED");
    await store.abort();
    const reopened = await openReplicaStore(folder.options(name));
    const found = viewOf(reopened);
    await reopened.close();
    const candidates = [await viewAfter(acknowledged), await viewAfter(acknowledged + failed)];
    expect(candidates).toContainEqual(found);
  });
});

/** Starts a child that writes, and kills it, three times. Returns the last write that a child reported as durable. */
async function killWriters(kind: "replica" | "directory", path: string): Promise<number> {
  const source = fileURLToPath(new URL("./killed-writer.ts", import.meta.url));
  const writer = await bundleSource(source);
  let acknowledged = 0;
  for (const round of [1, 2, 3]) {
    const child = fork(writer, [kind, path], { execArgv: [] });
    await new Promise<void>((resolve) => {
      child.on("message", (through: number) => {
        acknowledged = through;
        if (through >= round * 300) child.kill("SIGKILL");
      });
      child.on("exit", () => resolve());
    });
  }
  return acknowledged;
}

describe("kill -9 in the middle of writes", () => {
  it("leaves a replica's store with everything that it acknowledged", async () => {
    const acknowledged = await killWriters("replica", folder.file("killed-replica"));
    expect(acknowledged).toBeGreaterThanOrEqual(900);
    const store = await openReplicaStore(folder.options("killed-replica"));
    const through = store.outboxThrough;
    expect(through).toBeGreaterThanOrEqual(acknowledged);
    const positions: number[] = [];
    for (let page = store.outboxAfter(0, 1e9); page.length > 0;) {
      positions.push(...page.map(({ position }) => position));
      page = store.outboxAfter(positions.length, 1e9);
    }
    expect(positions).toEqual(Array.from({ length: through }, (_, index) => index + 1));
    const times = positions.map((at) => store.get(`key-${at}`)?.stamp.time);
    expect(times).toEqual(positions);
    expect(store.get("hot")?.stamp.time).toBe(through);
    await store.close();
  });

  it("leaves the directory's log with everything that it acknowledged, and no hole", async () => {
    const acknowledged = await killWriters("directory", folder.file("killed-directory"));
    expect(acknowledged).toBeGreaterThanOrEqual(900);
    const log = await openDirectoryLog(folder.options("killed-directory"));
    expect(log.epochs).toHaveLength(4);
    expect(log.committedThrough).toBeGreaterThanOrEqual(acknowledged);
    const frames = [...log.read(0, 1e9)];
    for (let reached = 0; reached < log.committedThrough;) {
      reached = frames.at(-1)?.through ?? log.committedThrough;
      frames.push(...log.read(reached, 1e9));
    }
    expect(frames.map(({ after }) => after)).toEqual([
      0,
      ...frames.map(({ through }) => through).slice(0, -1),
    ]);
    expect(frames.at(-1)?.through).toBe(log.committedThrough);
    const next = frame(log.committedThrough, [entry("after", 1e6)], 1e6);
    expect(await outcome(log, next)).toBeUndefined();
    await log.close();
  });
});
