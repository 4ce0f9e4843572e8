/** Opens logs over streams of nats-servers, for tests. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { StreamLog, StreamLogOptions } from "@meridian/log-jetstream";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";

import type { NatsServers } from "./nats-servers.ts";

/** A folder for databases, which are gone with it. */
export class LogFolder {
  readonly path: string = mkdtempSync(join(tmpdir(), "meridian-stream-log-"));

  /** The file of the database `name`. */
  file(name: string): string {
    return join(this.path, name, "directory.db");
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}

/** Options for a log in the stream of `cluster`. */
export function logOptions(
  servers: Pick<NatsServers, "url">,
  cluster: string,
  path: string,
  more: Partial<StreamLogOptions> = {},
): StreamLogOptions {
  return {
    address: servers.url,
    credentials: null,
    replicas: null,
    tls: { caFile: null, certFile: null, keyFile: null },
    cluster,
    store: {
      path,
      durability: "process",
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      tuning: { sweepEveryMs: 2 },
    },
    onLost: () => {},
    ...more,
  };
}

/** Resolves when a log has folded everything, and purged everything that it may. */
export async function idle({ state }: StreamLog): Promise<void> {
  for (;;) {
    const { unfoldedEntries, pendingRecords, purging } = state.stats();
    if (unfoldedEntries === 0 && pendingRecords === 0 && !purging) return;
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
