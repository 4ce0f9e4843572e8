/** A whole cluster over TLS, whose directory asks for certificates: programs, links, SDK and command. */
import { runCli } from "@meridian/cli";
import { connect } from "@meridian/client";
import {
  clusterFetch,
  FIVE_PLACES,
  getJson,
  getText,
  makeCredentials,
  putValue,
  startCluster,
  until,
} from "@meridian/harness";
import { expect, it } from "vitest";

/** Runs the command in this process, and returns all that it says. */
async function runCommand(argv: readonly string[], env: Record<string, string>): Promise<string> {
  let said = "";
  const write = (data: string | Uint8Array): void => {
    said += Buffer.from(data as string).toString();
  };
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env, colour: false };
  return `${await runCli(argv, io)} ${said}`;
}

it("what one region takes is in the other, through a renewal and the death of a region", async () => {
  const secure = await makeCredentials();
  const cluster = await startCluster(FIVE_PLACES.slice(0, 2), { secure });
  const [near, far] = cluster.regions;
  if (near === undefined || far === undefined) throw new Error("Expected two regions");
  for (const url of cluster.urls) expect(url).toMatch(/^https:/);
  await putValue(near.url, "key", "one", { ack: "all" });
  expect(await getText(far.url, "key")).toBe("one");

  const client = await connect({
    directory: cluster.directoryUrl,
    location: { lat: near.place.lat, lon: near.place.lon },
    fetch: clusterFetch,
  });
  expect(client.nodes.map(({ url }) => url)).toEqual([near.url, far.url]);
  await client.set("key", "two", { ack: "all" });

  await secure.renew();
  for (const { program } of [...cluster.directories, ...cluster.regions]) {
    program.signal("SIGHUP");
    await until("the certificates are read", () =>
      program.lines.some((line) => line.includes("certificates were read again")),
    );
  }
  expect(await client.get("key")).toBe("two");
  const closed = cluster.lines().filter((line) => line.includes("link to the directory closed"));
  expect(closed).toEqual([]);
  await putValue(far.url, "key", "three", { ack: "all" });
  expect(await getText(near.url, "key")).toBe("three");

  await near.program.kill();
  await client.set("key", "four");
  expect(await getText(far.url, "key")).toBe('"four"');
  client.close();

  const env = { MERIDIAN_DIRECTORY: cluster.directoryUrl, MERIDIAN_CA: secure.caFile };
  expect(await runCommand(["get", "key", "--node", far.url], env)).toMatch(/^0 .*four/);
  expect(await runCommand(["nodes"], env)).toContain("frankfurt");
  expect(await runCommand(["nodes"], { ...env, MERIDIAN_CA: "" })).toMatch(
    /^1 .*DIRECTORY_UNREACHABLE.*certificate/,
  );
  const { nodes } = await getJson<{ nodes: readonly { url: string }[] }>(
    `${cluster.directoryUrl}/nodes`,
  );
  expect(nodes.map(({ url }) => url)).toEqual(expect.arrayContaining([near.url, far.url]));
});
