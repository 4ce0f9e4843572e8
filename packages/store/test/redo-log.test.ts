import { constants, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock, type Clock } from "@meridian/runtime";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { decodeBody, encodeBody } from "../src/redo/redo-body.ts";
import { platformDisk } from "../src/redo/redo-disk.ts";
import { RedoLog } from "../src/redo/redo-log.ts";
import { encodeRecords, readRecords, type RedoBody } from "../src/redo/redo-record.ts";
import { outstandingRecords } from "../src/redo/redo-recovery.ts";
import type { DirectoryWrite, JournalWrite, ReplicaWrite } from "../src/writer-messages.ts";
import { entry, localWrite } from "./records.ts";
import { MemoryDisk } from "./redo-disk.ts";

const NONCE = 77;

/** Time that passes when it is told to. Nothing is handed over within it. */
class StandingTime {
  #nowMs = 1_000;
  #timers: { readonly atMs: number; readonly callback: () => void }[] = [];

  readonly clock: Clock = {
    ...systemClock,
    elapsedMs: () => this.#nowMs,
    after: (delayMs, callback) => {
      const timer = { atMs: this.#nowMs + delayMs, callback };
      this.#timers.push(timer);
      return () => (this.#timers = this.#timers.filter((each) => each !== timer));
    },
  };

  pass(ms: number): void {
    this.#nowMs += ms;
    const due = this.#timers.filter(({ atMs }) => atMs <= this.#nowMs);
    this.#timers = this.#timers.filter(({ atMs }) => atMs > this.#nowMs);
    for (const { callback } of due) callback();
  }
}

/** Lets a disk in memory open a file, write to it and sync it. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
}

type EntriesWrite = Extract<ReplicaWrite, { kind: "entries" }>;

function write(position: number, valueBytes = 10): EntriesWrite {
  return localWrite(position, [entry(`key-${position}`, position, valueBytes)]);
}

/** A redo log over a disk in memory. */
class Bench {
  durable = 0;
  readonly failed: number[] = [];
  readonly handed: number[] = [];
  readonly log: RedoLog<JournalWrite>;

  readonly disk: MemoryDisk;
  readonly time = new StandingTime();

  constructor(
    disk: MemoryDisk,
    durability: "process" | "power" = "power",
    creditBytes: number = 64 * 1024 * 1024,
  ) {
    this.disk = disk;
    this.log = new RedoLog<JournalWrite>({
      path: "/store.db",
      durability,
      clock: this.time.clock,
      logger: silentLogger,
      disk,
      onDurable: (count) => (this.durable += count),
      onFailed: (writes) => this.failed.push(...writes.map(idOf)),
      hand: (records) => this.handed.push(...readRecords(records).map(({ serial }) => serial)),
    });
    this.log.arm(NONCE, creditBytes);
  }

  idle(): Promise<void> {
    return new Promise((resolve) => this.log.whenIdle(resolve));
  }

  /** The ids of what an opening would put into a database that has the records through `through`. */
  recovered(through: number, isKept?: () => boolean): number[] {
    const records = this.disk
      .contents(isKept)
      .flatMap((bytes) => readRecords(bytes))
      .toSorted((a, b) => a.serial - b.serial);
    return outstandingRecords(records, { nonce: NONCE, through }).map(({ body }) =>
      idOf(decodeBody(body)),
    );
  }
}

function bodyOf(each: JournalWrite): RedoBody {
  const body = encodeBody(each);
  if (body === undefined) throw new Error("Expected a write that a redo file can hold");
  return body;
}

function idOf(each: JournalWrite): number {
  return each.kind === "entries" ? each.id : 0;
}

function upTo(count: number, from = 1): number[] {
  return Array.from({ length: Math.max(0, count - from + 1) }, (_, index) => from + index);
}

describe("the records of a redo file", () => {
  const bodies = upTo(20).map((id) => bodyOf(write(id)));
  const bytes = encodeRecords(NONCE, 1, bodies);

  it("are read as they were written", () => {
    const read = readRecords(bytes);
    expect(read.map(({ serial, nonce }) => [serial, nonce])).toEqual(
      upTo(20).map((serial) => [serial, NONCE]),
    );
    expect(read.map(({ body }) => decodeBody(body))).toEqual(upTo(20).map((id) => write(id)));
  });

  it("are read through the last whole one, wherever the file is cut or a bit of it is flipped", () => {
    const ends = bodies.map((_, index) =>
      bodies.slice(0, index + 1).reduce((sum, body) => sum + 24 + body.byteLength, 0),
    );
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const whole = ends.filter((end) => end <= at).length;
      expect(readRecords(bytes.slice(0, at))).toHaveLength(whole);
      const flipped = bytes.slice();
      flipped[at] = (flipped[at] ?? 0) ^ 16;
      expect(readRecords(flipped)).toHaveLength(whole);
    }
  });

  it("end where those of an earlier use begin, or of an earlier round", () => {
    const [first = bodyOf(write(1)), second = bodyOf(write(2))] = bodies;
    for (const behind of [
      encodeRecords(NONCE - 1, 2, [second]),
      encodeRecords(NONCE, 9, [first]),
    ]) {
      const all = Buffer.concat([encodeRecords(NONCE, 1, [first]), behind]);
      expect(readRecords(all)).toHaveLength(1);
    }
  });
});

describe("the body of a record", () => {
  it("holds entries with cursor, place and claim, and frames with what is followed", () => {
    const cursor = { logId: 2 ** 47, epoch: 3, sequence: 2 ** 50 };
    const place = { logId: 5, epoch: 6, sequence: 7 };
    const run = { place, keys: ["key-4"] };
    const remote: EntriesWrite = { ...write(4), cursor, run, claim: "copy", outboxPosition: 0 };
    const { block } = write(5);
    const frame: DirectoryWrite = {
      kind: "frame",
      after: 8,
      through: 9,
      count: 1,
      highestTime: 12.5,
      incarnation: 3,
      position: 4,
      incomplete: true,
      followed: cursor,
      compared: place,
      block,
    };
    for (const each of [remote, frame]) {
      const { head, block, byteLength } = bodyOf(each);
      const bytes = Buffer.concat([head, block]);
      expect(bytes.byteLength).toBe(byteLength);
      expect(decodeBody(Uint8Array.from(bytes))).toEqual(each);
    }
  });

  it("is made of no restamp, of nothing that goes into the quarantine or leaves it, of no large block, and of nothing else", () => {
    const others: JournalWrite[] = [
      { ...write(1), replaced: new Float64Array(2) },
      { ...write(1), quarantined: { atMs: 1, count: 1, block: new Uint8Array(1) } },
      { ...write(1), released: [1] },
      { ...write(1), id: 0 },
      write(1, 17 * 1024),
      { kind: "progress", cursor: null, others: null, outboxThrough: 1, horizon: 0 },
      { kind: "epoch", epoch: 1 },
      { kind: "admit", time: 1 },
    ];
    for (const each of others) expect(encodeBody(each)).toBeUndefined();
  });
});

describe("a redo log", () => {
  it("writes what comes during a write with the next one, and syncs before it tells", async () => {
    const bench = new Bench(new MemoryDisk());
    for (const id of upTo(10)) expect(bench.log.append(write(id), "alone")).toBe(true);
    expect(bench.durable).toBe(0);
    await bench.idle();
    expect([bench.durable, bench.disk.calls("write"), bench.disk.calls("sync")]).toEqual([
      10, 1, 1,
    ]);
    expect(bench.recovered(0, () => false)).toEqual(upTo(10));
    expect(bench.recovered(4)).toEqual(upTo(10, 5));
  });

  it("makes no second call where a write is synced by itself", async () => {
    const bench = new Bench(new MemoryDisk(undefined, true));
    for (const id of upTo(3)) bench.log.append(write(id), "alone");
    await bench.idle();
    expect([bench.durable, bench.disk.calls("sync")]).toEqual([3, 0]);
    expect(bench.recovered(0, () => false)).toEqual(upTo(3));
  });

  it.runIf(process.platform === "linux")(
    "has Linux sync the writes to a file that is to outlive a loss of power, and no others",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "meridian-redo-"));
      onTestFinished(() => rmSync(folder, { recursive: true }));
      for (const isLasting of [true, false]) {
        const file = await new Promise<number>((resolve, reject) => {
          platformDisk.open(join(folder, "redo"), isLasting, (failure, descriptor) =>
            failure === null ? resolve(descriptor) : reject(failure),
          );
        });
        const info = readFileSync(`/proc/self/fdinfo/${file}`, "utf8");
        const flags = parseInt(/^flags:\s*(\d+)$/m.exec(info)?.[1] ?? "", 8);
        expect((flags & constants.O_DSYNC) !== 0).toBe(isLasting);
        await new Promise<void>((resolve) => platformDisk.close(file, () => resolve()));
      }
      expect(platformDisk.syncsWrites).toBe(true);
    },
  );

  it("syncs nothing where records have to survive the process only", async () => {
    const bench = new Bench(new MemoryDisk(), "process");
    bench.log.append(write(1), "alone");
    await bench.idle();
    expect([bench.durable, bench.disk.calls("sync")]).toEqual([1, 0]);
  });

  it("takes no more than there is credit for, until the database has some of it", async () => {
    const bench = new Bench(new MemoryDisk(), "process", 1_000);
    let taken = 0;
    while (bench.log.append(write(taken + 1), "alone")) taken += 1;
    expect(taken).toBeGreaterThan(3);
    await bench.idle();
    expect(bench.log.append(write(taken + 1), "alone")).toBe(false);
    bench.log.redone(taken, 1_000);
    expect(bench.log.append(write(taken + 1), "alone")).toBe(true);
    bench.log.grant(0);
    expect(bench.log.append(write(taken + 2), "alone")).toBe(false);
    await bench.idle();
    expect(bench.durable).toBe(taken + 1);
  });

  it("hands over what is durable, once", async () => {
    const bench = new Bench(new MemoryDisk());
    for (const id of upTo(3)) bench.log.append(write(id), "alone");
    bench.log.handOver();
    expect(bench.handed).toEqual([]);
    await bench.idle();
    bench.log.handOver();
    bench.log.handOver();
    expect(bench.handed).toEqual([1, 2, 3]);
  });
});

