import { expect, it, onTestFailed, onTestFinished } from "vitest";
import { NamespaceNetwork, ProxyNetwork } from "@meridian/harness";

import { Storm } from "../storm/storm.ts";

const ROUNDS = 6;
const WRITES_PER_SECOND = 500;
/** Drawn once; `npm run storm` draws others. */
const SEED = 11;

it("a storm over two directories and five regions loses no acknowledged write and undoes no delete", async () => {
  const network = NamespaceNetwork.isPossible ? new NamespaceNetwork() : new ProxyNetwork();
  const faults: string[] = [];
  const storm = new Storm({
    rounds: ROUNDS,
    rate: WRITES_PER_SECOND,
    seed: SEED,
    network,
    directories: 2,
    tell: (line) => faults.push(line),
  });
  onTestFinished(() => storm.dispose());
  onTestFailed(() => console.log(faults.join("\n"), storm.report()));
  const { wrong, bugs, counts, watches, digest } = await storm.run();
  expect([...wrong, ...bugs]).toEqual([]);
  expect(faults).toHaveLength(ROUNDS);
  expect(counts.acknowledged).toBeGreaterThan(WRITES_PER_SECOND);
  expect(counts.reads).toBeGreaterThan(0);
  expect(watches.resumed).toBeGreaterThan(0);
  expect(digest.count).toBeGreaterThan(0);
});
