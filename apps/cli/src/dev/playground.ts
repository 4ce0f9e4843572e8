/**
 * The playground of a development cluster: the console with what nobody may do to any other cluster, such as to cut a region off.
 *
 * Its code lies in the folder `playground` beside `src`, which is in no package that is built or published. So it is loaded only where
 * Meridian runs from its sources.
 */
import { fileURLToPath, pathToFileURL } from "node:url";

import type { Place } from "@meridian/local-cluster";
import type { Clock, Random } from "@meridian/runtime";

/** A connection that can be broken. */
interface Breakable {
  /** Resets it, and refuses it from now on. */
  cut(): void;
  /** Lets everything pass again. */
  heal(): void;
}

/** A region that can be cut off. */
export interface PlaygroundRegion extends Place {
  readonly url: string;
  /** Its connections to the directories, one for each. */
  readonly lines: readonly Breakable[];
}

/** What a playground is made of. */
export interface PlaygroundOptions {
  /** The port to listen on at 127.0.0.1; 0 for any free one. */
  readonly port: number;
  /** The directory whose console and API it shows. */
  readonly directoryUrl: string;
  readonly directoryName: string;
  readonly regions: readonly PlaygroundRegion[];
  /** Sends a signal to a region or a directory, by its name. A program that ends is started again. */
  readonly signal: (name: string, signal: NodeJS.Signals) => void;
  /** How long a drill keeps the cluster under load. Default: 8 s. */
  readonly drillSeconds?: number;
  readonly clock: Clock;
  readonly random: Random;
  /** Prints what somebody has done by it. */
  readonly say: (line: string) => void;
}

/** A playground that runs. */
export interface RunningPlayground {
  /** Where a browser finds it. */
  readonly url: string;
  /** Heals what is cut, and ends all connections. */
  stop(): Promise<void>;
}

/** Starts a playground. Rejects if its port is taken. */
export type StartPlayground = (options: PlaygroundOptions) => Promise<RunningPlayground>;

const MODULE = "../../playground/start-playground.ts";

/** Whether there is a playground: where Meridian runs from its sources. */
export const HAS_PLAYGROUND: boolean = import.meta.url.endsWith(".ts");

/** Resolves to what starts a playground. Rejects if there is none, or its sources cannot be bundled. */
export async function loadPlayground(): Promise<StartPlayground> {
  const { bundleSource, importFile } = await import("@meridian/source-bundle");
  const file = await bundleSource(fileURLToPath(new URL(MODULE, import.meta.url)));
  const loaded = (await importFile(pathToFileURL(file).href)) as {
    readonly startPlayground: StartPlayground;
  };
  return loaded.startPlayground;
}
