/**
 * Measures many nodes on one directory: how long they take to join, how long it takes until all know a change, and how many bytes that costs.
 *
 * The directory is a process of its own; the nodes are in this one, each with a connection of its own, and say what the protocol asks of a node: greeting,
 * heartbeats, what they have applied. Ends with 1 if they take longer than a minute to join, a change longer than a second, or if one loses its link.
 *
 * With `--log nats`, the log is in a stream of one nats-server; with `--beside`, the nodes are at a directory that serves beside the one that writes it, and
 * what that one uses at rest is told, too.
 *
 * Usage: npm run bench:members -- [--log nats] [--beside] [nodes] [seconds at rest]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Program, request, until } from "@meridian/harness";

import { NatsServers } from "../support/nats-servers.ts";
import { LightNode, type Received } from "./light-node.ts";

const { values: flags, positionals } = parseArgs({
  options: { log: { type: "string" }, beside: { type: "boolean", default: false } },
  allowPositionals: true,
});
const [COUNT = 1_000, REST_SECONDS = 20] = positionals.map(Number);
const ROUNDS = 5;
const JOIN_MS_MAX = 60_000;
const CHANGE_MS_MAX = 1_000;
/** How many connections are being opened at a time. */
const DIALS = 50;

const failures: string[] = [];

/** All nodes, and what has come to them. */
class Members implements Received {
  readonly #nodes: LightNode[] = [];
  /** What every node is to hear of, and who has not yet. */
  #awaited: ((message: string | Uint8Array) => boolean) | undefined;
  readonly #unheard = new Set<LightNode>();
  readonly bytesOf = new Map<string, number>();

