/** nats-server with a key-value bucket in files as a contender: one server, or three that hold three copies. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import { until } from "@meridian/local-cluster";

import { freePort } from "../../support/free-port.ts";
import { missedKey, missedValue, type WithAbsentee } from "./catch-up-row.ts";
import type { Killable } from "./kill-row.ts";
import type { Filled } from "./memory-row.ts";
import { NatsConnection } from "./nats-connection.ts";
import type { Replicated } from "./replication-row.ts";
import type { PeerProcess, Workplace } from "./workplace.ts";

const BUCKET = "KV_bench";
/** How many sets of a bulk may wait for their answer. */
const WINDOW = 500;
/** Servers choose a leader for some seconds after their start. */
const LEADER_MS = 60_000;

/** A bucket as NATS' clients make it: one value for each key, deletes leave a mark, any server may be asked. */
function bucket(replicas: number): Readonly<Record<string, unknown>> {
  return {
    name: BUCKET,
    subjects: ["$KV.bench.>"],
    retention: "limits",
    storage: "file",
    discard: "new",
    max_consumers: -1,
    max_msgs: -1,
    max_bytes: -1,
    max_msgs_per_subject: 1,
    num_replicas: replicas,
    allow_direct: true,
    allow_rollup_hdrs: true,
    deny_delete: true,
  };
}

interface Ports {
  readonly client: number;
  readonly monitor: number;
  readonly cluster: number;
}

/** Subjects have dots where keys have slashes. */
function subjectOf(key: string): string {
  return `$KV.bench.${key.replaceAll("/", ".")}`;
}

/** Servers with one bucket, of which each holds a copy. */
export class NatsServers implements Replicated, WithAbsentee {
  readonly #workplace: Workplace;
  readonly #configs: readonly string[];
  readonly #ports: readonly Ports[];
  readonly #processes: PeerProcess[] = [];
  #writer: NatsConnection | undefined;
  #reader: NatsConnection | undefined;

