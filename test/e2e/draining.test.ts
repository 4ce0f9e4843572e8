/** What a region does on SIGTERM, in its order, as systemd and an upgrade rely on it. */
import { connect, type Socket } from "node:net";
import { once } from "node:events";

import { FIVE_PLACES, getJson, getText, startCluster, until } from "@meridian/harness";
import { expect, it } from "vitest";

/** systemd kills a service that takes longer to stop, in milliseconds. */
const STOP_MS = 90_000;

/** Sends a write but for its last bytes. */
async function beginWrite(url: string, key: string, value: string): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  const head = `PUT /cache/${key}?ack=local HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: ${value.length}`;
  socket.write(`${head}\r\n\r\n${value.slice(0, -1)}`);
  return socket;
}

/** How many requests are under way at a region. */
async function activeAt(url: string): Promise<number> {
  const { requests } = await getJson<{ requests: { active: number } }>(`${url}/status`);
  return requests.active;
}

it("leaves /nearest, answers what is under way, hands over its last write and ends with 0", async () => {
  const cluster = await startCluster(FIVE_PLACES.slice(0, 2));
  const [leaving, staying] = cluster.regions;
  if (!leaving || !staying) throw new Error("Expected two regions");
  const before = await activeAt(leaving.url);
  const upload = await beginWrite(leaving.url, "last", "word");
  await until("it is under way", async () => (await activeAt(leaving.url)) > before);
  const stopping = leaving.program.stop(STOP_MS);
  await until("it is out of /nearest", async () => !(await cluster.offered()).includes(leaving.id));
  expect(leaving.program.isRunning).toBe(true);
  const answered = once(upload, "data");
  upload.write("d");
  const [answer] = (await answered) as [Buffer];
  expect(answer.toString()).toContain("HTTP/1.1 200");
  expect(await stopping).toMatchObject({ code: 0, signal: null });
  await until("the last write is in the other region", async () => {
    return (await getText(staying.url, "last")) === "word";
  });
  expect(await cluster.offered()).toEqual([staying.id]);
});
