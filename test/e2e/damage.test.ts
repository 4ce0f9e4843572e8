import { closeSync, fstatSync, openSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";

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

/** Overwrites the second half of a database, as a disk does that loses sectors. */
function damage(path: string): void {
  const file = openSync(path, "r+");
  const { size } = fstatSync(file);
  const start = Math.floor(size / 2);
  writeSync(file, Buffer.alloc(size - start, 0x5a), 0, size - start, start);
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
  const elsewhere = (await (await request(`${victim.url}/cache/k0`)).json()) as {
    readonly alternatives: readonly { readonly id: string }[];
  };
  expect(elsewhere.alternatives.map(({ id }) => id)).toContain(writer.id);

  await victim.program.kill();
  rmSync(dirname(victim.databasePath), { recursive: true });
  await putValue(writer.url, "meanwhile", "written");
  await victim.start();
  await victim.reaches("ready");
  await cluster.converged(KEYS + 1);
  expect(await getText(victim.url, `k${KEYS - 1}`)).toBe(entries.at(-1)?.value);
});
