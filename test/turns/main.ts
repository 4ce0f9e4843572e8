/**
 * Causes all heavy work of both programs on a million keys, 300 000 of them expired, and prints the longest turn of each process meanwhile:
 * `npm run hunt:turns [-- --keys 1000000 --expired 300000 --goal 20]`. Exit code 1 if a turn used a core for longer than `--goal` milliseconds.
 */
import { join } from "node:path";
import { parseArgs } from "node:util";

import Database from "better-sqlite3";
import { request, until } from "@meridian/harness";

import { keyOf } from "../support/filled-stores.ts";
import { withHosts, type Host } from "./world.ts";

const { values } = parseArgs({
  options: {
    keys: { type: "string", default: "1000000" },
    expired: { type: "string", default: "300000" },
    goal: { type: "string", default: "20" },
  },
});
const [keys, expired, goal] = [values.keys, values.expired, values.goal].map(Number) as [
  number,
  number,
  number,
];
const MINUTES_5 = 300_000;
let isMissed = false;

async function measured(
  what: string,
  hosts: readonly Host[],
  work: () => Promise<unknown>,
): Promise<void> {
  for (const host of hosts) await host.longestTurn();
  const startedMs = performance.now();
  await work();
  const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
  for (const host of hosts) {
    const { coreMs, wallMs, collectingMs } = await host.longestTurn();
    if (coreMs > goal) isMissed = true;
    const all = `${wallMs.toFixed(1)} ms in all, ${collectingMs.toFixed(1)} of them collecting garbage`;
    const turn = `${coreMs.toFixed(1)} ms of a core, ${all}`;
    console.log(`${coreMs > goal ? "LONG" : "    "} ${what}: ${host.name} ${turn} (${seconds} s)`);
  }
}

async function ask(url: string, body?: object): Promise<void> {
  const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(MINUTES_5) });
  await response.arrayBuffer();
}

const ready = (host: Host): Promise<unknown> =>
  until(`${host.name} is ready`, async () => (await request(`${host.url}/readyz`)).ok, MINUTES_5);

await withHosts(async (host) => {
  const grace = ["--expired-grace=1s"];
  const directory = host("directory", "directory", grace);
  const [full, other, fresh] = [
    host("full", "region", grace),
    host("other", "region", grace),
    host("fresh", "region", grace),
  ];
  await directory.start(undefined);
  for (const each of [full, other]) await each.start(directory);
  for (const each of [full, other, directory]) await each.stop();
  const nowMs = Date.now();
  directory.fill({ keys, expired }, nowMs);
  full.fill({ keys, expired }, nowMs);
  other.fill({ keys, expired, lacksEvery: 1_000 }, nowMs);
  console.log(`${keys} keys, ${expired} of them expired`);

  await directory.start(undefined);
  await full.start(directory);
  await ask(`${full.url}/readyz`);
  await measured("comparing what is equal", [directory, full], () => ready(full));
  await other.start(directory);
  // The first request of a kind takes longer, once, and is not measured.
  for (const url of [`${other.url}/readyz`, `${directory.url}/status`]) await ask(url);
  await measured("comparing where one of a thousand differs", [directory, other], () =>
    ready(other),
  );
  await fresh.start(directory);
  await ask(`${fresh.url}/readyz`);
  await measured("a fresh region", [directory, fresh], () => ready(fresh));

  const { url } = full;
  for (const path of ["/keys", "/entries", "/digest?limit=1"]) {
    await ask(`${url}${path}`);
    await ask(`${directory.url}${path === "/keys" ? "/nodes" : path}`);
  }
  for (const key of ["a", "b", "c"]) {
    await ask(`${url}/batch/set`, { entries: [{ key, value: "v" }] });
    await ask(`${url}/batch/get`, { keys: [key] });
  }
  await measured("/keys?prefix= over what has expired", [full], () =>
    ask(`${url}/keys?prefix=k00`),
  );
  await measured("/keys?limit=1000", [full], () => ask(`${url}/keys?limit=1000`));
  await measured("/entries?limit=1000", [full], () => ask(`${url}/entries?limit=1000`));
  await measured("/digest", [full], () => ask(`${url}/digest`));
  await measured("/digest?limit=", [full], () => ask(`${url}/digest?limit=100000`));
  const some = Array.from({ length: 1_000 }, (_, index) => keyOf(expired + index * 7));
  await measured("/batch/get", [full], () => ask(`${url}/batch/get`, { keys: some }));
  const entries = some.map((key) => ({ key, value: "w".repeat(100) }));
  await measured("/batch/set", [full, directory, other], () =>
    ask(`${url}/batch/set`, { entries }),
  );
  for (const path of [
    "/entries?limit=1000",
    "/digest",
    "/digest?limit=100000",
    "/nodes",
    "/status",
  ]) {
    await measured(`${path} of the directory`, [directory], () => ask(`${directory.url}${path}`));
  }
  await measured("emptying what has expired", [directory, full, other, fresh], () => emptied(full));
  await measured("stopping a region", [directory], () => full.stop());
  await full.start(directory);
  await measured("starting a region again", [directory, full], () => ready(full));
});
process.exitCode = isMissed ? 1 : 0;

/** Resolves once a program empties expired values: the clocks must agree for a minute first. */
function emptied({ data }: Host): Promise<unknown> {
  const database = new Database(join(data, "region.db"), { readonly: true });
  const last = database.prepare("SELECT deleted FROM entries WHERE key = ?").pluck();
  return until(
    "what has expired is emptied",
    () => last.get(keyOf(expired - 1)) === 1,
    MINUTES_5,
  ).finally(() => database.close());
}
