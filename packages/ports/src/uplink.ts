import type { Link } from "./link.ts";

/** From where on a node is to be fed the log, by the directory that has its link. */
export interface FeedStart {
  /** The sequence that the feed starts after. */
  readonly after: number;
  /** The node's own incarnation: frames of it are sent without their entries. 0: all are sent with them. */
  readonly incarnation: number;
  /** Whether the node takes the traces of writes. */
  readonly takesTraces: boolean;
}

/** What comes for a node from the directory that writes the log. `committedThrough` is what that directory had committed when it said so. */
export interface UplinkEvents {
  onMessage(message: string | Uint8Array, committedThrough: number): void;
  /** The node is to be fed from there on, instead of from where it is fed now. */
  onFeed(start: FeedStart, committedThrough: number): void;
  /** Called once, last: `isLost` if nobody has closed the link, but the way to the directory that writes. */
  onClose(code: number, reason: string, isLost: boolean): void;
}

/** The link of a node, as it is passed on to the directory that writes the log. */
export interface UplinkLink extends Link {
  /** The node is there, though it has sent nothing whole. */
  alive(): void;
  /** While it is paused, what comes counts as not taken, and the writer sends no more than a link may have waiting. */
  pause(isPaused: boolean): void;
}

/** The way from a directory that serves nodes beside the one that writes the log to that one. */
export interface Uplink {
  /** Whether the directory that writes answers. */
  readonly isUp: boolean;
  /** The epoch in which it writes; undefined while none is known. */
  readonly epoch: number | undefined;
  /** Opens a link for a node of that address. */
  open(events: UplinkEvents, remoteAddress: string): UplinkLink;
}
