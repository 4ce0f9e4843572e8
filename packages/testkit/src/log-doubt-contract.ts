import type { DirectoryLog } from "@meridian/ports";
import { expect, it } from "vitest";

import { saveDoubt } from "./log-records.ts";
import type { StoreHarness } from "./store-harness.ts";

/** Describes what a log keeps of what it may lack. */
export function describeDoubt<L extends DirectoryLog>(
  harness: StoreHarness<L>,
  nextName: () => string,
): void {
  it("keeps a doubt until it is taken back", async () => {
    const name = nextName();
    let log = await harness.open(name);
    expect(log.doubt).toBeNull();
    for (const doubt of [{ why: "a node knew more", sinceMs: 1_700_000_000_000.5 }, null]) {
      await saveDoubt(log, doubt);
      expect(log.doubt).toEqual(doubt);
      await harness.close(log);
      log = await harness.open(name);
      expect(log.doubt).toEqual(doubt);
    }
    await harness.close(log);
  });
}
