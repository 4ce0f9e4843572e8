/**
 * The index against geolib's own ways to find what is nearest. The answers are compared before anything is
 * timed, up to 10 000 nodes (beyond, geolib takes seconds). Run it with `npm run bench -w @meridian/geo`.
 */
import { findNearest, orderByDistance } from "geolib";

import { NearestIndex, type Placed } from "@meridian/geo";
import type { Coordinates } from "@meridian/protocol";

import { seeded } from "../test/seeded.ts";

const random = seeded(1);

function randomPlace(): Coordinates {
  const lat = (Math.asin(2 * random() - 1) * 180) / Math.PI;
  return { lat, lon: random() * 360 - 180 };
}

/** Microseconds a call, the best of five runs of `totalMs / 5` each. */
function time(call: (query: number) => void, totalMs: number): number {
  let best = Infinity;
  for (let run = 0; run < 5; run += 1) {
    const start = performance.now();
    let calls = 0;
    let spentMs = 0;
    do {
      call(calls);
      calls += 1;
      // Reading the clock costs more than the fastest of the calls.
      if (calls % 16 === 0 || spentMs === 0) spentMs = performance.now() - start;
    } while (spentMs < totalMs / 5);
    best = Math.min(best, ((performance.now() - start) * 1_000) / calls);
  }
  return best;
}

const shown = (micros: number): string => micros.toPrecision(3).padStart(12);

console.log("µs a query (best of 5 runs)");
console.log(
  "  nodes   index, nearest 1  nearest 3  nearest 100   geolib.findNearest  orderByDistance",
);
for (const count of [3, 10, 30, 100, 1_000, 4_000, 10_000, 100_000]) {
  const nodes = Array.from({ length: count }, (_, number) => ({
    id: `n-${number}`,
    ...randomPlace(),
  }));
  const index = new NearestIndex<Placed>();
  for (const node of nodes) index.set(node, node);
  const queries = Array.from({ length: 64 }, randomPlace);
  const from = (query: number): Coordinates =>
    queries[query % queries.length] ?? { lat: 0, lon: 0 };

  const checked = count <= 1_000 ? 16 : 1;
  for (let query = 0; query < checked && count <= 10_000; query += 1) {
    const expected = orderByDistance(from(query), nodes).slice(0, 3) as unknown as { id: string }[];
    const found = index.nearest(from(query), 3);
    if (expected.some(({ id }, at) => id !== found[at]?.node.id)) {
      throw new Error(`different answers for ${count} nodes at ${JSON.stringify(from(query))}`);
    }
  }
  const columns = [1, 3, 100].map((limit) =>
    shown(time((query) => index.nearest(from(query), limit), 200)),
  );
  const peers = [findNearest, orderByDistance].map((peer) =>
    count <= 1_000 ? shown(time((query) => peer(from(query), nodes), 200)) : "           –",
  );
  console.log(`${String(count).padStart(7)}    ${columns.join(" ")}   ${peers.join("      ")}`);
}
