import { MeridianError } from "@meridian/protocol";

import { Cluster } from "./cluster.ts";
import { PLACES } from "./places.ts";

/** The options of `startCluster`. */
export interface StartClusterOptions {
  /** How many regions there are: 1 to the length of `PLACES`. Default: 3. */
  readonly regions?: number;
  /** How many directories there are, 1 to 8. Default: 1. */
  readonly directories?: number;
}

/** A running cluster. */
export interface RunningCluster {
  /** The URLs of the directories, the preferred one first: the option `directory` of a client. */
  readonly directories: readonly string[];
  /** The regions and their URLs. */
  readonly regions: readonly { readonly id: string; readonly url: string }[];
  /** Ends every process, and deletes their data. */
  stop(): Promise<void>;
}

/**
 * Starts directories and regions as processes of this machine, on free ports and in a temporary folder. Resolves once all are
 * ready. The programs are those that are installed beside this package: `@meridian/directory` and `@meridian/region`.
 */
export async function startCluster({
  regions = 3,
  directories = 1,
}: StartClusterOptions = {}): Promise<RunningCluster> {
  checkCount("regions", regions, PLACES.length);
  checkCount("directories", directories, DIRECTORIES_MAX);
  const cluster = new Cluster({ directories });
  try {
    await cluster.start(PLACES.slice(0, regions));
  } catch (cause) {
    await cluster.dispose();
    throw cause;
  }
  return {
    directories: cluster.directories.map(({ url }) => url),
    regions: cluster.regions.map(({ id, url }) => ({ id, url })),
    stop: () => cluster.dispose(),
  };
}

/** More are refused, because each directory follows each other one. */
const DIRECTORIES_MAX = 8;

function checkCount(name: string, count: number, max: number): void {
  if (Number.isInteger(count) && count >= 1 && count <= max) return;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be a whole number from 1 to ${max}, got ${count}`,
  );
}
