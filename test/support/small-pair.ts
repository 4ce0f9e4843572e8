import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startSmallDirectory, startSmallRegion, until } from "@meridian/harness";
import type { Logger } from "@meridian/runtime";

/** The URLs of a directory and of two regions, which run in this process. */
export interface SmallPair {
  readonly directory: string;
  readonly paris: string;
  readonly tokyo: string;
  stop(): Promise<void>;
}

/** Starts a directory and two regions in this process, and waits until both regions serve. `logger` is that of Tokyo. */
export async function startSmallPair(logger?: Logger): Promise<SmallPair> {
  const data = mkdtempSync(join(tmpdir(), "meridian-pair-"));
  const directory = await startSmallDirectory({ data: join(data, "directory") });
  const place = (id: string) => ({ id, data: join(data, id), directory: directory.url });
  const paris = await startSmallRegion(place("paris"));
  const tokyo = await startSmallRegion({ ...place("tokyo"), ...(logger && { logger }) });
  await until("both regions serve", async () => {
    const answers = await Promise.all([paris, tokyo].map(({ url }) => fetch(`${url}/readyz`)));
    return answers.every(({ ok }) => ok);
  });
  return {
    directory: directory.url,
    paris: paris.url,
    tokyo: tokyo.url,
    stop: async () => {
      await paris.stop();
      await tokyo.stop();
      await directory.stop();
      rmSync(data, { recursive: true });
    },
  };
}
