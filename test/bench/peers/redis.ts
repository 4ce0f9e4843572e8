/** redis-server as a contender, alone, behind webdis, and with replicas. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "@meridian/local-cluster";
import { Redis } from "ioredis";

import { freePort } from "../../support/free-port.ts";
import { missedKey, missedValue, type WithAbsentee } from "./catch-up-row.ts";
import type { HttpServed } from "./http-row.ts";
import type { Killable } from "./kill-row.ts";
import type { Filled } from "./memory-row.ts";
import { putScript } from "./put-script.ts";
import type { Replicated } from "./replication-row.ts";
import type { PeerProcess, Workplace } from "./workplace.ts";

/** What an acknowledged write of redis survives: `everysec` the death of the process, `always` a power cut. */
export type AppendFsync = "everysec" | "always";

const BATCH = 1_000;
/** So much of what a replica misses is kept for it: more than any row writes while one is away. */
const BACKLOG = "256mb";

/** One redis-server with an append-only file. It can be killed and started again on its files. */
export class RedisServer {
  readonly #workplace: Workplace;
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly port: number;
  /** The connection of this process. */
  readonly client: Redis;
  #process: PeerProcess | undefined;

  private constructor(workplace: Workplace, port: number, args: readonly string[]) {
    this.#workplace = workplace;
    this.#folder = workplace.folder("redis");
    this.#args = args;
    this.port = port;
    // The connection is tried again until the server is there. What comes of it must not be delayed while the server loads its files.
    const retry = { retryStrategy: () => 5, maxRetriesPerRequest: null, enableReadyCheck: false };
    this.client = new Redis({ host: "127.0.0.1", port, lazyConnect: true, ...retry });
    this.client.on("error", () => {});
  }

  /** Starts a server. Resolves once it answers. */
  static async start(
    workplace: Workplace,
    fsync: AppendFsync,
    more: readonly string[] = [],
  ): Promise<RedisServer> {
    const args = ["--appendonly", "yes", "--appendfsync", fsync, ...more];
    const server = new RedisServer(workplace, await freePort(), args);
    server.spawn();
    await server.client.connect().catch(() => {});
    await server.answers();
    return server;
  }

  get pid(): number {
    return this.#process?.pid ?? NaN;
  }

