/** Real programs whose disks lose what was not synced, as at a loss of power. */
import { join } from "node:path";
import { afterEach, describe, expect, it, onTestFailed, type TestContext } from "vitest";
import { Program, request, until } from "@meridian/harness";

import { UnsyncedDisk } from "../support/unsynced-disk.ts";

const ROUNDS = 2;
const CLIENTS = 16;
/** How many writes are acknowledged before the power goes. */
const WRITES_EACH_ROUND = 300;
/** Every so many writes a client makes one that is too large for the redo file, and deletes what it wrote before. */
const LARGE_EVERY = 9;
const DELETE_EVERY = 7;
const LARGE_BYTES = 40_000;

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

function unsyncedDisk(context: TestContext): UnsyncedDisk {
  const disk = UnsyncedDisk.build();
  if (typeof disk === "string") return context.skip(disk);
  ends.push(() => disk.remove());
  return disk;
}

async function run(
  program: "directory" | "region",
  data: string,
  more: readonly string[],
  launcher: readonly string[] = [],
): Promise<Program> {
  const args = ["--port=0", `--data=${data}`, ...more];
  const started = await Program.start({ name: program, program, args, launcher });
  ends.push(() => started.kill());
  onTestFailed(() => console.log(started.tail()));
  await until(`the ${program} is ready`, async () => (await request(`${started.url}/readyz`)).ok);
  return started;
}

function placeOf(id: string, directory: string): readonly string[] {
  return ["--lat=1", "--lon=2", `--id=${id}`, `--directory=${directory}`];
}

/** What was acknowledged: the size of the value of each key, undefined for one that was deleted. */
type Acknowledged = Map<string, number | undefined>;

/** Writes with several clients until so many writes more are acknowledged, and kills the program then, while the clients go on. */
async function writeUntilKilled(
  written: Acknowledged,
  region: Program,
  query: string,
  victim: Program,
): Promise<void> {
  const enough = written.size + WRITES_EACH_ROUND;
  let isOver = false;
  const client = async (number: number): Promise<void> => {
    for (let count = 1; !isOver; count += 1) {
      const isDelete = count % DELETE_EVERY === 0;
      const bytes = count % LARGE_EVERY === 0 ? LARGE_BYTES : 20;
      const key = `${enough}/${number}/${isDelete ? count - 1 : count}`;
      // A delete without an answer may have been done.
      const before = written.get(key);
      if (isDelete) written.delete(key);
      const options = isDelete ? { method: "DELETE" } : { method: "PUT", body: "x".repeat(bytes) };
      const answer = await request(`${region.url}/cache/${key}?${query}`, options).catch(() => {});
      if (answer?.ok === true) written.set(key, isDelete ? undefined : bytes);
      else if (answer !== undefined && before !== undefined) written.set(key, before);
      if (answer === undefined || written.size >= enough) isOver = true;
      await answer?.body?.cancel().catch(() => {});
    }
  };
  const clients = Array.from({ length: CLIENTS }, (_, number) => client(number));
  await until("enough is written", () => isOver, 60_000);
  await victim.kill();
  await Promise.all(clients);
}

/** The keys at which a region has something else than what was acknowledged. */
async function lostAt(region: Program, written: Acknowledged): Promise<readonly string[]> {
  const body = JSON.stringify({ keys: [...written.keys()] });
  const answer = await request(`${region.url}/batch/get`, { method: "POST", body });
  expect(answer.status).toBe(200);
  const { entries } = (await answer.json()) as { readonly entries: readonly Held[] };
  return entries
    .filter(({ key, found, value }) => (found ? value.length : undefined) !== written.get(key))
    .map(({ key }) => key);
}

/** A region's answer about a key. */
interface Held {
  readonly key: string;
  readonly found: boolean;
  readonly value: string;
}

/** Returns what a region has lost after losses of power. */
async function loseRegion(disk: UnsyncedDisk, durability: string): Promise<readonly string[]> {
  const written: Acknowledged = new Map();
  const args = [
    ...placeOf("r", "http://127.0.0.1:9"),
    "--standalone",
    `--durability=${durability}`,
  ];
  const start = (): Promise<Program> => run("region", join(disk.folder, "r"), args, disk.launcher);
  let region = await start();
  for (let round = 0; round < ROUNDS; round += 1) {
    await writeUntilKilled(written, region, "", region);
    disk.lose();
    region = await start();
  }
  return lostAt(region, written);
}

describe("a loss of power", () => {
  it("takes nothing from a region that is durable to the power", async (context) => {
    expect(await loseRegion(unsyncedDisk(context), "power")).toEqual([]);
  });

  it("takes something from a region that is durable to the death of the process", async (context) => {
    expect(await loseRegion(unsyncedDisk(context), "process")).not.toEqual([]);
  });

  it("takes nothing from a log that is durable to the power", async (context) => {
    const disk = unsyncedDisk(context);
    const written: Acknowledged = new Map();
    const start = (): Promise<Program> =>
      run("directory", join(disk.folder, "d"), ["--durability=power"], disk.launcher);
    let directory = await start();
    for (let round = 0; round < ROUNDS; round += 1) {
      // A region of its own for each round: it could bring back what the log has lost.
      const folder = join(disk.folder, "..", `sound-${round}`);
      const region = await run("region", folder, placeOf("r", directory.url));
      await writeUntilKilled(written, region, "ack=directory&timeout=30s", directory);
      await region.kill();
      disk.lose();
      directory = await start();
    }
    const folder = join(disk.folder, "..", "reader");
    const reader = await run("region", folder, placeOf("reader", directory.url));
    expect(await lostAt(reader, written)).toEqual([]);
  });
});
