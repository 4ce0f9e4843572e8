/** Serves nodes while another directory writes the log. */
import type { HttpServer } from "@meridian/http";
import type { FollowedLog, StandbyServer } from "@meridian/log-jetstream";
import { asMeridianError } from "@meridian/protocol";
import { ServingDirectory } from "@meridian/replication";
import { Metrics, type Clock } from "@meridian/runtime";
import { linkCuts } from "@meridian/transport";

import type { LogHealth } from "./log-health.ts";
import { learnRevocations } from "./log-pages.ts";
import { operationsThrough, type Operations } from "./operations.ts";
import {
  serve,
  type Changing,
  type Machine,
  type MachineListeners,
  type Settled,
} from "./serve.ts";

/** What serves now. The log is opened first, and asks the machine for the time later. */
export interface Running {
  directory: Machine | undefined;
  /** Ends what has served nodes until this directory came to write the log. */
  leave: (() => Promise<void>) | undefined;
  /** Ends what serves nodes beside the directory that writes, if anything does. */
  quit: () => Promise<void>;
}

/** Nothing serves yet. */
export function notRunning(): Running {
  return { directory: undefined, leave: undefined, quit: async () => {} };
}

/** What nodes are served with. */
interface BesideParts {
  readonly server: HttpServer;
  readonly health: LogHealth;
  readonly running: Running;
  /** Begins to watch certificates and tokens. */
  readonly watch: () => void;
}

/** Notes for how long the writer, which tells who is there, has not answered. */
function silenceBy(clock: Clock): {
  /** Returns what it is told. */
  readonly hear: (isUp: boolean) => boolean;
  readonly ms: () => number | undefined;
} {
  let sinceMs: number | undefined = clock.elapsedMs();
  return {
    hear: (isUp) => {
      sinceMs = isUp ? undefined : clock.elapsedMs();
      return isUp;
    },
    ms: () => (sinceMs === undefined ? undefined : clock.elapsedMs() - sinceMs),
  };
}

/** Makes the function that begins to serve nodes from a log that another directory writes. */
export function serveBeside(
  options: Settled & Changing,
  { server, health, running, watch }: BesideParts,
): (log: FollowedLog) => Promise<StandbyServer> {
  const { security, clock, logger, cluster } = options;
  return async ({ state, uplink }) => {
    await security.learn((revocations) => learnRevocations(state, revocations));
    const defer = (callback: () => void): void => void setImmediate(callback);
    // If this directory comes to write the log, its numbers begin anew, under the same names.
    const metrics = new Metrics();
    const limits = { horizonMs: options.horizon };
    const parts = { log: state, uplink, clock, logger, metrics, limits, defer };
    let made: ServingDirectory | undefined;
    const make = (listeners: MachineListeners): ServingDirectory => {
      made = new ServingDirectory({ ...parts, ...listeners });
      return made;
    };
    const own = { ...options, metrics };
    const opened = { log: state, state, snapshots: () => null };
    const operations = (): Operations => operationsThrough(uplink);
    const silence = silenceBy(clock);
    const served = { server, opened, health, cuts: linkCuts(own), make, operations };
    const stop = serve(own, { ...served, unheardMs: silence.ms });
    if (made === undefined) throw new Error("Expected `serve` to make a machine");
    const directory: ServingDirectory = made;
    running.directory = directory;
    watch();
    uplink.start({
      onUp: (isUp) => directory.onUp(silence.hear(isUp)),
      onCommitted: (through) => directory.onCommitted(through),
      onRegistry: (text) => {
        try {
          directory.onRegistry(text);
        } catch (cause) {
          logger.warn("the writer tells nodes in another way", {
            why: asMeridianError(cause).message,
          });
        }
      },
    });
    running.quit = async () => {
      options.beside.stop();
      directory.stop();
      await stop();
    };
    const said = "serves nodes beside the directory that writes the log";
    logger.info(said, { cluster, url: server.url });
    return {
      get head() {
        return directory.head;
      },
      onFrame: (frame) => directory.onFrame(frame),
      end: async (isWriter) => {
        const leave = async (): Promise<void> => {
          directory.stop(isWriter);
          await stop();
        };
        if (isWriter) {
          running.leave = leave;
          return;
        }
        running.directory = undefined;
        running.quit = async () => {};
        server.rest();
        await leave();
      },
    };
  };
}
