import type { DirectoryLog } from "@meridian/ports";
import type { Hello } from "@meridian/protocol";

import type { DirectoryHorizon } from "../horizon/directory-horizon.ts";
import type { DirectoryLimits } from "../limits.ts";
import type { Sequencer } from "../order/sequencer.ts";
import type { DirectoryClocks } from "./directory-clocks.ts";
import type { KeptComparisons } from "./kept-comparisons.ts";
import type { DirectorySession } from "./directory-session.ts";
import type { Membership } from "./membership.ts";

/** What a session needs of the directory it is part of. */
export interface SessionHost {
  readonly cluster: string;
  readonly log: DirectoryLog;
  readonly sequencer: Sequencer;
  readonly horizon: DirectoryHorizon;
  readonly limits: DirectoryLimits;
  readonly clocks: DirectoryClocks;
  readonly comparisons: KeptComparisons;
  /** This machine's own time. */
  nowMs(): number;
  elapsedMs(): number;
  /** Whether the directory is catching up with others, and takes no nodes in. */
  readonly isSyncing: boolean;
  /** The nodes that have their link with this directory, and those that it remembers. */
  readonly membership: Pick<Membership, "registryFor">;
  /** Whether a position of an outbox has come by way of another directory. */
  hasFollowed(incarnation: number, position: number): boolean;
  /** Takes a node in, or throws why not. */
  onHello(session: DirectorySession, hello: Hello): void;
  /** The session's status or what it has applied has changed. */
  onProgress(session: DirectorySession, statusChanged: boolean): void;
  /** The session wants to hear who has applied a frame of its node. */
  onWatch(session: DirectorySession): void;
  /** The node asks for its turn to reconcile; `begin` is called when it comes. */
  onReconcile(session: DirectorySession, begin: (head: number) => void): void;
  onReconciled(session: DirectorySession): void;
  /** Runs `callback` once other work has had its turn. */
  later(callback: () => void): void;
}
