/** The row of catching up: how long a server that was away takes from the start of its process until it has what it has missed. */
import type { Contender, Figures } from "./rounds.ts";

/** Servers of which the last can be absent. */
export interface WithAbsentee {
  /** Stops the last server, in order. */
  leave(): Promise<void>;
  /** Sets `count` keys to a value of 100 bytes that begins with `mark`. Resolves once all servers that are there have them. */
  write(count: number, mark: string): Promise<void>;
  /** Starts the last server. Resolves once it has the last of the sets that began with `mark`. */
  rejoin(count: number, mark: string): Promise<void>;
  stop(): Promise<void>;
}

/** A key of this row. */
export function missedKey(index: number): string {
  return `missed/${String(index).padStart(12, "0")}`;
}

/** A value of this row. */
export function missedValue(mark: string): string {
  return mark.padEnd(100, "v");
}

/** A contender of which one server misses `missed` sets. */
export function catchUpContender(
  name: string,
  serve: () => Promise<WithAbsentee>,
  { missed }: { readonly missed: number },
): Contender {
  return {
    name,
    start: async () => {
      const servers = await serve();
      let round = 0;
      // All keys are there before the first round, so that each round replaces as many values as the others.
      await servers.write(missed, "before");
      const measure = async (): Promise<Figures> => {
        round += 1;
        const mark = `round-${round}-`;
        await servers.leave();
        await servers.write(missed, mark);
        const startMs = performance.now();
        await servers.rejoin(missed, mark);
        return { seconds: (performance.now() - startMs) / 1_000 };
      };
      return { measure, stop: () => servers.stop() };
    },
  };
}
