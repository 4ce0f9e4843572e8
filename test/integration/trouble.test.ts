/** What is wrong with a cluster, as a directory and a region tell it over HTTP. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startDirectory } from "@meridian/directory";
import { startSmallRegion, until } from "@meridian/harness";
import { checkAnswer, trouble, type Described } from "@meridian/protocol/http-api";
import { silentLogger } from "@meridian/runtime";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "meridian-trouble-"));
const common = { cluster: "test", logger: silentLogger, port: 0 };
const second = await startDirectory({ ...common, data: join(folder, "second") });
const first = await startDirectory({
  ...common,
  data: join(folder, "first"),
  peer: [second.url, "http://127.0.0.1:1"],
});
const regions = await Promise.all(
  ["oslo", "rome"].map((id) =>
    startSmallRegion({
      ...common,
      id,
      // Rome is told under an address at which nothing answers.
      ...(id === "rome" && { url: "http://127.0.0.1:1" }),
      directory: [first.url],
      data: join(folder, id),
    }),
  ),
);
afterAll(async () => {
  for (const program of [...regions, first, second]) await program.stop();
  rmSync(folder, { recursive: true });
});

async function troubleAt(url: string): Promise<Described<typeof trouble>> {
  return checkAnswer(trouble, await (await fetch(`${url}/trouble`)).json(), url);
}

it("a directory asks all programs, and says of each what is wrong and what to do", async () => {
  for (const region of regions) await until("it is ready", () => region.status === "ready");
  const { complaints, directories, nodes } = await troubleAt(first.url);
  expect([directories, nodes]).toEqual([3, 2]);
  const said = complaints.map(({ kind, who }) => `${kind} ${who}`);
  expect(said).toContain("directory-unreachable http://127.0.0.1:1");
  expect(said).toContain("node-unreachable rome");
  expect(said.filter((each) => each.endsWith(" oslo"))).toEqual([]);
  for (const { what, remedy } of complaints) expect(`${what} ${remedy}`).toMatch(/^[A-Z].*\.$/s);
});

it("who asks again meanwhile gets the same answer", async () => {
  const [one, other] = await Promise.all([troubleAt(first.url), troubleAt(first.url)]);
  expect(other).toEqual(one);
});

it("a region says what is wrong with itself", async () => {
  const [oslo] = regions;
  expect(await troubleAt(oslo?.url ?? "")).toMatchObject({ nodes: 1, complaints: [] });
});