  /** Starts the process on the files of the one before. */
  spawn(): void {
    const place = ["--port", String(this.port), "--bind", "127.0.0.1", "--dir", this.#folder];
    const command = ["redis-server", ...place, "--save", "", "--daemonize", "no", ...this.#args];
    this.#process = this.#workplace.spawn("redis-server", command);
  }

  /** Resolves once the server answers and has loaded its files. */
  async answers(): Promise<void> {
    await until("redis-server answers", async () => (await this.client.ping()) === "PONG");
  }

  /** Asks the process to end, or kills it, and resolves once it has ended. */
  async end(how: "SIGTERM" | "SIGKILL"): Promise<void> {
    if (how === "SIGTERM") await this.#process?.stop();
    else await this.#process?.kill();
  }

  /** One of the fields of `INFO`. */
  async info(section: string, field: string): Promise<string | undefined> {
    const text = await this.client.info(section);
    return new RegExp(`^${field}:(.*?)\\r?$`, "m").exec(text)?.[1];
  }

  async stop(): Promise<void> {
    this.client.disconnect();
    await this.end("SIGTERM");
  }
}

/** Writes `count` keys of the row of catching up. */
async function writeMissed(client: Redis, count: number, mark: string, first = 0): Promise<void> {
  const value = missedValue(mark);
  for (let from = first; from < count; from += BATCH) {
    const pipeline = client.pipeline();
    for (let index = from; index < Math.min(from + BATCH, count); index += 1) {
      pipeline.set(missedKey(index), value);
    }
    await pipeline.exec();
  }
}

/** A primary and two replicas. The sets go to the primary, the last replica is asked. */
export class RedisReplicas implements Replicated, WithAbsentee {
  readonly #servers: readonly RedisServer[];

  private constructor(servers: readonly RedisServer[]) {
    this.#servers = servers;
  }

  /** Starts all. Resolves once both replicas follow the primary. */
  static async start(workplace: Workplace): Promise<RedisReplicas> {
    const backlog = ["--repl-backlog-size", BACKLOG, "--repl-diskless-sync-delay", "0"];
    const primary = await RedisServer.start(workplace, "everysec", backlog);
    const of = ["--replicaof", "127.0.0.1", String(primary.port), ...backlog];
    const replicas = [1, 2].map(() => RedisServer.start(workplace, "everysec", of));
    const all = new RedisReplicas([primary, ...(await Promise.all(replicas))]);
    for (const replica of all.#servers.slice(1)) {
      await until("the replica follows", async () => {
        return (await replica.info("replication", "master_link_status")) === "up";
      });
    }
    return all;
  }

  get pids(): readonly number[] {
    return this.#servers.map(({ pid }) => pid);
  }

  async set(key: string, value: string): Promise<void> {
    await this.#primary.client.set(key, value);
  }

  async read(_: number, key: string): Promise<string | undefined> {
    return (await this.#last.client.get(key)) ?? undefined;
  }

  async leave(): Promise<void> {
    await this.#last.end("SIGTERM");
  }

  async write(count: number, mark: string): Promise<void> {
    await writeMissed(this.#primary.client, count, mark);
    await until("a replica has all", async () => (await this.#primary.client.wait(1, 1_000)) > 0);
  }

  async rejoin(count: number, mark: string): Promise<void> {
    this.#last.spawn();
    const key = missedKey(count - 1);
    const value = missedValue(mark);
    const has = async (): Promise<boolean> => {
      // While it loads its files it refuses.
      return (await this.#last.client.get(key).catch(() => null)) === value;
    };
    while (!(await has())) await new Promise((resolve) => setTimeout(resolve, 2));
  }

  async stop(): Promise<void> {
    for (const server of this.#servers.toReversed()) await server.stop();
  }

  get #primary(): RedisServer {
    const [primary] = this.#servers;
    if (primary === undefined) throw new Error("Expected a primary");
    return primary;
  }

  get #last(): RedisServer {
    const last = this.#servers.at(-1);
    if (last === undefined) throw new Error("Expected a replica");
    return last;
  }
}

const VALUE = "v".repeat(100);

/** redis-server behind webdis, which speaks HTTP. It is asked for a value of 100 bytes, or written to. */
export async function serveWebdis(
  workplace: Workplace,
  fsync: AppendFsync,
  does: "GET" | "PUT",
): Promise<HttpServed> {
  const redis = await RedisServer.start(workplace, fsync);
  const port = await freePort();
  const folder = workplace.folder("webdis");
  const config = join(folder, "webdis.json");
  const settings = {
    redis_host: "127.0.0.1",
    redis_port: redis.port,
    http_host: "127.0.0.1",
    http_port: port,
    // As in Debian's settings.
    threads: 2,
    daemonize: false,
    database: 0,
    verbosity: 0,
    logfile: join(folder, "webdis.log"),
  };
  writeFileSync(config, JSON.stringify(settings));
  const webdis = workplace.spawn("webdis", ["webdis", config]);
  const base = `http://127.0.0.1:${port}`;
  const url = `${base}/GET/bench-key-000.txt`;
  const check = async (): Promise<void> => {
    const put = { method: "PUT", body: VALUE };
    const answer = await until("webdis answers", async () => {
      return (await fetch(`${base}/SET/bench-key-000`, put)).text();
    });
    const got = await (await fetch(url)).text();
    const stored = await redis.client.get("bench-key-000");
    if (answer.includes("OK") && got === VALUE && stored === VALUE) return;
    throw new Error(`Expected the value that was set, got \`${got}\` after \`${answer}\``);
  };
  const stop = async (): Promise<void> => {
    await webdis.stop();
    await redis.stop();
  };
  const script = does === "PUT" ? putScript(workplace, "/SET/") : undefined;
  return { url, script, pids: [webdis.pid ?? NaN, redis.pid], check, stop };
}

/** A server that is filled. */
export async function fillRedis(workplace: Workplace): Promise<Filled> {
  const redis = await RedisServer.start(workplace, "everysec");
  return {
    pids: [redis.pid],
    fill: (from, to) => writeMissed(redis.client, to, "filled", from),
    liveBytes: async () => Number(await redis.info("memory", "used_memory")),
    stop: () => redis.stop(),
  };
}

/** A server that is killed. */
export class KillableRedis implements Killable {
  readonly #redis: RedisServer;
  /** Of one life of the server: ioredis would send again, on its next connection, what was not answered. */
  #client: Redis;

  private constructor(redis: RedisServer) {
    this.#redis = redis;
    this.#client = this.#connect();
  }

  static async start(workplace: Workplace, fsync: AppendFsync): Promise<KillableRedis> {
    return new KillableRedis(await RedisServer.start(workplace, fsync));
  }

  async set(key: string, value: string): Promise<void> {
    await this.#client.set(key, value);
  }

  async kill(): Promise<void> {
    await this.#redis.end("SIGKILL");
    this.#client.disconnect();
  }

  async restart(): Promise<void> {
    this.#redis.spawn();
    await this.#redis.answers();
    this.#client = this.#connect();
  }

  async read(key: string): Promise<string | undefined> {
    return (await this.#client.get(key)) ?? undefined;
  }

  async stop(): Promise<void> {
    this.#client.disconnect();
    await this.#redis.stop();
  }

  #connect(): Redis {
    const client = new Redis({
      host: "127.0.0.1",
      port: this.#redis.port,
      retryStrategy: () => null,
    });
    client.on("error", () => {});
    return client;
  }
}
