/**
 * Runs the contenders of a row by turns, so that whatever else the machine does in a minute hits all of them. What counts are ratios
 * within a round.
 */

/** The figures of one round, by name. */
export type Figures = Readonly<Record<string, number>>;

/** A contender that runs. */
interface Running {
  /** Measures one round. */
  measure(): Promise<Figures>;
  stop(): Promise<void>;
}

/** A server, or several that work together, whose figures are compared with those of others. */
export interface Contender {
  readonly name: string;
  /** Starts it, checks that its answers are right, and warms it up. */
  start(): Promise<Running>;
}

/** What is measured of several contenders. */
export interface Row {
  /** The name for the command line. */
  readonly name: string;
  readonly contenders: readonly Contender[];
  readonly rounds: number;
}

/** What was measured: for each contender its figures, and of each figure the value of each round. */
export type Samples = Readonly<Record<string, Readonly<Record<string, readonly number[]>>>>;

/** What a row has come to. */
export interface RowResult {
  readonly samples: Samples;
  /** For each contender that has failed, how. */
  readonly failures: Readonly<Record<string, string>>;
}

/** Measures a row. A contender that fails is left out from then on. */
export async function runRow(row: Row, tell: (line: string) => void): Promise<RowResult> {
  const samples: Record<string, Record<string, number[]>> = {};
  const failures: Record<string, string> = {};
  const running = new Map<string, Running>();
  const attempt = async (name: string, run: () => Promise<void>): Promise<void> => {
    try {
      await run();
    } catch (cause) {
      failures[name] = cause instanceof Error ? cause.message : String(cause);
      tell(`${row.name}: ${name} failed: ${failures[name]}`);
    }
  };
  for (const contender of row.contenders) {
    const { name } = contender;
    await attempt(name, async () => void running.set(name, await contender.start()));
  }
  const names = [...running.keys()];
  for (let round = 0; round < row.rounds; round += 1) {
    // Each is the first one in turn: what runs first finds the disk and the caches as the last of the round before has left them.
    const first = round % Math.max(1, names.length);
    for (const name of [...names.slice(first), ...names.slice(0, first)]) {
      if (name in failures) continue;
      await attempt(name, async () => {
        const figures = await running.get(name)?.measure();
        const ofName = (samples[name] ??= {});
        for (const [figure, value] of Object.entries(figures ?? {})) {
          (ofName[figure] ??= []).push(value);
        }
        tell(`${row.name} ${round + 1}/${row.rounds}: ${name} ${describe(figures ?? {})}`);
      });
    }
  }
  for (const [name, each] of running) await attempt(name, () => each.stop());
  return { samples, failures };
}

function describe(figures: Figures): string {
  return Object.entries(figures)
    .map(([figure, value]) => `${figure} ${Number(value.toPrecision(4))}`)
    .join(", ");
}