  private constructor(workplace: Workplace, ports: readonly Ports[]) {
    this.#workplace = workplace;
    this.#ports = ports;
    this.#configs = ports.map((own, index) => {
      const folder = workplace.folder("nats");
      const routes = ports.map(({ cluster }) => `"nats-route://127.0.0.1:${cluster}"`).join(", ");
      const cluster = `cluster { name: bench, listen: "127.0.0.1:${own.cluster}", routes: [${routes}] }`;
      const lines = [
        `server_name: server-${index + 1}`,
        `listen: "127.0.0.1:${own.client}"`,
        `http: "127.0.0.1:${own.monitor}"`,
        `jetstream { store_dir: "${folder}", max_mem: 1GB, max_file: 8GB }`,
        ...(ports.length > 1 ? [cluster] : []),
      ];
      const config = join(folder, "nats.conf");
      writeFileSync(config, `${lines.join("\n")}\n`);
      return config;
    });
  }

  /** Starts servers. Resolves once the bucket is there. */
  static async start(workplace: Workplace, count: number): Promise<NatsServers> {
    const ports: Ports[] = [];
    for (let index = 0; index < count; index += 1) {
      const [client, monitor, cluster] = [await freePort(), await freePort(), await freePort()];
      ports.push({ client, monitor, cluster });
    }
    const servers = new NatsServers(workplace, ports);
    for (let index = 0; index < count; index += 1) servers.spawn(index);
    await servers.connect();
    await until(
      "the bucket is made",
      async () =>
        (await servers.#write.ask(`STREAM.CREATE.${BUCKET}`, bucket(count))) !== undefined,
      LEADER_MS,
    );
    await servers.answers();
    return servers;
  }

  /** Starts the process of a server on the files of the one before. */
  spawn(index: number): void {
    const command = ["nats-server", "-c", this.#configs[index] ?? ""];
    this.#processes[index] = this.#workplace.spawn("nats-server", command);
  }

  /** Connects this process: it writes at the first server, and reads at the last. */
  async connect(): Promise<void> {
    this.#writer = await this.#connected(0);
    this.#reader = await this.#connected(this.#ports.length - 1);
  }

  /** Resolves once the last server answers reads. */
  async answers(): Promise<void> {
    const asks = async (): Promise<boolean> => (await this.read(0, "none")) === undefined;
    await until("the bucket is there", asks, LEADER_MS);
  }

  get pids(): readonly number[] {
    return this.#processes.filter(({ isRunning }) => isRunning).map(({ pid }) => pid ?? NaN);
  }

  /** Kills a server as `kill -9` does. */
  async kill(index: number): Promise<void> {
    await this.#processes[index]?.kill();
  }

  async set(key: string, value: string): Promise<void> {
    const { body, status } = await this.#write.request(subjectOf(key), value);
    const { error } = (status === "" ? JSON.parse(body) : { error: status }) as {
      readonly error?: unknown;
    };
    if (error !== undefined) throw new Error(`Expected a set, got ${JSON.stringify(error)}`);
  }

  async read(_: number, key: string): Promise<string | undefined> {
    const subject = `$JS.API.DIRECT.GET.${BUCKET}.${subjectOf(key)}`;
    const { body, status } = (await this.#reader?.request(subject, "")) ?? {
      body: "",
      status: "-",
    };
    return status === "" ? body : undefined;
  }

  /** Calls `heard` with each key that is set from now on, as a watch at the last server has it. */
  async watch(heard: (key: string) => void): Promise<void> {
    const prefix = subjectOf("");
    const reader = this.#reader;
    if (reader === undefined) throw new Error("Expected a connection");
    const target = reader.listen((subject) =>
      heard(subject.slice(prefix.length).replaceAll(".", "/")),
    );
    await reader.ask(`CONSUMER.CREATE.${BUCKET}`, {
      stream_name: BUCKET,
      config: { deliver_subject: target, deliver_policy: "new", ack_policy: "none" },
    });
  }

  async leave(): Promise<void> {
    this.#reader?.close();
    await this.#processes.at(-1)?.stop();
  }

  /** Sets the keys of the row of catching up, some at a time. A server that lost its leader chooses another one meanwhile. */
  async write(count: number, mark: string, first = 0): Promise<void> {
    const value = missedValue(mark);
    await until(
      "a set is accepted",
      async () => {
        await this.set(missedKey(first), value);
        return true;
      },
      LEADER_MS,
    );
    let next = first + 1;
    const work = async (): Promise<void> => {
      while (next < count) {
        next += 1;
        await this.set(missedKey(next - 1), value);
      }
    };
    await Promise.all(Array.from({ length: WINDOW }, work));
    const { state } = await this.#write.ask<{ state: { last_seq: number } }>(
      `STREAM.INFO.${BUCKET}`,
      {},
    );
    const here = this.#ports.filter((_, index) => this.#processes[index]?.isRunning === true);
    for (const { monitor } of here) {
      await until("all servers have all", async () => {
        return (await lastSequence(monitor)) === state.last_seq;
      });
    }
    this.#lastSequence = state.last_seq;
  }

  #lastSequence = 0;

  async rejoin(): Promise<void> {
    this.spawn(this.#ports.length - 1);
    const monitor = this.#ports.at(-1)?.monitor ?? NaN;
    while ((await lastSequence(monitor)) !== this.#lastSequence) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    this.#reader = await this.#connected(this.#ports.length - 1);
  }

  async stop(): Promise<void> {
    this.#writer?.close();
    this.#reader?.close();
    for (const each of this.#processes) await each.stop();
  }

  get #write(): NatsConnection {
    if (this.#writer === undefined) throw new Error("Expected a connection");
    return this.#writer;
  }

  async #connected(index: number): Promise<NatsConnection> {
    const port = this.#ports[index]?.client ?? NaN;
    return until("nats-server listens", () => NatsConnection.open(port));
  }
}

interface Jsz {
  readonly account_details?: readonly {
    readonly stream_detail?: readonly {
      readonly name: string;
      readonly state: { readonly last_seq: number };
    }[];
  }[];
}

/** The last sequence number that a server has of the bucket itself; undefined while it does not answer. */
async function lastSequence(monitor: number): Promise<number | undefined> {
  try {
    const answer = await fetch(`http://127.0.0.1:${monitor}/jsz?accounts=true&streams=true`);
    const { account_details: accounts = [] } = (await answer.json()) as Jsz;
    const streams = accounts.flatMap(({ stream_detail: details = [] }) => details);
    return streams.find(({ name }) => name === BUCKET)?.state.last_seq;
  } catch {
    return undefined;
  }
}

/** One server that is filled. It does not tell its live memory. */
export async function fillNats(workplace: Workplace): Promise<Filled> {
  const servers = await NatsServers.start(workplace, 1);
  return {
    pids: servers.pids,
    fill: (from, to) => servers.write(to, "filled", from),
    liveBytes: () => Promise.resolve(undefined),
    stop: () => servers.stop(),
  };
}

/** One server that is killed. */
export class KillableNats implements Killable {
  readonly #servers: NatsServers;

  private constructor(servers: NatsServers) {
    this.#servers = servers;
  }

  static async start(workplace: Workplace): Promise<KillableNats> {
    return new KillableNats(await NatsServers.start(workplace, 1));
  }

  set(key: string, value: string): Promise<void> {
    return this.#servers.set(key, value);
  }

  kill(): Promise<void> {
    return this.#servers.kill(0);
  }

  async restart(): Promise<void> {
    this.#servers.spawn(0);
    await this.#servers.connect();
    await this.#servers.answers();
  }

  read(key: string): Promise<string | undefined> {
    return this.#servers.read(0, key);
  }

  stop(): Promise<void> {
    return this.#servers.stop();
  }
}