  async join(directory: string, count: number): Promise<void> {
    while (this.#nodes.length < count) {
      const joining = Array.from(
        { length: Math.min(DIALS, count - this.#nodes.length) },
        (_, index) => new LightNode(directory, this.#nodes.length + index, this),
      );
      this.#nodes.push(...joining);
      const areIn = (): boolean => joining.every(({ isWelcome }) => isWelcome);
      await until("nodes are taken in", () => areIn() || failures.length > 0, JOIN_MS_MAX);
      if (failures.length > 0) throw new Error(failures.join("; "));
    }
  }

  get nodes(): readonly LightNode[] {
    return this.#nodes;
  }

  onMessage(node: LightNode, type: string, message: string | Uint8Array): void {
    this.bytesOf.set(type, (this.bytesOf.get(type) ?? 0) + message.length);
    if (this.#unheard.has(node) && this.#awaited?.(message) === true) this.#unheard.delete(node);
  }

  onLost(node: LightNode, code: number, reason: string): void {
    failures.push(`${node.id} lost its link: ${code} ${reason}`);
  }

  /** Makes a change, and returns how long it took until all of `listeners` had heard of it, and the bytes that came to all meanwhile, but for the answers to heartbeats. */
  async change(
    make: () => void,
    isNews: (message: string | Uint8Array) => boolean,
    listeners: readonly LightNode[],
  ): Promise<Cost> {
    this.bytesOf.clear();
    this.#awaited = isNews;
    for (const node of listeners) this.#unheard.add(node);
    const startMs = performance.now();
    make();
    await until("all have heard", () => this.#unheard.size === 0, 60_000);
    const tookMs = performance.now() - startMs;
    this.bytesOf.delete("echo");
    const bytes = [...this.bytesOf.values()].reduce((sum, each) => sum + each, 0);
    return { tookMs, bytes };
  }
}

interface Cost {
  readonly tookMs: number;
  readonly bytes: number;
}

/** Asks for the nearest node again and again, and notes how long that takes. */
class Asker {
  readonly #times: number[] = [];
  #isOver = false;
  readonly #loop: Promise<void>;

  constructor(directory: string) {
    this.#loop = this.#ask(directory);
  }

  async end(): Promise<string> {
    this.#isOver = true;
    await this.#loop;
    const sorted = this.#times.toSorted((a, b) => a - b);
    const at = (share: number): string =>
      (sorted[Math.ceil(share * sorted.length) - 1] ?? NaN).toFixed(0);
    return `/nearest p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, longest ${at(1)} ms (${sorted.length} asked)`;
  }

  async #ask(directory: string): Promise<void> {
    while (!this.#isOver) {
      const startMs = performance.now();
      const response = await request(`${directory}/nearest?lat=1&lon=2`);
      await response.arrayBuffer();
      this.#times.push(performance.now() - startMs);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function expectAtMost(what: string, ms: number, mostMs: number): void {
  if (ms > mostMs) failures.push(`${what} took ${ms.toFixed(0)} ms`);
}

async function measure(
  members: Members,
  name: string,
  round: (index: number) => Promise<Cost>,
): Promise<void> {
  const costs: Cost[] = [];
  for (let index = 0; index < ROUNDS; index += 1) costs.push(await round(index));
  const times = costs.map(({ tookMs }) => tookMs).toSorted((a, b) => a - b);
  const [median = NaN, longest = NaN] = [times[ROUNDS >> 1], times.at(-1)];
  const bytes = costs.reduce((sum, each) => sum + each.bytes, 0) / ROUNDS / members.nodes.length;
  console.log(
    `${name}: all have heard after ${median.toFixed(0)} ms (longest ${longest.toFixed(0)}); ${bytes.toFixed(0)} bytes for each node`,
  );
  expectAtMost(name, longest, CHANGE_MS_MAX);
}

async function measureChanges(members: Members): Promise<void> {
  const { nodes } = members;
  const [writer] = nodes;
  const leaving = nodes.slice(-ROUNDS);
  const staying = nodes.slice(0, -ROUNDS);
  if (writer === undefined) throw new Error(`Expected more than ${ROUNDS} nodes`);
  const others = staying.slice(1);
  const isFrame = (message: string | Uint8Array): boolean => typeof message !== "string";
  await measure(members, "a set", (index) =>
    members.change(() => writer.write(`set/${index}`, false), isFrame, others),
  );
  await measure(members, "a set with `ack=all`", (index) => {
    const isHeldByAll = (message: string | Uint8Array): boolean =>
      typeof message === "string" &&
      message.includes('"applied-by"') &&
      (JSON.parse(message) as { nodes: unknown[] }).nodes.length === nodes.length - 1;
    return members.change(() => writer.write(`all/${index}`, true), isHeldByAll, [writer]);
  });
  const statuses = ["syncing", "ready"] as const;
  await measure(members, "a change of status", (index) => {
    const status = statuses[index % 2] ?? "ready";
    const isTold = (message: string | Uint8Array): boolean =>
      typeof message === "string" &&
      message.includes(`"id":"${writer.id}",`) &&
      message.includes(`"status":"${status}"`) &&
      message.includes('"members-changed"');
    return members.change(() => writer.become(status), isTold, others);
  });
  await measure(members, "a leaving", (index) => {
    const node = leaving[index];
    const isTold = (message: string | Uint8Array): boolean =>
      typeof message === "string" && message.includes(`"gone":["${node?.id}"]`);
    return members.change(() => node?.leave(), isTold, others);
  });
}

/** The directory that the nodes are at, and the one that writes the log. */
interface Directories {
  readonly directory: Program;
  readonly writer: Program;
  readonly end: () => Promise<void>;
}

async function startDirectories(folder: string): Promise<Directories> {
  const servers = flags.log === "nats" || flags.beside ? new NatsServers() : undefined;
  await servers?.start();
  const spawn = (name: string): Promise<Program> => {
    const args = ["--port=0", `--data=${join(folder, name)}`];
    if (servers !== undefined) args.push(`--log=${servers.url}`);
    return Program.spawn({ name, program: "directory", args });
  };
  const writer = await spawn("writer");
  await writer.listens();
  const directory = flags.beside ? await spawn("beside") : writer;
  if (directory !== writer) {
    const serves = (line: string): boolean => line.includes("serves nodes beside");
    await until("the directory serves", () => directory.lines.some(serves));
    await until("it has its writer", async () => (await request(`${directory.url}/readyz`)).ok);
  }
  const end = async (): Promise<void> => {
    await Promise.all([directory.kill(), writer.kill()]);
    await servers?.stop();
  };
  return { directory, writer, end };
}

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-members-"));
  const { directory, writer, end } = await startDirectories(folder);
  const members = new Members();
  try {
    let asker = new Asker(directory.url);
    const startMs = performance.now();
    await members.join(directory.url, COUNT);
    const joinedMs = performance.now() - startMs;
    const [joiningMs, writerMs] = [directory.cpuMs, writer.cpuMs];
    console.log(
      `${COUNT} nodes have joined after ${(joinedMs / 1_000).toFixed(1)} s (the directory has had a core for ${(joiningMs / 1_000).toFixed(1)} s); ${await asker.end()}`,
    );
    expectAtMost("joining", joinedMs, JOIN_MS_MAX);

    asker = new Asker(directory.url);
    await new Promise((resolve) => setTimeout(resolve, REST_SECONDS * 1_000));
    const share = (fromMs: number, toMs: number): string =>
      ((toMs - fromMs) / (REST_SECONDS * 10)).toFixed(0);
    const beside = flags.beside
      ? `, the one that writes at ${share(writerMs, writer.cpuMs)} %`
      : "";
    console.log(
      `at rest for ${REST_SECONDS} s: directory at ${share(joiningMs, directory.cpuMs)} % of a core${beside}; ${await asker.end()}`,
    );
    console.log(`the directory has ${(directory.memoryBytes / 2 ** 20).toFixed(0)} MiB in use`);

    asker = new Asker(directory.url);
    await measureChanges(members);
    console.log(`meanwhile ${await asker.end()}`);
    const there = async (): Promise<number> => {
      const response = await request(`${directory.url}/nodes`);
      const { nodes } = (await response.json()) as {
        readonly nodes: readonly { status: string }[];
      };
      return nodes.filter(({ status }) => status !== "gone").length;
    };
    // A directory beside the one that writes is told once a second who is there.
    const areGone = async (): Promise<boolean> => (await there()) === COUNT - ROUNDS;
    await until("who has left is gone", areGone).catch((cause: unknown) => {
      failures.push(String(cause));
    });
  } finally {
    for (const node of members.nodes) node.leave();
    await end();
    rmSync(folder, { recursive: true, force: true });
  }
}

await main();
for (const failure of failures.slice(0, 20)) console.error(`FAILED ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;
