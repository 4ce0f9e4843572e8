/** The row of memory: what an entry takes beyond its key and its value. */
import { residentBytes, untilQuiet } from "./accounts.ts";
import { missedKey, missedValue } from "./catch-up-row.ts";
import type { Contender, Figures } from "./rounds.ts";

/** A server that is filled. */
export interface Filled {
  readonly pids: readonly number[];
  /** Sets the keys of the row of catching up from `from` to below `to`. Resolves once all of it is where it stays. */
  fill(from: number, to: number): Promise<void>;
  /** The bytes that are in use after garbage was collected; undefined if the server does not tell. */
  liveBytes(): Promise<number | undefined>;
  stop(): Promise<void>;
}

/** So much is filled in before the rest: what the rest adds is what an entry takes, without what a server takes however many it has. */
const FIRST_PART = 1 / 5;

/** A contender that is started anew and filled in each round. */
export function memoryContender(
  name: string,
  serve: () => Promise<Filled>,
  { entries }: { readonly entries: number },
): Contender {
  const measure = async (): Promise<Figures> => {
    const server = await serve();
    try {
      const held = async (): Promise<readonly [resident: number, live: number | undefined]> => {
        await untilQuiet(server.pids);
        return [residentBytes(server.pids), await server.liveBytes()];
      };
      const first = Math.floor(entries * FIRST_PART);
      const [residentBefore, liveBefore] = await held();
      await server.fill(0, first);
      await untilQuiet(server.pids);
      const residentBetween = residentBytes(server.pids);
      await server.fill(first, entries);
      const [resident, live] = await held();
      const own = missedKey(0).length + missedValue("").length;
      const each = (before: number, after: number, count: number): number =>
        (after - before) / count - own;
      return {
        residentBytes: each(residentBefore, resident, entries),
        furtherBytes: each(residentBetween, resident, entries - first),
        ...(liveBefore !== undefined &&
          live !== undefined && { liveBytes: each(liveBefore, live, entries) }),
      };
    } finally {
      await server.stop();
    }
  };
  return { name, start: () => Promise.resolve({ measure, stop: () => Promise.resolve() }) };
}
