/**
 * The row of replication: what one set costs all servers together, and how long it takes until another server answers with it.
 *
 * The sets are paced by the clock and not by answers (an open loop). First come sets alone, for the processor time; then the same
 * with probes among them: some keys are set to a number, and at once asked for at another server, again and again, until it answers with
 * that number. So a lag includes the set's way to its server, and up to one question and answer more than it took.
 */
import { cpuMs, untilQuiet } from "./accounts.ts";
import type { Contender, Figures } from "./rounds.ts";
import { percentile } from "./statistics.ts";

/** Servers that replicate what one of them is told. */
export interface Replicated {
  readonly pids: readonly number[];
  /** Sets a key at the first server. Resolves once that has acknowledged it. */
  set(key: string, value: string): Promise<void>;
  /** Reads a key at the last server. Calls of one `reader` do not overlap. */
  read(reader: number, key: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

/** How the row is measured. */
export interface ReplicationLoad {
  readonly setsPerSecond: number;
  readonly seconds: number;
}

/** How many reads may wait at once. */
const READERS = 16;
const PROBES_PER_SECOND = 50;
/** How long servers get sets before anything is measured: at this rate, those that compile their code while they run do so for that long. */
const WARMING_SECONDS = 15;
const VALUE = "v".repeat(92);
const KEYS = 10_000;
const LAG_MS_MAX = 10_000;

/** Calls `send` at a rate for some seconds; what is due late is sent at once. Resolves to the number of calls once all have settled. */
async function pace(
  rate: number,
  seconds: number,
  send: (index: number) => Promise<void>,
): Promise<number> {
  const count = rate * seconds;
  const startMs = performance.now();
  const sent: Promise<void>[] = [];
  const failures: unknown[] = [];
  const note = (cause: unknown): void => void failures.push(cause);
  while (sent.length < count && failures.length === 0) {
    const due = Math.min(count, Math.floor(((performance.now() - startMs) * rate) / 1_000) + 1);
    while (sent.length < due) sent.push(send(sent.length).catch(note));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(sent);
  if (failures.length > 0) throw failures[0];
  return count;
}

/** Sets that are asked for elsewhere. */
class Probes {
  readonly lagsMs: number[] = [];
  readonly #servers: Replicated;
  readonly #free: number[] = Array.from({ length: READERS }, (_, index) => index);
  #number = 0;

  constructor(servers: Replicated) {
    this.#servers = servers;
  }

  /** Sends one probe, unless all readers still wait for theirs. */
  async send(): Promise<void> {
    const reader = this.#free.shift();
    if (reader === undefined) return;
    this.#number += 1;
    const key = `probe/${reader}`;
    const value = `${String(this.#number).padStart(8, "0")}${VALUE}`;
    const startMs = performance.now();
    const set = this.#servers.set(key, value);
    // Its failure is told below, and must not count as unhandled before.
    set.catch(() => {});
    while ((await this.#servers.read(reader, key)) !== value) {
      if (performance.now() - startMs > LAG_MS_MAX) throw new Error(`${key} does not arrive`);
    }
    this.lagsMs.push(performance.now() - startMs);
    await set;
    this.#free.push(reader);
  }
}

/** A contender that replicates. */
export function replicationContender(
  name: string,
  serve: () => Promise<Replicated>,
  { setsPerSecond, seconds }: ReplicationLoad,
): Contender {
  return {
    name,
    start: async () => {
      const servers = await serve();
      const { pids } = servers;
      const probes = new Probes(servers);
      const setOne = (index: number): Promise<void> =>
        servers.set(`key/${String(index % KEYS).padStart(12, "0")}`, `${VALUE}12345678`);
      for (let reader = 0; reader < READERS; reader += 1) await probes.send();
      await pace(setsPerSecond, WARMING_SECONDS, setOne);
      const each = Math.round(setsPerSecond / PROBES_PER_SECOND);
      const setOrProbe = (index: number): Promise<void> =>
        index % each === 0 ? probes.send() : setOne(index);
      const measure = async (): Promise<Figures> => {
        await untilQuiet(pids);
        const beforeMs = cpuMs(pids);
        const sets = await pace(setsPerSecond, seconds, setOne);
        await untilQuiet(pids);
        const cpuMicros = (1_000 * (cpuMs(pids) - beforeMs)) / sets;
        probes.lagsMs.length = 0;
        await pace(setsPerSecond, seconds, setOrProbe);
        const [lagP50Ms, lagP99Ms] = [0.5, 0.99].map((share) => percentile(probes.lagsMs, share));
        return { cpuMicros, lagP50Ms: lagP50Ms ?? NaN, lagP99Ms: lagP99Ms ?? NaN };
      };
      return { measure, stop: () => servers.stop() };
    },
  };
}