describe("a redo log that nobody waits for", () => {
  it("gathers what comes behind a write, until some milliseconds have passed or somebody waits", async () => {
    const bench = new Bench(new MemoryDisk());
    bench.log.append(write(1), "none");
    await turns();
    // Nothing has been written of late.
    expect(bench.durable).toBe(1);
    for (const id of upTo(5, 2)) bench.log.append(write(id), "none");
    await turns();
    expect(bench.durable).toBe(1);
    bench.time.pass(24);
    await turns();
    expect(bench.durable).toBe(1);
    bench.time.pass(1);
    await turns();
    expect([bench.durable, bench.disk.calls("write")]).toEqual([5, 2]);
    for (const id of upTo(7, 6)) bench.log.append(write(id), "none");
    await turns();
    expect(bench.durable).toBe(5);
    bench.log.append(write(8), "turn");
    await turns();
    expect([bench.durable, bench.disk.calls("write")]).toEqual([8, 3]);
    bench.log.append(write(9), "none");
    await bench.idle();
    expect(bench.recovered(0)).toEqual(upTo(9));
  });

  it("gathers no more than fits in one write", async () => {
    const bench = new Bench(new MemoryDisk());
    bench.log.append(write(1), "none");
    await turns();
    let id = 1;
    while (bench.durable === 1 && id < 100) {
      bench.log.append(write((id += 1), 15_000), "none");
      await turns();
    }
    expect(id).toBeLessThan(6);
  });

  it("goes on gathering what has come during a write, and writes at once what somebody waits for", async () => {
    const bench = new Bench(new MemoryDisk());
    for (const urgency of ["none", "turn"] as const) {
      bench.time.pass(50);
      await turns();
      const before = bench.durable;
      bench.log.append(write(1), "alone");
      await Promise.resolve();
      bench.log.append(write(2), urgency);
      await turns();
      expect(bench.durable - before).toBe(urgency === "none" ? 1 : 2);
    }
    await bench.idle();
    expect(bench.durable).toBe(4);
  });
});

