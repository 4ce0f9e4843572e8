import { closeSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

import Database from "better-sqlite3";
import { expect, it } from "vitest";
import {
  getJson,
  getText,
  putValue,
  type Region,
  request,
  startCluster,
  until,
} from "@meridian/harness";

const KEYS = 2_000;

interface Stats {
  readonly unfoldedEntries: number;
}

/** Overwrites pages that hold values, as a disk does that loses sectors; all that is read when the database is opened is whole. */
function damage(path: string): void {
  const database = new Database(path);
  const pages = database
    .prepare<[], number>(
      "SELECT pageno FROM dbstat WHERE name = 'entries' AND pagetype = 'leaf' ORDER BY path",
    )
    .pluck()
    .all();
  const pageSize = Number(database.pragma("page_size", { simple: true }));
  database.close();
  const damaged = pages.slice(pages.length / 2, (pages.length * 3) / 4);
  expect(damaged.length).toBeGreaterThan(50);
  const file = openSync(path, "r+");
  const garbage = Buffer.alloc(pageSize, 0x5a);
  for (const page of damaged) writeSync(file, garbage, 0, pageSize, (page - 1) * pageSize);
  closeSync(file);
}

/** Reads one key after another until the region says that its database is damaged. */
async function readUntilDamaged({ url }: Region): Promise<void> {
  await until("a read meets the damage", async () => {
    for (let index = 0; index < KEYS; index += 1) {
      const response = await request(`${url}/cache/k${index}`);
      if ((await response.text()).includes("damaged")) return true;
    }
    return false;
  });
}

it("a region whose database is damaged says so, leaves /nearest, and fills itself again once emptied", async () => {
  const cluster = await startCluster();
  const [writer, victim] = cluster.regions;
  if (!writer || !victim) throw new Error("Expected regions");
  const entries = Array.from({ length: KEYS }, (_, index) => ({
    key: `k${index}`,
    value: `${index} `.repeat(100),
  }));
  for (let at = 0; at < KEYS; at += 1_000) {
    const body = JSON.stringify({ entries: entries.slice(at, at + 1_000) });
    const headers = { "content-type": "application/json" };
    const response = await request(`${writer.url}/batch/set`, { method: "POST", headers, body });
    expect(response.status).toBe(200);
  }
  await cluster.converged(KEYS);

  await until("the journal is merged into the table", async () => {
    const { store } = await getJson<{ readonly store: Stats }>(`${victim.url}/status`);
    return store.unfoldedEntries === 0;
  });
  // In order, so that all of it is in the database and nothing in a log beside it.
  await victim.program.stop();
  damage(victim.databasePath);
  await victim.start();
  await victim.reaches("ready");
  await readUntilDamaged(victim);
  await until("it is not offered", async () => !(await cluster.offered()).includes(victim.id));
  const said = victim.program.lines.filter((line) => line.includes("the database is damaged"));
  expect(said).toHaveLength(1);
  expect(said[0]).toMatch(/error .*delete its data folder.*STORE_CORRUPT/);
  const readiness = await request(`${victim.url}/readyz`);
  expect(readiness.status).toBe(503);
  expect(await readiness.text()).toContain("malformed");
  const { damage: told } = await getJson<{ damage: string }>(`${victim.url}/status`);
  expect(told).toContain("malformed");
  // Clients are sent elsewhere, also for what could still be read.
  for (const key of ["k0", "k999", "was-never-there"]) {
    const refused = await request(`${victim.url}/cache/${key}`);
    const { alternatives } = (await refused.json()) as {
      readonly alternatives: readonly { readonly id: string }[];
    };
    expect(refused.status).toBe(503);
    expect(alternatives.map(({ id }) => id)).toContain(writer.id);
  }

  await victim.program.kill();
  rmSync(dirname(victim.databasePath), { recursive: true });
  await putValue(writer.url, "meanwhile", "written");
  await victim.start();
  await victim.reaches("ready");
  await cluster.converged(KEYS + 1);
  expect(await getText(victim.url, `k${KEYS - 1}`)).toBe(entries.at(-1)?.value);
});
