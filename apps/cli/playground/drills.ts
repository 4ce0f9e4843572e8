/**
 * Drills on the development cluster: one fault under load, while the page sees which promises hold. One at a time, and each is bounded: it
 * takes some seconds, and a minute more at most for the regions to agree.
 */
import { asMeridianError, MeridianError } from "@meridian/protocol";
import type { Clock, Random } from "@meridian/runtime";

import type { DrillReport } from "../src/drill/drill-report.ts";
import { runAgainst, type GuestDrill, type GuestPhase } from "../src/drill/run-drills.ts";
import type { PlaygroundOptions } from "../src/dev/playground.ts";
import type { RegionCuts } from "./cuts.ts";

/** How a promise stands. `open`: nothing has broken it so far, and it is not over yet. */
type PromiseState = "open" | "kept" | "broken";

/** What a page shows of a drill. */
export interface DrillState {
  readonly name: string;
  readonly story: string;
  readonly phase: GuestPhase | "over";
  readonly counts: DrillReport["counts"] | null;
  readonly promises: readonly { readonly text: string; readonly state: PromiseState }[];
  /** Broken promises, one sentence each. */
  readonly violations: readonly string[];
  /** How it ended, as a sentence; null while it runs. */
  readonly outcome: string | null;
}

/** A drill that a page can start. */
interface DevDrill {
  readonly name: string;
  readonly story: (victim: string, directory: string) => string;
  /** Causes the fault, and repairs it. */
  readonly disturb?: (stage: Stage) => Promise<void>;
}

interface Stage {
  readonly victim: string;
  readonly directory: string;
  readonly cuts: Pick<RegionCuts, "cut" | "heal">;
  readonly signal: PlaygroundOptions["signal"];
  readonly hold: () => Promise<void>;
}

const DRILLS: readonly DevDrill[] = [
  { name: "steady", story: () => "nothing goes wrong" },
  {
    name: "cut",
    story: (victim) => `${victim} is cut off from its directory, and healed`,
    disturb: async ({ victim, cuts, hold }) => {
      cuts.cut(victim);
      await hold().finally(() => cuts.heal(victim));
    },
  },
  {
    name: "kill-region",
    story: (victim) => `${victim} is killed with SIGKILL, and started again`,
    disturb: async ({ victim, signal, hold }) => {
      signal(victim, "SIGKILL");
      await hold();
    },
  },
  {
    name: "kill-directory",
    story: (_, directory) => `${directory} is killed with SIGKILL, and started again`,
    disturb: async ({ directory, signal, hold }) => {
      signal(directory, "SIGKILL");
      await hold();
    },
  },
  {
    name: "pause-directory",
    story: (_, directory) => `${directory} is held up with SIGSTOP, and goes on`,
    disturb: async ({ directory, signal, hold }) => {
      signal(directory, "SIGSTOP");
      await hold().finally(() => signal(directory, "SIGCONT"));
    },
  },
];

/** Each promise, with the beginning of the sentences by which loads and audits report that it is broken. */
const PROMISES: readonly (readonly [begin: string, text: string])[] = [
  ["read-your-writes", "Whoever has written reads that, or something newer, in every region."],
  ["monotonic reads", "Whoever has read a version reads no older one later, in any region."],
  ["in the end", "No acknowledged write is lost: in the end, every region has each of them."],
];
const AGREEMENT = "All regions and directories come to hold the same.";

/** The drill is under load for so many seconds, with so many requests in each. */
const SECONDS = 8;
const RATE = 100;

/** The page is told how a drill goes so often, in milliseconds. */
const TELL_MS = 500;
const VIOLATIONS_MAX = 10;

/** How long the end of a drill is waited for, in milliseconds. What it wrote expires by itself, too. */
const STOP_MS = 5_000;

/** The cluster and the bounds of `Drills`. */
export interface DrillsOptions extends Pick<
  PlaygroundOptions,
  "directoryUrl" | "directoryName" | "regions" | "signal" | "drillSeconds"
> {
  readonly clock: Clock;
  readonly random: Random;
  readonly cuts: Pick<RegionCuts, "cut" | "heal" | "healAll">;
  readonly onChange: () => void;
  /** Default: on the cluster at `directoryUrl`. */
  readonly run?: typeof runAgainst;
}

/** Runs drills, one at a time. */
export class Drills {
  readonly #options: DrillsOptions;
  #state: DrillState | null = null;
  #running: { readonly controller: AbortController; readonly ended: Promise<void> } | undefined;

  constructor(options: DrillsOptions) {
    this.#options = options;
  }

  /** Those that can be started. */
  get list(): readonly { readonly name: string; readonly story: string }[] {
    const { directoryName } = this.#options;
    return DRILLS.map(({ name, story }) => ({ name, story: story("a region", directoryName) }));
  }

  /** The drill that runs, or the last one. */
  get state(): DrillState | null {
    return this.#state;
  }

