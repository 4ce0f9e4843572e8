/** A directory that starts alone knows whom it misses, and says so as soon as it listens. */
import { expect, it } from "vitest";
import { FIVE_PLACES, getJson, request, startCluster } from "@meridian/harness";

interface Listed {
  readonly id: string;
  readonly status: string;
}

it("a directory that starts alone answers as soon as it says that it listens", async () => {
  const places = FIVE_PLACES.slice(0, 2);
  const cluster = await startCluster(places);
  // In order: who is there is made durable within 100 ms, of which a kill leaves it none.
  await cluster.directory.stop();
  for (const region of cluster.regions) await region.program.kill();

  await cluster.startDirectory();
  const url = cluster.directoryUrl;
  const answer = await request(`${url}/nearest?lat=1&lon=2`);
  expect(answer.status).toBe(503);
  expect(await answer.json()).toMatchObject({ code: "NO_READY_NODE" });
  expect((await request(`${url}/readyz`)).status).toBe(200);
  const { nodes } = await getJson<{ readonly nodes: readonly Listed[] }>(`${url}/nodes`);
  const missed = nodes.map(({ id, status }) => `${id} ${status}`);
  expect(new Set(missed)).toEqual(new Set(places.map(({ id }) => `${id} gone`)));
});
