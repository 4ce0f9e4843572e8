/**
 * Stops and starts a directory and two regions of two million keys, in order and by `kill -9`, and prints how long that takes and how much is compared:
 * `npm run hunt:restart [-- --keys 2000000]`. Exit code 1 if anything is compared after a stop in order, or all keys after
 * a kill, or if the directory listens later than a second after its process has started.
 */
import { parseArgs } from "node:util";
import { putValue, request, until } from "@meridian/harness";

import { withHosts, type Host } from "./world.ts";

const { values } = parseArgs({ options: { keys: { type: "string", default: "2000000" } } });
const keys = Number(values.keys);
const MINUTES_5 = 300_000;

/** How many reconciliations began, and how much they compared. */
interface Reading {
  readonly reconciliations: number;
  /** Rows of the directory's log that were compared. */
  readonly rows: number;
  readonly bytes: number;
  /** From the start of the directory's process until it listens, in milliseconds. */
  readonly listensMs: number;
}

/** A directory that starts alone has to answer within so many milliseconds of its process. */
const LISTENS_MS = 1_000;

const ready = (host: Host): Promise<unknown> =>
  until(`${host.name} is ready`, async () => (await request(`${host.url}/readyz`)).ok, MINUTES_5);

async function startAll(what: string, directory: Host, regions: readonly Host[]): Promise<Reading> {
  const startedMs = performance.now();
  const since = (): string => `${((performance.now() - startedMs) / 1_000).toFixed(2)} s`;
  const log = await directory.start(undefined, portOf(directory));
  console.log(`${what}: the directory listens after ${(log / 1_000).toFixed(2)} s`);
  await Promise.all(
    regions.map(async (region) => {
      const listens = await region.start(directory);
      await ready(region);
      const own = `${(listens / 1_000).toFixed(2)} s until it listens, its files open`;
      console.log(`${what}: ${region.name} is ready ${since()} after the first start (${own})`);
    }),
  );
  const lines = regions.flatMap((region) => region.logged("sending again"));
  for (const line of lines) console.log(`${what}: ${line.trim()}`);
  const compared = { ...readingOf(directory), listensMs: log };
  const { reconciliations, rows, bytes } = compared;
  console.log(
    `${what}: ${reconciliations} reconciliations over ${rows} rows, ${bytes} bytes of entries`,
  );
  return compared;
}

/** The reconciliations since the directory's start, from its log. */
function readingOf(directory: Host): Omit<Reading, "listensMs"> {
  const numbers = (name: string): number[] =>
    directory
      .logged("node has reconciled")
      .map((line) => Number(new RegExp(`${name}["=: ]+(\\d+)`).exec(line)?.[1] ?? 0));
  const sum = (values: readonly number[]): number =>
    values.reduce((total, each) => total + each, 0);
  const reconciliations = directory.logged("node reconciles").length;
  return { reconciliations, rows: sum(numbers("rows")), bytes: sum(numbers("bytes")) };
}

function portOf({ url }: Host): number {
  return url === "" ? 0 : Number(new URL(url).port);
}

async function write(regions: readonly Host[]): Promise<void> {
  for (let round = 0; round < 100; round += 1) {
    await Promise.all(regions.map(({ url }, index) => putValue(url, `w${index}-${round}`, "w")));
  }
}

await withHosts(async (host) => {
  const directory = host("directory", "directory");
  const regions = [host("paris", "region"), host("tokyo", "region")];
  await directory.start(undefined);
  for (const region of regions) await region.start(directory);
  for (const each of [...regions, directory]) await each.stop();
  const nowMs = Date.now();
  for (const each of [directory, ...regions]) each.fill({ keys }, nowMs);
  console.log(`${keys} keys`);

  await startAll("after the filling", directory, regions);
  await write(regions);
  const stoppedMs = performance.now();
  await Promise.all([...regions, directory].map((each) => each.stop()));
  console.log(`a clean stop of all: ${((performance.now() - stoppedMs) / 1_000).toFixed(2)} s`);
  const clean = await startAll("after a clean stop", directory, regions);

  const isOver = { yet: false };
  const load = (async (): Promise<void> => {
    while (!isOver.yet) await write(regions).catch(() => {});
  })();
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await Promise.all([directory, ...regions].map((each) => each.kill()));
  isOver.yet = true;
  await load;
  const killed = await startAll("after kill -9", directory, regions);
  if (clean.reconciliations > 0 || killed.rows > keys / 10) process.exitCode = 1;
  if (clean.listensMs > LISTENS_MS || killed.listensMs > LISTENS_MS) process.exitCode = 1;
});
