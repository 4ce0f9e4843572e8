/** What a directory tells those who watch its nodes, of frames and of progress. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import { expect, it, onTestFinished } from "vitest";

/** Hears events from here on. */
function hear(url: string): { readonly events: (name: string) => readonly unknown[] } {
  const heard: { readonly name: string; readonly data: unknown }[] = [];
  const controller = new AbortController();
  onTestFinished(() => controller.abort());
  void (async () => {
    const answer = await fetch(url, { signal: controller.signal });
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of answer.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split("\n\n");
      text = blocks.pop() ?? "";
      for (const block of blocks) {
        const [, name = "", data = ""] = /^event: (.*)\ndata: (.*)$/m.exec(block) ?? [];
        if (name !== "") heard.push({ name, data: JSON.parse(data) });
      }
    }
  })().catch(() => {
    // The test has ended.
  });
  return {
    events: (name) => heard.filter((each) => each.name === name).map(({ data }) => data),
  };
}

it("frames are told of with who sent and who got them, and progress, to those who ask for it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-progress-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const directory = await startSmallDirectory({ data: join(folder, "directory") });
  onTestFinished(() => directory.stop());
  const [oslo, rome] = await Promise.all(
    ["oslo", "rome"].map((id) =>
      startSmallRegion({ id, data: join(folder, id), directory: directory.url }),
    ),
  );
  if (oslo === undefined || rome === undefined) throw new Error("no regions");
  onTestFinished(() => oslo.stop());
  onTestFinished(() => rome.stop());
  await until("both are ready", () => oslo.status === "ready" && rome.status === "ready");

  const asked = hear(`${directory.url}/nodes/watch?progress=true`);
  const plain = hear(`${directory.url}/nodes/watch`);
  await until("both hear", () => [asked, plain].every((each) => each.events("nodes").length > 0));
  await fetch(`${oslo.url}/cache/k`, { method: "PUT", body: "v" });
  await until("frames are told of", () => asked.events("frames").length > 0);
  expect(asked.events("frames")[0]).toEqual({ from: { oslo: 1 }, to: { rome: 1 }, reached: 1 });
  await until("rome's progress is told of", () =>
    asked.events("progress").some((told) => JSON.stringify(told).includes('"id":"rome","lagMs":0')),
  );
  expect([...plain.events("frames"), ...plain.events("progress")]).toEqual([]);
  const refused = await fetch(`${directory.url}/nodes/watch?progress=1`);
  expect([refused.status, await refused.json()]).toMatchObject([400, { code: "INVALID_ARGUMENT" }]);
});

it("who watches the nodes is told when the link of a directory that is followed comes and goes, which has no nodes", async () => {
  const folder = mkdtempSync(join(tmpdir(), "meridian-peers-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const other = await startSmallDirectory({ data: join(folder, "other") });
  const port = Number(new URL(other.url).port);
  const own = await startSmallDirectory({ data: join(folder, "own"), peer: [other.url] });
  onTestFinished(() => own.stop());
  await until("the link is there", async () => {
    const answer = await fetch(`${own.url}/status`);
    const { peers } = (await answer.json()) as { readonly peers: { connected: boolean }[] };
    return peers[0]?.connected;
  });
  const told = hear(`${own.url}/nodes/watch`);
  await until("it hears", () => told.events("nodes").length > 0);
  const isTold = (connected: boolean) =>
    until(`it is told of ${connected}`, () => {
      const last = told.events("directories").at(-1);
      return JSON.stringify(last) === JSON.stringify({ peers: [{ name: other.url, connected }] });
    });
  await other.stop();
  await isTold(false);
  const again = await startSmallDirectory({ data: join(folder, "other"), port });
  onTestFinished(() => again.stop());
  await isTold(true);
  expect(told.events("nodes")).toEqual([{ nodes: [] }]);
});
