import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { systemRandom, silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, it, onTestFinished, vi } from "vitest";

import { DirectoryLearner } from "../src/directory-learner.ts";

/** What answers `/status` as a directory. */
class Answering {
  readonly #server: Server;
  body: Record<string, unknown> = {};

  constructor() {
    this.#server = createServer((_, response) => response.end(JSON.stringify(this.body)));
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => this.close());
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function learnerOf(directories: string[]) {
  const clock = new ManualClock();
  const kept: (readonly string[])[] = [];
  const onNew = vi.fn<() => void>();
  const learner = new DirectoryLearner({
    directories,
    cluster: "c",
    credentials: () => ({}),
    clock,
    random: systemRandom,
    logger: silentLogger,
    onNew,
    keep: (found) => void kept.push(found),
  });
  learner.start();
  onTestFinished(() => learner.stop());
  return { clock, kept, onNew, learner };
}

it("a region learns of the directories that those it knows name, each once, whatever it was called by", async () => {
  const [first, second] = [new Answering(), new Answering()];
  const [a, b] = [await first.listen(), await second.listen()];
  // The first is known to the others by another name than it was asked by.
  const named = "http://first.example:7400";
  first.body = { logId: 1, cluster: "c", url: named, peers: [], beside: [] };
  second.body = { logId: 1, cluster: "c", url: b, peers: [], beside: [{ url: named }] };
  const directories = [a];
  const { clock, kept, onNew, learner } = learnerOf(directories);
  clock.advance(7_500);
  await vi.waitFor(() => expect(clock.timers).toBe(1));
  expect([directories, onNew.mock.calls.length]).toEqual([[a], 0]);
  first.body["beside"] = [{ url: b }, { url: 5 }, null];
  clock.advance(45_000);
  await vi.waitFor(() => expect(directories).toEqual([a, b]));
  expect(onNew).toHaveBeenCalledTimes(1);
  await vi.waitFor(() => expect(kept).toEqual([[a, b]]));
  await vi.waitFor(() => expect(clock.timers).toBe(1));
  await second.close();
  first.body["beside"] = [];
  clock.advance(45_000);
  await vi.waitFor(() => expect(learner.present).toEqual([a]));
  // It stays known, in case the first is lost before it is back.
  expect(directories).toEqual([a, b]);
});

it("a region that nobody answers, or that one of another cluster answers, keeps what it knows", async () => {
  const other = new Answering();
  const url = await other.listen();
  other.body = { logId: 1, cluster: "d", beside: [{ url: "http://10.0.0.1:7400" }] };
  const directories = [url, "http://127.0.0.1:1"];
  const { clock, kept, learner } = learnerOf(directories);
  clock.advance(7_500);
  await vi.waitFor(() => expect(clock.timers).toBe(1));
  expect([directories.length, learner.present.length, kept]).toEqual([2, 2, []]);
});
