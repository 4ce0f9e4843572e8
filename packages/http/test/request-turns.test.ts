import { expect, it } from "vitest";

import { RequestTurns, type ByteCounts } from "../src/request-turns.ts";

const MEBIBYTE = 1024 * 1024;

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function start(): {
  readonly turns: RequestTurns;
  readonly clock: { nowMs: number };
  readonly served: string[];
  readonly wait: (name: string, connection?: ByteCounts) => void;
} {
  const clock = { nowMs: 0 };
  const turns = new RequestTurns({ elapsedMs: () => clock.nowMs });
  const served: string[] = [];
  const wait = (name: string, connection?: ByteCounts): void =>
    turns.wait(() => void served.push(name), connection);
  return { turns, clock, served, wait };
}

it("who asks for little does not wait for hundreds who have moved much", async () => {
  const { served, wait } = start();
  for (let index = 0; index < 300; index += 1) wait("much", { bytesWritten: MEBIBYTE });
  wait("little", { bytesRead: 100, bytesWritten: 200 });
  await settled();
  expect(served.indexOf("little")).toBeLessThan(2);
});

it("who has moved much is served all the same, however many ask for little", async () => {
  const { served, wait } = start();
  wait("much", { bytesRead: MEBIBYTE });
  for (let index = 0; index < 300; index += 1) wait("little");
  await settled();
  expect(served.indexOf("much")).toBeLessThan(4);
});

it("what was moved long ago does not count", async () => {
  const { clock, served, wait } = start();
  const connection = { bytesRead: 0, bytesWritten: MEBIBYTE };
  const order = async (): Promise<string[]> => {
    served.length = 0;
    wait("it", connection);
    wait("other");
    for (let turn = 0; turn < 5 && served.length < 2; turn += 1) await settled();
    return [...served];
  };
  expect(await order()).toEqual(["other", "it"]);
  clock.nowMs = 15_000;
  expect(await order()).toEqual(["other", "it"]);
  clock.nowMs = 26_000;
  expect(await order()).toEqual(["it", "other"]);
});