describe("a redo log of two files", () => {
  it("begins the other file anew once this is full, only if the database has all that the other one holds", async () => {
    const bench = new Bench(new MemoryDisk(), "process");
    const sizes = (): number[] => bench.disk.contents().map(({ byteLength }) => byteLength);
    let id = 0;
    const fill = async (count: number): Promise<void> => {
      for (const end = id + count; id < end;) {
        id += 1;
        expect(bench.log.append(write(id, 15_000), "alone")).toBe(true);
        if (id % 4 === 0) await bench.idle();
      }
      await bench.idle();
    };
    await fill(600);
    const [first = 0, second = 0] = sizes();
    expect(first).toBeGreaterThan(8 * 1024 * 1024);
    expect(second).toBeGreaterThan(0);
    // The first file has records that the database lacks: the second one grows on.
    await fill(600);
    expect(sizes()[0]).toBe(first);
    expect(sizes()[1]).toBeGreaterThan(9 * 1024 * 1024);
    expect(bench.recovered(0)).toEqual(upTo(1_200));
    bench.log.redone(700, 64 * 1024 * 1024);
    await fill(4);
    expect(sizes()[0]).toBe(first);
    expect(bench.recovered(700)).toEqual(upTo(1_204, 701));
    await fill(560);
    bench.log.redone(1_760, 64 * 1024 * 1024);
    await fill(4);
    expect(bench.recovered(1_760)).toEqual(upTo(1_768, 1_761));
  });
});

