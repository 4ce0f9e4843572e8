/**
 * A small cluster over TLS with tokens, in use for long: two regions that are watched, one that comes and goes, and a directory. Every second
 * `/metrics` of all is read; every few minutes keys and certificates change and all programs reload; every `sampleMs` each watched program
 * collects its garbage and says what it holds.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Cluster, findPrograms, PLACES, until, type Program } from "@meridian/local-cluster";
import { systemRandom } from "@meridian/runtime";

import { heldBy, probed, type Held } from "./memory-probe.ts";
import { Secrets } from "../support/secrets.ts";
import { Traffic } from "./traffic.ts";
import { trendOf, type Sample, type Trend } from "./trend.ts";

/** How a cluster is soaked. */
export interface SoakOptions {
  readonly lengthMs: number;
  /** What comes before the first sample that counts. */
  readonly warmUpMs: number;
  readonly sampleMs: number;
  readonly rotationMs: number;
  readonly restartMs: number;
  /** Calls a second. */
  readonly rate: number;
  /** Told what happens, a line each. */
  readonly tell: (line: string) => void;
}

/** What came of it. */
export interface SoakReport {
  readonly trends: readonly {
    readonly program: string;
    readonly what: keyof Held;
    readonly trend: Trend;
  }[];
  readonly tookMs: ReadonlyMap<string, readonly number[]>;
  readonly failures: readonly string[];
  /** Happenings by what they are. */
  readonly counts: Readonly<Record<string, number>>;
  /** The time that all programs together had on a core. */
  readonly coreMs: number;
}

const SCRAPE_MS = 1_000;
const OPEN_METRICS = { accept: "application/openmetrics-text; version=1.0.0" };
/** More than a region keeps of what has changed: its memory of that is full from then on. */
const FILL = 70_000;
/** More frames than a directory keeps of the newest. */
const FRAMES = 20_000;
const RELOADED = "token keys were read again";

/** A soak from its begin to its end. */
export class Soak {
  readonly #options: SoakOptions;
  readonly #folder = mkdtempSync(join(tmpdir(), "meridian-soak-"));
  readonly #told = join(this.#folder, "told");
  readonly #counts = { scrapes: 0, samples: 0, rotations: 0, restarts: 0 };
  readonly #failures: string[] = [];
  readonly #scrapesMs: number[] = [];
  readonly #held = new Map<Program, Map<keyof Held, Sample[]>>();
  #over = false;

  constructor(options: SoakOptions) {
    this.#options = options;
  }

