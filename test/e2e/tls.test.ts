/** A whole cluster over TLS, whose directory asks for certificates and tokens: programs, links, SDK and command. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { runCli } from "@meridian/cli";
import { connect } from "@meridian/client";
import {
  clusterFetch,
  FIVE_PLACES,
  getJson,
  getText,
  makeCredentials,
  putValue,
  request,
  showToken,
  startCluster,
  until,
} from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

/** Runs the command in this process, and returns all that it says. */
async function runCommand(
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<string> {
  let said = "";
  const write = (data: string | Uint8Array): void => {
    said += Buffer.from(data as string).toString();
  };
  const io = { stdout: { write }, stderr: { write }, stdin: undefined, env, colour: false };
  return `${await runCli(argv, io)} ${said}`;
}

/** Makes tokens by the command, and what programs are told of them. */
async function makeTokens(): Promise<{
  readonly args: readonly string[];
  tokenOf(scope: string): Promise<string>;
}> {
  const parent = mkdtempSync(join(tmpdir(), "meridian-secrets-"));
  onTestFinished(() => rmSync(parent, { recursive: true }));
  const folder = join(parent, "secrets");
  expect(await runCommand(["init", folder])).toMatch(/^0 /);
  const tokenOf = async (scope: string, ...more: readonly string[]): Promise<string> => {
    const argv = ["token", "create", "--folder", folder, "--scope", scope, ...more];
    const said = await runCommand(argv);
    return said.replace(/^0 /, "").trim();
  };
  const file = join(parent, "node.token");
  writeFileSync(file, await tokenOf("node", "--node", "*"));
  const args = [`--token-keys=${join(folder, "token-keys.json")}`, `--token-file=${file}`];
  return { args, tokenOf };
}

it("what one region takes is in the other, through a renewal, a revocation and the death of a region", async () => {
  const made = await makeCredentials();
  const tokens = await makeTokens();
  const admin = await tokens.tokenOf("admin");
  showToken(admin);
  const secure = { ...made, args: [...made.args, ...tokens.args] };
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

  const env = {
    MERIDIAN_DIRECTORY: cluster.directoryUrl,
    MERIDIAN_CA: secure.caFile,
    MERIDIAN_TOKEN: admin,
  };
  const stolen = await tokens.tokenOf("read");
  const statusAt = async (url: string): Promise<number> =>
    (await request(url, { headers: { authorization: `Bearer ${stolen}` } })).status;
  const everywhere = [
    `${near.url}/cache/key`,
    `${far.url}/cache/key`,
    `${cluster.directoryUrl}/nodes`,
  ];
  expect(await Promise.all(everywhere.map(statusAt))).toEqual([200, 200, 200]);
  expect(await runCommand(["token", "revoke", stolen, "--node", near.url], env)).toMatch(
    /^0 Revoked \w+, until /,
  );
  await until("it is good nowhere", async () =>
    (await Promise.all(everywhere.map(statusAt))).every((status) => status === 401),
  );
  const { jti } = JSON.parse(Buffer.from(stolen.split(".")[1] ?? "", "base64url").toString()) as {
    jti: string;
  };
  expect(await runCommand(["token", "list", "--node", far.url], env)).toContain(jti);

  await near.program.kill();
  await client.set("key", "four");
  expect(await getText(far.url, "key")).toBe('"four"');
  client.close();

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
