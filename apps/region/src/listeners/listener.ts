import type { Backups } from "@meridian/http";
import type { Described, regionStatus } from "@meridian/protocol/http-api";
import type { Metrics } from "@meridian/runtime";

import type { Contents } from "../service/contents.ts";
import type { RegionService } from "../service/region-service.ts";

/** The parts of a node that a listener answers from. */
export interface ServedNode {
  readonly service: RegionService;
  readonly contents: Contents;
  readonly metrics: Metrics;
  readonly backups: Backups;
  /** The URL of the directory that the node is at or dials; null if there is none. */
  readonly directoryUrl: string | null;
  /** The node in numbers, for its operator. */
  report(): Described<typeof regionStatus>;
}

/** Takes requests in one protocol at one address, which it has from the start. */
export interface Listener {
  /** Where it is reached from this machine. */
  readonly url: string;
  /** Requests under way. */
  readonly requests: number;
  /** Begins to answer from a node; until then it refuses. */
  start(node: ServedNode): void;
  /** Resolves once no request is under way. The node's admission refuses new ones meanwhile. */
  drain(): Promise<void>;
  /** Takes no more connections, cuts those that are left, and resolves when the last is gone. */
  stop(): Promise<void>;
}
