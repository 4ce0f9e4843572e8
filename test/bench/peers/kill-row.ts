/** The row of kills: sets from many connections, `kill -9` in the middle, a new start, and then every acknowledged set is read. */
import type { Contender, Figures } from "./rounds.ts";

/** A server that can be killed. */
export interface Killable {
  set(key: string, value: string): Promise<void>;
  /** Kills the process. Resolves once it is gone. */
  kill(): Promise<void>;
  /** Starts the process on what the one before has left. Resolves once it answers. */
  restart(): Promise<void>;
  read(key: string): Promise<string | undefined>;
  stop(): Promise<void>;
}

const CALLERS = 32;

/** A contender that is killed once in each round. */
export function killContender(
  name: string,
  serve: () => Promise<Killable>,
  { seconds }: { readonly seconds: number },
): Contender {
  return {
    name,
    start: async () => {
      const server = await serve();
      let round = 0;
      const measure = async (): Promise<Figures> => {
        round += 1;
        const acknowledged = await setUntilKilled(server, round, 1_000 * seconds);
        await server.restart();
        let lost = 0;
        for (const key of acknowledged) if ((await server.read(key)) !== key) lost += 1;
        return { acknowledged: acknowledged.length, lost };
      };
      return { measure, stop: () => server.stop() };
    },
  };
}

/** Sets keys, each to itself, until the server is killed. Resolves to the keys whose sets were acknowledged. */
async function setUntilKilled(server: Killable, round: number, ms: number): Promise<string[]> {
  const acknowledged: string[] = [];
  let next = 0;
  let isKilled = false;
  const call = async (): Promise<void> => {
    while (!isKilled) {
      next += 1;
      const key = `killed/${round}/${next}`;
      try {
        await server.set(key, key);
      } catch (cause) {
        if (isKilled) return;
        throw cause;
      }
      acknowledged.push(key);
    }
  };
  const kill = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, ms));
    isKilled = true;
    await server.kill();
  };
  await Promise.all([kill(), ...Array.from({ length: CALLERS }, call)]);
  return acknowledged;
}
