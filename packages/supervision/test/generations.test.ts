import { fileURLToPath } from "node:url";

import { bundleSource } from "@meridian/source-bundle";
import { describe, expect, it } from "vitest";

import { Program } from "./program.ts";

const source = new URL("../src/generations.ts", import.meta.url);
const file = JSON.stringify(await bundleSource(fileURLToPath(source)));

const MIB = 1024 * 1024;

/** A program that keeps twenty thousand objects a turn, and prints the most bytes that a half of its young generation has had. */
const FILLING = `
  const { getHeapSpaceStatistics } = await import("node:v8");
  const capacity = () => {
    const young = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
    return young.space_used_size + young.space_available_size;
  };
  const kept = [];
  let most = 0;
  for (let turn = 0; turn < 40; turn += 1) {
    for (let index = 0; index < 20_000; index += 1) kept.push({ index, of: { turn } });
    await new Promise((resolve) => setImmediate(resolve));
    most = Math.max(most, capacity());
  }
  console.log("most", most);`;

/** A program that keeps some 70 MiB and replaces all of them again and again, and prints the most that its heap has had, as a multiple of what it keeps. */
const REPLACING = `
  const { getHeapStatistics } = await import("node:v8");
  const bytes = () => getHeapStatistics().used_heap_size;
  const kept = [];
  let made = 0;
  const make = () => ({ made: (made += 1.5), of: [made, made + 0.5, made + 0.25] });
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  while (kept.length < 500_000) {
    kept.push(make());
    if (kept.length % 10_000 === 0) await turn();
  }
  let most = 0;
  for (let round = 0; round < 5; round += 1) {
    for (let index = 0; index < kept.length; index += 1) {
      kept[(index * 7_919) % kept.length] = make();
      if (index % 10_000 !== 0) continue;
      // What V8 decided while the heap was small holds through the first rounds.
      if (round > 2) most = Math.max(most, bytes());
      await turn();
    }
  }
  gc();
  const inUse = bytes();
  console.log("in use", inUse, "most", most, "of", kept.length);`;

async function mostOf(beginning: string): Promise<number> {
  const program = new Program(`${beginning};${FILLING}`);
  expect(await program.ended()).toBe("ended by exit 0");
  return Number(/most (\d+)/.exec(program.output)?.[1]);
}

describe("the young generation of a program that keeps all that it makes", () => {
  it("grows to halves of 16 MiB where nothing bounds it", async () => {
    expect(await mostOf("")).toBeGreaterThan(12 * MIB);
  });

  it("grows to halves of 4 MiB, and no further", async () => {
    const most = await mostOf(`(await import(${file})).boundGenerations()`);
    expect(most).toBeGreaterThan(2 * MIB);
    expect(most).toBeLessThanOrEqual(4 * MIB);
  });

  it("is collected by one thread", async () => {
    const bound = `(await import(${file})).boundGenerations()`;
    const traced = `(await import("node:v8")).setFlagsFromString("--trace-gc-nvp")`;
    const program = new Program(`${bound};${traced};${FILLING}`);
    expect(await program.ended()).toBe("ended by exit 0");
    const helped = [...program.output.matchAll(/gc=s .*background\.scavenge\.parallel=([\d.]+)/g)];
    expect(helped.length).toBeGreaterThan(3);
    expect(helped.map(([, ms]) => Number(ms)).filter((ms) => ms > 0)).toEqual([]);
  });
});

describe("the old generation of a program that keeps much and replaces it", () => {
  it("grows by about half between two collections", async () => {
    const exposed = `(await import("node:v8")).setFlagsFromString("--expose-gc");
      globalThis.gc = (await import("node:vm")).runInNewContext("gc")`;
    const program = new Program(
      `(await import(${file})).boundGenerations();${exposed};${REPLACING}`,
    );
    expect(await program.ended()).toBe("ended by exit 0");
    const [, inUse, most] = /in use (\d+) most (\d+)/.exec(program.output)?.map(Number) ?? [];
    expect(inUse).toBeGreaterThan(64 * MIB);
    // Without the bound it is above 4.
    expect((most ?? Infinity) / (inUse ?? 0)).toBeLessThan(2.5);
  });
});