  async run(): Promise<SoakReport> {
    const { rate, tell, lengthMs } = this.#options;
    mkdirSync(this.#told);
    process.env["SOAK_FOLDER"] = this.#told;
    const secrets = await Secrets.make(join(this.#folder, "secrets"));
    const programs = await findPrograms();
    const cluster = new Cluster({
      folder: this.#folder,
      secure: secrets,
      programs: { directory: probed(programs.directory), region: probed(programs.region) },
      onLost: (how) => this.#failures.push(how),
    });
    try {
      const places = PLACES.slice(0, 3);
      await cluster.start(places);
      const [way] = await cluster.ways();
      const directories = [way?.url.replace("http:", "https:") ?? ""];
      const parts = { secrets, directories, places, rate, random: systemRandom };
      const traffic = new Traffic(parts);
      await traffic.fill(FILL, FRAMES);
      tell("filled; the traffic begins");
      traffic.start();
      const jobs = [
        this.#repeat(SCRAPE_MS, () => this.#scrape(cluster, secrets)),
        this.#tend(cluster, secrets),
      ];
      await pauseFor(lengthMs);
      this.#over = true;
      await Promise.all(jobs);
      await traffic.stop();
      traffic.tookMs.set("GET /metrics", this.#scrapesMs);
      const { calls, changes, opened } = traffic;
      return {
        trends: this.#trends(),
        tookMs: traffic.tookMs,
        failures: [...this.#failures, ...traffic.failures],
        counts: { ...this.#counts, calls, changes, opened },
        coreMs: [...cluster.directories, ...cluster.regions]
          .map(({ program }) => program.cpuMs)
          .reduce((sum, each) => sum + each, 0),
      };
    } finally {
      await cluster.dispose();
      await secrets.close();
      rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  /** Runs `job` every so often until all is over. What it throws is a failure. */
  async #repeat(everyMs: number, job: () => Promise<void>): Promise<void> {
    for (let dueMs = performance.now(); !this.#over; dueMs += everyMs) {
      try {
        await job();
      } catch (cause) {
        this.#failures.push(String(cause));
      }
      dueMs = Math.max(dueMs, performance.now() - everyMs);
      await pauseFor(Math.min(everyMs, dueMs + everyMs - performance.now()));
    }
  }

  async #scrape(cluster: Cluster, secrets: Secrets): Promise<void> {
    for (const station of [...cluster.directories, ...cluster.regions]) {
      if (!station.isUp) continue;
      const { url } = station;
      const startedMs = performance.now();
      try {
        const response = await secrets.fetch(`${url}/metrics`, { headers: OPEN_METRICS });
        const text = await response.text();
        if (response.status !== 200 || !text.endsWith("# EOF\n")) {
          throw new Error(`Expected metrics of ${url}, got ${response.status} ${text.slice(-80)}`);
        }
      } catch (cause) {
        // Whoever stops meanwhile may refuse.
        if (station.isUp) throw cause;
        continue;
      }
      this.#scrapesMs.push(performance.now() - startedMs);
      this.#counts.scrapes += 1;
    }
  }

  /** Samples, renews and restarts, one after the other: nothing is measured while the programs change. */
  async #tend(cluster: Cluster, secrets: Secrets): Promise<void> {
    const { warmUpMs, sampleMs, rotationMs, restartMs } = this.#options;
    const startMs = performance.now();
    const due = { sample: startMs + warmUpMs, rotation: startMs, restart: startMs + restartMs };
    await this.#repeat(100, async () => {
      const nowMs = performance.now();
      if (nowMs >= due.rotation) {
        due.rotation += rotationMs;
        await this.#rotate(cluster, secrets);
      } else if (nowMs >= due.restart) {
        due.restart += restartMs;
        await this.#restart(cluster);
      } else if (nowMs >= due.sample) {
        due.sample = Math.max(due.sample + sampleMs, nowMs);
        await this.#sample(cluster, nowMs);
      }
    });
  }

  async #rotate(cluster: Cluster, secrets: Secrets): Promise<void> {
    await secrets.renew();
    await secrets.rotate(async () => {
      const programs = programsOf(cluster).map((program) => ({
        program,
        read: timesRead(program),
      }));
      for (const { program } of programs) program.signal("SIGHUP");
      for (const { program, read } of programs) {
        await until(`${program.name} has read the keys`, () => timesRead(program) > read, 60_000);
      }
    });
    this.#counts.rotations += 1;
  }

  /** The last region stops as it should, and comes back on its folder. */
  async #restart({ regions }: Cluster): Promise<void> {
    const visitor = regions.at(-1);
    if (visitor === undefined) return;
    await visitor.stop();
    await visitor.start();
    await visitor.reaches("ready");
    this.#counts.restarts += 1;
  }

  async #sample(cluster: Cluster, atMs: number): Promise<void> {
    this.#counts.samples += 1;
    for (const program of watchedOf(cluster)) {
      const held = await heldBy(program, this.#told);
      const series = this.#held.get(program) ?? new Map<keyof Held, Sample[]>();
      this.#held.set(program, series);
      for (const [what, value] of Object.entries(held) as [keyof Held, number][]) {
        series.set(what, [...(series.get(what) ?? []), { atMs, value }]);
      }
      this.#options.tell(`${program.name}: ${JSON.stringify(held)}`);
    }
  }

  #trends(): SoakReport["trends"] {
    return [...this.#held].flatMap(([{ name }, series]) =>
      [...series].map(([what, samples]) => ({ program: name, what, trend: trendOf(samples) })),
    );
  }
}

function programsOf({ directories, regions }: Cluster): readonly Program[] {
  return [...directories, ...regions].filter(({ isUp }) => isUp).map(({ program }) => program);
}

/** Those that are never restarted. */
function watchedOf({ directories, regions }: Cluster): readonly Program[] {
  return [...directories, ...regions.slice(0, -1)].map(({ program }) => program);
}

function timesRead({ lines }: Program): number {
  return lines.filter((line) => line.includes(RELOADED)).length;
}

function pauseFor(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
