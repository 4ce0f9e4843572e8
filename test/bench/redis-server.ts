import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "@meridian/harness";
import { Redis } from "ioredis";

/** A redis-server of this machine that keeps its data in memory, and a client that is connected to it. */
export class RedisServer {
  readonly client: Redis;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, folder: string, client: Redis) {
    this.#child = child;
    this.#folder = folder;
    this.client = client;
  }

  /** Starts redis-server. Resolves to undefined if it is not installed. */
  static async start(): Promise<RedisServer | undefined> {
    const folder = mkdtempSync(join(tmpdir(), "meridian-redis-"));
    const path = join(folder, "redis.sock");
    const settings = ["--port", "0", "--unixsocket", path, "--save", "", "--dir", folder];
    const child = spawn("redis-server", settings, { stdio: "ignore" });
    const [failure] = (await Promise.race([
      once(child, "spawn"),
      once(child, "error").then(() => ["missing"]),
    ])) as unknown[];
    if (failure !== undefined) {
      rmSync(folder, { recursive: true, force: true });
      return undefined;
    }
    const client = new Redis({ path, retryStrategy: () => 50, maxRetriesPerRequest: null });
    client.on("error", () => {});
    await until("redis-server answers", async () => (await client.ping()) === "PONG");
    return new RedisServer(child, folder, client);
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    if (this.#child.exitCode === null) {
      const ended = once(this.#child, "exit");
      this.#child.kill();
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