describe("a redo log on a disk that fails", () => {
  it("gives back what it cannot write, cuts off what may be there of it, and begins anew when it is told", async () => {
    for (const call of ["open", "write", "sync"] as const) {
      for (const written of [0, 30, 1_000]) {
        const bench = new Bench(new MemoryDisk({ call, at: call === "open" ? 1 : 2, written }));
        bench.log.append(write(1), "alone");
        await bench.idle();
        for (const id of [2, 3]) bench.log.append(write(id), "alone");
        await bench.idle();
        const durable = call === "open" ? 0 : 1;
        expect(bench.durable).toBe(durable);
        expect(bench.handed).toEqual(upTo(durable));
        const known = call === "open" ? [1] : [2, 3];
        expect(bench.failed).toEqual(known);
        expect(bench.log.append(write(4), "alone")).toBe(false);
        bench.log.arm(NONCE + 1, 1_000_000);
        while (!bench.log.append(write(5), "alone")) await new Promise(setImmediate);
        await bench.idle();
        expect(bench.durable).toBe(durable + 1);
        await bench.log.close(true);
        expect(bench.disk.files.size).toBe(0);
      }
    }
  });

  it("leaves no record of a failed write in the file, unless the disk refuses to cut it off as well", async () => {
    const bench = new Bench(new MemoryDisk({ call: "sync", at: 2 }));
    bench.log.append(write(1), "alone");
    await bench.idle();
    bench.log.append(write(2), "alone");
    await bench.idle();
    await bench.log.close(false);
    expect(bench.recovered(0)).toEqual([1]);
  });

  it.each([
    ["by a call behind each write", false],
    ["with each write", true],
  ])(
    "has all that it told of after a loss of power, synced %s, whatever of the rest the disk has kept",
    (_, syncsWrites) =>
      fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 30 }),
          fc.infiniteStream(fc.boolean()),
          async (steps, kept) => {
            const bench = new Bench(new MemoryDisk(undefined, syncsWrites));
            let [id, told] = [0, 0];
            for (const step of steps) {
              for (let each = 0; each < step; each += 1)
                bench.log.append(write((id += 1), 300), "alone");
              if (step === 0) await new Promise(setImmediate);
              if (step === 5) told = bench.durable;
            }
            const { durable } = bench;
            const isKept = (): boolean => kept.next().value === true;
            const found = bench.recovered(told, isKept);
            expect(found.length).toBeGreaterThanOrEqual(durable - told);
            expect(found).toEqual(upTo(told + found.length, told + 1));
            await bench.log.close(false);
          },
        ),
        { numRuns: 100 },
      ),
  );
});