  get isRunning(): boolean {
    return this.#running !== undefined;
  }

  /** Starts a drill, which heals what is cut first. Throws `INVALID_ARGUMENT` for a name that is none, and `OVERLOADED` while one runs. */
  start(name: string): void {
    const drill = DRILLS.find((each) => each.name === name);
    if (drill === undefined) {
      const names = DRILLS.map((each) => `\`${each.name}\``).join(", ");
      const said = `Expected a drill out of ${names}, got \`${name.slice(0, 100)}\``;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    if (this.isRunning) {
      throw new MeridianError("OVERLOADED", "Expected one drill at a time, got one more");
    }
    this.#options.cuts.healAll("as a drill begins");
    const controller = new AbortController();
    const ended = this.#run(drill, controller.signal).finally(() => {
      this.#running = undefined;
    });
    this.#running = { controller, ended };
  }

  /** Stops the drill that runs, if one does. Resolves once it has put right what it broke and deleted what it wrote, or after five seconds. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    running.controller.abort(new MeridianError("GOING_AWAY", "It was stopped."));
    let cancel = (): void => {};
    const patience = new Promise<void>((resolve) => {
      cancel = this.#options.clock.after(STOP_MS, resolve);
    });
    await Promise.race([running.ended, patience]);
    cancel();
  }

  async #run({ name, story, disturb }: DevDrill, stopped: AbortSignal): Promise<void> {
    const { regions, directoryUrl, directoryName: directory, cuts, signal, random } = this.#options;
    const { drillSeconds: seconds = SECONDS, run = runAgainst } = this.#options;
    const victim = regions[Math.floor(random.next() * regions.length)]?.id ?? "";
    const sentence = story(victim, directory);
    let counts = (): DrillState["counts"] => null;
    let violations = (): readonly string[] => [];
    let phase: GuestPhase = "gathering";
    const tell = (): void => {
      this.#state = stateOf(name, sentence, { phase, counts: counts(), broken: violations() });
      this.#options.onChange();
    };
    const guest: GuestDrill = {
      name,
      story: () => sentence,
      regions: regions.map(({ id }) => id),
      onPhase: (next, load) => {
        phase = next;
        counts = () => load.counts();
        violations = () => load.violations;
        tell();
      },
      ...(disturb !== undefined && {
        disturb: (hold) => disturb({ victim, directory, cuts, signal, hold }),
      }),
    };
    tell();
    const cease = this.#often(tell);
    const seed = Math.floor(random.next() * 2 ** 32);
    try {
      const options = { seconds, rate: RATE, seed, stopped, say: () => {} };
      this.#state = endOf(await run(directoryUrl, options, guest), sentence);
    } catch (cause) {
      const last = stateOf(name, sentence, { phase, counts: counts(), broken: violations() });
      this.#state = { ...last, phase: "over", outcome: asMeridianError(cause).message };
    } finally {
      cease();
      this.#options.onChange();
    }
  }

  /** Calls back at intervals, until the returned function is called. */
  #often(callback: () => void): () => void {
    let cancel = (): void => {};
    const again = (): void => {
      cancel = this.#options.clock.after(TELL_MS, () => {
        callback();
        again();
      });
    };
    again();
    return () => cancel();
  }
}

function stateOf(
  name: string,
  story: string,
  {
    phase,
    counts,
    broken,
  }: {
    readonly phase: GuestPhase;
    readonly counts: DrillState["counts"];
    readonly broken: readonly string[];
  },
): DrillState {
  return {
    name,
    story,
    phase,
    counts,
    promises: [
      ...PROMISES.map(([begin, text]) => {
        const isBroken = broken.some((violation) => violation.startsWith(begin));
        return { text, state: isBroken ? ("broken" as const) : ("open" as const) };
      }),
      { text: AGREEMENT, state: "open" },
    ],
    violations: broken.slice(0, VIOLATIONS_MAX),
    outcome: null,
  };
}

function endOf(report: DrillReport, story: string): DrillState {
  const { drill, counts, convergence, violations, passed } = report;
  const last = stateOf(drill, story, { phase: "audit", counts, broken: violations });
  const agreed = convergence.ms !== null;
  const promises = last.promises.map(({ text, state }): DrillState["promises"][number] => {
    if (text === AGREEMENT) return { text, state: agreed ? "kept" : "broken" };
    return { text, state: state === "broken" ? "broken" : "kept" };
  });
  const seconds = ((convergence.ms ?? 0) / 1_000).toFixed(2);
  const outcome = agreed
    ? `${passed ? "Passed" : "Failed"}: together again ${seconds} s after it was put right; everyone holds the same ${convergence.entries.toLocaleString("en")} entries.`
    : `Failed: ${convergence.failure ?? "they did not come to hold the same"}`;
  return { ...last, phase: "over", promises, outcome };
}
