import type { DirectoryLog } from "@meridian/ports";
import type { Entry, Hello, MeridianError, RememberedMember } from "@meridian/protocol";
import { Deadlines, type Clock, type Logger } from "@meridian/runtime";

import type { Emitter } from "../events.ts";
import { DIRECTORY_LIMITS, type DirectoryLimits } from "../limits.ts";
import type { OrderedFrame } from "../order/recent-frames.ts";
import type { Rules } from "../rules.ts";
import { SharedTurns } from "../shared-turns.ts";
import type { DirectorySession } from "./directory-session.ts";
import type { DirectoryOptions } from "./directory.ts";

/** What all parts of a directory's machine share. */
export interface DirectoryContext {
  /** Nodes of another cluster are refused. */
  readonly cluster: string;
  readonly log: DirectoryLog;
  /** Whether other directories serve nodes from the same log. */
  readonly sharesLog: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: DirectoryLimits;
  readonly deadlines: Deadlines;
  readonly events: Emitter<DirectoryEvents>;
  readonly rules: Rules;
  /** Runs `callback` in the next turn of the event loop. A timer would take a millisecond, in which a feed sends several turns' worth. */
  defer(callback: () => void): void;
  /** Shares turns of the event loop among the walks over rows. */
  readonly turns: SharedTurns;
}

/** What the parts of a directory's machine tell it. */
export interface DirectoryEvents {
  /** A frame has its place in the log. */
  ordered(frame: OrderedFrame): void;
  /** Entries with reserved keys are among those that have just got their place in the log, or that are about to. */
  reserved(entries: readonly Entry[]): void;
  /** A frame is durable. */
  committed(incarnation: number, position: number): void;
  /** The log cannot be written, and will not be: the directory has to end. */
  failed(failure: MeridianError): void;

  /** A node has introduced itself on a link. Throws where it cannot be taken in. */
  greeted(session: DirectorySession, hello: Hello): void;
  /** The session's status or what it has applied has changed. */
  progressed(session: DirectorySession, statusChanged: boolean): void;
  /** The node of the session waits to hear who has applied one of its frames. */
  watched(session: DirectorySession): void;
  /** The session's frames exceed the bound by so many bytes. Throws `OVERLOADED` unless another session makes room. */
  crowded(session: DirectorySession, bytes: number): void;
  /** The node asks for its turn to reconcile; `begin` is to be called when it comes. */
  turnAsked(session: DirectorySession, begin: (head: number) => void): void;
  /** The turn of a session has come. */
  turnCame(session: DirectorySession, begin: (head: number) => void): void;
  /** The node has reconciled: node and log hold the same. */
  reconciled(session: DirectorySession): void;

  /** A node has come, gone or changed its status, or something newer is known of one. */
  membersChanged(): void;
  /** Which nodes are there, or ready, has changed. */
  appliersChanged(): void;
  /** What is known of the nodes of another directory may have changed. */
  elsewhereChanged(): void;
  /** The clock of another directory, or of one of its nodes, shows `wallMs`. */
  clockHeard(id: string, wallMs: number): void;
  /** Another directory has told what it remembers of nodes. */
  remembered(members: readonly RememberedMember[]): void;
  /** A follower has caught up, or its link has come or gone. */
  followerChanged(): void;
  /** The directory has caught up with every other directory that it could reach in time. */
  synced(): void;
}

/** What the parts of a directory made with `options` share, and where they tell what has happened. */
export function contextOf(
  options: DirectoryOptions,
  events: Emitter<DirectoryEvents>,
  rules: Rules,
): DirectoryContext {
  const { cluster, log, clock, logger, sharesLog = false } = options;
  const limits = { ...DIRECTORY_LIMITS, ...options.limits };
  const deadlines = new Deadlines(clock);
  const defer = (callback: () => void): void => options.defer(callback);
  const turns = new SharedTurns(defer, clock);
  const shared = { cluster, log, sharesLog, clock, logger, limits, deadlines, events, rules };
  return { ...shared, defer, turns };
}
