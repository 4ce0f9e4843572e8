/** A stream that may not grow any more. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { openStreamLog } from "@meridian/log-jetstream";
import { encodeBlock } from "@meridian/protocol";
import { describe, expect, it, onTestFinished } from "vitest";

import { HAS_NATS, NATS_VERSION, NatsServers } from "../../support/nats-servers.ts";
import { LogFolder, logOptions } from "../../support/stream-logs.ts";

const ACCOUNT = `accounts { A { users: [{ user: u, password: p }], jetstream { max_store: 400KB } } }`;

describe.skipIf(!HAS_NATS)(`a log on nats-server ${NATS_VERSION} (needs nats-server)`, () => {
  it("says what to raise when its account of NATS has no room left", async () => {
    const servers = new NatsServers({ config: ACCOUNT });
    onTestFinished(() => servers.stop());
    await servers.start();
    const folder = new LogFolder();
    onTestFinished(() => folder.remove());
    const credentials = join(folder.path, "nats.credentials");
    writeFileSync(credentials, "u:p\n");
    const log = await openStreamLog(
      logOptions(servers, "full", folder.file("full"), { credentials }),
    );
    onTestFinished(() => log.abort());
    for (let after = 0; after < 8; after += 1) {
      const stamp = { time: after + 1, origin: 1 };
      const value = new Uint8Array(100_000);
      const entry = { key: "k", stamp, value, contentType: "a/b", expiresAtMs: 0, deleted: false };
      const order = { after, through: after + 1, incarnation: 7, position: after + 1 };
      const block = encodeBlock([entry]);
      log.append({ ...order, count: 1, highestTime: after + 1, block }, () => {});
    }
    await expect
      .poll(() => log.stall?.message)
      .toMatch(/its account of NATS has no room left; raise the account's `max_store`/);
    await expect.poll(() => log.committedThrough).toBeGreaterThan(0);
  });
});
