/**
 * Attacks a program and measures the effect on other clients.
 *
 * Requirements: the memory of the process grows by at most 64 MiB plus one and a half times the bounds of its non-empty
 * gauges; `/healthz` is answered all the time; and other clients are served during the attack.
 */
import { request, until } from "@meridian/harness";
import type { Attackers } from "./manners.ts";

const MEBIBYTE = 1024 * 1024;
const GROWTH_BYTES = 64 * MEBIBYTE;
const GROWTH_FACTOR = 1.5;
/** How long a client waits for an answer, in milliseconds. */
const PATIENCE_MS = 10_000;
/** After so many successful services in a row, other clients count as served. */
const SERVED = 3;

interface Gauge {
  readonly name: string;
  readonly now: number;
  readonly max: number;
}

/** A process that is attacked. */
export interface Target {
  readonly url: string;
  /** The URL of a request for the nearest node, which the directory must answer during all attacks. */
  readonly nearest: string;
  /** The memory that it has in use. */
  readonly memoryBytes: number;
  /** One service to an honest client; rejects if it is refused. */
  readonly serve: (url: string) => Promise<void>;
}

/** The measurements of an attack. */
export interface SiegeReport {
  readonly grownBytes: number;
  readonly allowedBytes: number;
  /** Requests about its health, and how many of them were answered with 200. */
  readonly health: Count;
  /** Questions for the nearest node. */
  readonly nearest: Count;
  /** How many of them were answered with no node: nodes whose heartbeats do not get through are not ready. */
  readonly nobodyReady: number;
  /** Services to others. */
  readonly services: Count;
  /** The longest that a question about its health took, in milliseconds. */
  readonly longestMs: number;
  /** Attackers that were cut. */
  readonly cut: number;
}

interface Count {
  asked: number;
  answered: number;
}

/** Lets a crowd attack a program for a time, and longer until other clients have been served; returns the measurements. */
export async function siege(
  target: Target,
  attack: () => Attackers | Promise<Attackers>,
  ms: number,
): Promise<SiegeReport> {
  const before = target.memoryBytes;
  const crowd = await attack();
  const watch = new Watch(target);
  const endMs = performance.now() + ms;
  try {
    await until(
      "others are served while the attack goes on",
      () => watch.isOver || (performance.now() >= endMs && watch.servedInARow >= SERVED),
      ms + 120_000,
    );
    if (watch.isOver) throw new Error("Expected the program to outlive the attack, but it ended");
  } catch (cause) {
    throw new Error(`${String(cause)}; the last service failed with ${watch.lastFailure}`, {
      cause,
    });
  } finally {
    crowd.leave();
    await watch.end();
  }
  const { health, nearest, nobodyReady, services, longestMs } = watch;
  const grownBytes = watch.highestBytes - before;
  const allowedBytes = GROWTH_BYTES + GROWTH_FACTOR * watch.boundBytes;
  const counts = { health, nearest, nobodyReady, services };
  return { grownBytes, allowedBytes, ...counts, longestMs, cut: crowd.cut };
}

/** Checks the health of a program and requests its service, again and again. */
class Watch {
  readonly #target: Target;
  readonly #bounds = new Map<string, number>();
  readonly #loops: Promise<unknown>;
  readonly health: Count = { asked: 0, answered: 0 };
  readonly nearest: Count = { asked: 0, answered: 0 };
  nobodyReady = 0;
  readonly services: Count = { asked: 0, answered: 0 };
  servedInARow = 0;
  /** Why a service last failed. */
  lastFailure = "nothing";
  longestMs = 0;
  highestBytes = 0;
  #over = false;

  constructor(target: Target) {
    this.#target = target;
    const { url, serve } = target;
    this.#loops = Promise.all([
      this.#repeat(this.health, async () => {
        const atMs = performance.now();
        await expectOk(`${url}/healthz`);
        this.longestMs = Math.max(this.longestMs, performance.now() - atMs);
      }),
      this.#repeat(this.nearest, () => this.#findNearest()),
      this.#repeat(this.services, async () => {
        const served = await serve(url).then(
          () => true,
          (cause: unknown) => {
            this.lastFailure = String(cause);
            return false;
          },
        );
        this.servedInARow = served ? this.servedInARow + 1 : 0;
        if (!served) throw new Error("Expected to be served");
      }),
      this.#repeat({ asked: 0, answered: 0 }, () => this.#readGauges()),
      this.#repeat({ asked: 0, answered: 0 }, async () => {
        this.highestBytes = Math.max(this.highestBytes, target.memoryBytes);
      }),
    ]);
  }

  /** Whether the program has ended. */
  get isOver(): boolean {
    return this.#target.memoryBytes === 0;
  }

  /** The sum of the bounds of everything that is bounded in bytes and was not empty. */
  get boundBytes(): number {
    return [...this.#bounds.values()].reduce((sum, max) => sum + max, 0);
  }

  async end(): Promise<void> {
    this.#over = true;
    await this.#loops;
  }

  async #repeat(count: Count, ask: () => Promise<void>): Promise<void> {
    while (!this.#over) {
      count.asked += 1;
      await ask().then(
        () => (count.answered += 1),
        () => {},
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async #findNearest(): Promise<void> {
    const response = await request(this.#target.nearest);
    const body = await response.text();
    if (response.status === 200) return;
    if (!body.includes("NO_READY_NODE")) throw new Error(`Expected nodes, got ${body}`);
    this.nobodyReady += 1;
  }

  async #readGauges(): Promise<void> {
    const response = await fetch(`${this.#target.url}/status`, {
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const { gauges } = (await response.json()) as { readonly gauges: readonly Gauge[] };
    for (const { name, now, max } of gauges) {
      if (name.endsWith("Bytes") && now > 0) this.#bounds.set(name, max);
    }
  }
}

/** Rejects unless a GET is answered with 200. */
export async function expectOk(url: string): Promise<void> {
  const response = await request(url);
  await response.arrayBuffer();
  if (response.status !== 200) throw new Error(`Expected 200, got ${response.status}`);
}

/** A report as a line of text. */
export function lineOf(name: string, report: SiegeReport): string {
  const { grownBytes, allowedBytes, health, nearest, nobodyReady } = report;
  const { services, longestMs, cut } = report;
  const mebibytes = (bytes: number): string => `${(bytes / MEBIBYTE).toFixed(0)} MiB`;
  const told = ({ answered, asked }: Count): string => `${answered}/${asked}`;
  return `${name}: grown by ${mebibytes(grownBytes)} of ${mebibytes(allowedBytes)}, health ${told(health)} (${longestMs.toFixed(0)} ms), nearest ${told(nearest)} (${nobodyReady} without a node), services ${told(services)}, ${cut} cut`;
}
