/** Runs nats-servers with JetStream as processes, for tests. They are gone when `stop` has resolved. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createConnection } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { natsServerConfig, natsServerVersion } from "@meridian/local-cluster";

import { freePort } from "./free-port.ts";

const version = natsServerVersion(process.env);

/** Whether there is a nats-server to test with. */
export const HAS_NATS = version !== undefined;

/** The version of the nats-server that is installed. */
export const NATS_VERSION = version ?? "none";

/** How servers are started. */
export interface NatsOptions {
  /** Default: one server alone. */
  readonly servers?: number;
  /** How the names of the servers begin: no two that hear of each other may have one name. Default: `nats`. */
  readonly name?: string;
  /** Further lines of the configuration. */
  readonly config?: string;
  /** Default: true. */
  readonly jetstream?: boolean;
  /** See `NatsServerSettings`. */
  readonly domain?: string;
}

interface Server {
  readonly name: string;
  readonly port: number;
  /** Where it tells about itself. */
  readonly monitor: number;
  readonly file: string;
  process: ChildProcess | undefined;
}

/** What a server tells about its streams. */
interface JetStreamNews {
  readonly meta_cluster?: { readonly leader?: string };
  readonly account_details?: readonly { readonly stream_detail?: readonly StreamNews[] }[];
}

interface StreamNews {
  readonly name: string;
  readonly cluster?: {
    readonly leader?: string;
    readonly replicas?: readonly { readonly current: boolean; readonly offline?: boolean }[];
  };
  readonly state: {
    readonly messages: number;
    readonly bytes: number;
    readonly first_seq: number;
    readonly last_seq: number;
  };
}

/** Some servers that are one cluster. */
export class NatsServers {
  readonly folder: string = mkdtempSync(join(tmpdir(), "meridian-nats-"));
  readonly #options: NatsOptions;
  #servers: Server[] = [];

  constructor(options: NatsOptions = {}) {
    this.#options = options;
  }

  /** What `--log` takes. */
  get url(): string {
    return `nats://${this.#servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  }

  /** The names of the servers, in the order of their indexes. */
  get names(): readonly string[] {
    return this.#servers.map(({ name }) => name);
  }

  async start(): Promise<void> {
    const count = this.#options.servers ?? 1;
    const routes = await Promise.all(Array.from({ length: count }, freePort));
    for (const [index, route] of routes.entries()) {
      const name = `${this.#options.name ?? "nats"}-${index}`;
      const [port, monitor] = [await freePort(), await freePort()];
      const file = join(this.folder, `${name}.conf`);
      const server = { name, port, monitor, file, process: undefined };
      writeFileSync(file, this.#configOf(server, route, count > 1 ? routes : []));
      this.#servers.push(server);
    }
    await Promise.all(this.#servers.map((_, index) => this.startServer(index)));
  }

  /** Starts a server again on its data. Resolves when it listens. */
  async startServer(index: number): Promise<void> {
    const server = this.#server(index);
    server.process = spawn("nats-server", ["-c", server.file], { stdio: "ignore" });
    for (;;) {
      if (server.process.exitCode !== null) throw new Error(`${server.name} has ended`);
      if (await listens(server.port)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends a server as a power cut would, but for what the kernel has in its cache. */
  async kill(index: number, signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const { process: child } = this.#server(index);
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill(signal);
    await ended;
  }

  /** Whether the servers have chosen who leads JetStream. */
  async hasLeader(): Promise<boolean> {
    const all = await Promise.all(this.#servers.map((server) => jetStreamNewsOf(server)));
    return all.every((news) => Boolean(news?.meta_cluster?.leader));
  }

  /** The index of the server that leads a stream; undefined while none does. */
  async leaderOf(stream: string): Promise<number | undefined> {
    for (const server of this.#servers) {
      const leader = (await newsOf(server, stream))?.cluster?.leader;
      if (leader) return this.names.indexOf(leader);
    }
    return undefined;
  }

  /** Whether all servers run, and each has all of a stream, as its leader knows it. */
  async isWhole(stream: string): Promise<boolean> {
    const all = await Promise.all(this.#servers.map((server) => newsOf(server, stream)));
    return all.every((news, index) => {
      const { leader, replicas = [] } = news?.cluster ?? {};
      if (!leader) return false;
      if (leader !== this.names[index]) return true;
      return (
        replicas.length === this.#servers.length - 1 &&
        replicas.every(({ current, offline }) => current && offline !== true)
      );
    });
  }

  /** How many messages and bytes a stream has, and its first sequence, as one of the servers knows it; undefined if none does. */
  async stateOf(stream: string): Promise<StreamNews["state"] | undefined> {
    for (const server of this.#servers) {
      const news = await newsOf(server, stream);
      if (news !== undefined) return news.state;
    }
    return undefined;
  }

  /** The folder in which a server keeps its streams. */
  storeOf(index: number): string {
    return join(this.folder, this.#server(index).name);
  }

  async stop(): Promise<void> {
    await Promise.all(this.#servers.map((_, index) => this.kill(index)));
    rmSync(this.folder, { recursive: true, force: true });
  }

  #server(index: number): Server {
    const server = this.#servers[index];
    if (server === undefined) throw new Error(`Expected a server ${index}`);
    return server;
  }

  #configOf({ name, port, monitor }: Server, route: number, routes: readonly number[]): string {
    const { config = "", jetstream = true, domain } = this.#options;
    const folder = join(this.folder, name);
    mkdirSync(folder, { recursive: true });
    const store = jetstream ? folder : null;
    const cluster = routes.length === 0 ? null : { port: route, routes };
    const base = natsServerConfig({ name, port, store, domain, cluster });
    return [base, `http: "127.0.0.1:${monitor}"`, config].join("\n");
  }
}

/** What a server knows of JetStream; undefined if it does not run. */
async function jetStreamNewsOf({ monitor, process }: Server): Promise<JetStreamNews | undefined> {
  if (process === undefined || process.exitCode !== null || process.signalCode !== null) {
    return undefined;
  }
  const answer = await fetch(`http://127.0.0.1:${monitor}/jsz?streams=true`);
  return (await answer.json()) as JetStreamNews;
}

/** What a server knows of a stream; undefined if it does not run or does not have it. */
async function newsOf(server: Server, stream: string): Promise<StreamNews | undefined> {
  const { account_details: accounts = [] } = (await jetStreamNewsOf(server)) ?? {};
  const streams = accounts.flatMap(({ stream_detail: all = [] }) => all);
  return streams.find(({ name }) => name === stream);
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
  });
}
