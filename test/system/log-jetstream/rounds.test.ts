/** A short part of `npm run hunt:log`. */
import { seededRandom } from "@meridian/runtime";
import { describe, expect, it } from "vitest";

import { killInRounds } from "../../log-rounds/rounds.ts";
import { HAS_NATS, NATS_VERSION } from "../../support/nats-servers.ts";

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("has all that was acknowledged when its leader, its writer and the directory beside it were killed under load", async () => {
    const { lost, first, counted } = await killInRounds({
      counting: 4,
      rounds: 3,
      victims: ["leader of the stream", "writing directory", "serving directory"],
      writers: 8,
      rate: 0,
      random: seededRandom(1),
    });
    expect(lost).toEqual([]);
    expect(counted.wrong).toEqual([]);
    expect(counted.done).toBeGreaterThan(0);
    // Snapshots were kept meanwhile, so what was read back came from one.
    expect(first).toBeGreaterThan(1);
  });
});
