/**
 * Tells the progress of nodes as server-sent events: which nodes have sent and received frames of the log, and how far each node has applied it.
 * Nothing is counted or compared while no stream is open, and nothing is sent while nothing changes.
 */
import { eventText, inTurns, sendInTurns, type EventStream } from "@meridian/http";
import type { Link, LinkEvents } from "@meridian/ports";
import { GREETING_BYTES_MAX } from "@meridian/protocol";
import type { Described, presentNode } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

import { membersOf } from "../link-tokens.ts";
import type { NodeSource } from "./nodes.ts";

/** The nodes and the clock. */
export interface NodeProgressOptions {
  readonly source: NodeSource;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Frames are counted for so long before they are told of, in milliseconds. */
const FRAMES_MS = 200;

/** Nodes report twice a second: they are looked at once in so many milliseconds. */
const PROGRESS_MS = 500;

/** How many nodes are compared in one turn of the event loop. */
const COMPARED_PER_TURN = 128;

/** A node introduces itself by one of its first messages; a directory never does. */
const GREETINGS_MAX = 8;

/** The most receivers of frames that one event names. */
const NAMED_MAX = 64;

type Progress = Pick<
  Described<typeof presentNode>,
  "id" | "lagMs" | "load" | "appliedThrough" | "outboxPending" | "skewMs"
>;

/** Watches links and nodes for the streams that ask for it. */
export class NodeProgress {
  readonly #options: NodeProgressOptions;
  readonly #streams = new Set<EventStream>();
  /** How many frames came from each node, and left to each, since they were told of last. */
  #from = new Map<string, number>();
  #to = new Map<string, number>();
  #framesDue = false;
  /** What has been told of each node, by its id. */
  #told = new Map<string, string>();
  #progressDue = false;

  constructor(options: NodeProgressOptions) {
    this.#options = options;
  }

  /** Tells a stream of everything from here on. */
  join(stream: EventStream): void {
    this.#streams.add(stream);
  }

  leave(stream: EventStream): void {
    if (!this.#streams.delete(stream) || this.#streams.size > 0) return;
    this.#from.clear();
    this.#to.clear();
    this.#told = new Map();
  }

  /**
   * Opens a link through `open`, and looks at what passes: binary messages are frames, and text is what a node says of itself. Returns the
   * events of the link.
   */
  through(link: Link, open: (link: Link) => LinkEvents): LinkEvents {
    let id: string | undefined;
    let looked = 0;
    const events = open({
      send: (message) => {
        if (this.#streams.size > 0 && typeof message !== "string" && id !== undefined) {
          this.#count(this.#to, id);
        }
        link.send(message);
      },
      get bufferedBytes() {
        return link.bufferedBytes;
      },
      close: (code, reason) => link.close(code, reason),
    });
    return {
      onOpen: () => events.onOpen(),
      onMessage: (message) => {
        events.onMessage(message);
        if (typeof message === "string") {
          // What a node says has been checked by then.
          // A longer text is refused as a greeting, and would take a second to parse.
          const mayGreet = looked < GREETINGS_MAX && message.length <= GREETING_BYTES_MAX;
          if (id === undefined && mayGreet) id = introducedBy(message);
          looked += 1;
          if (this.#streams.size > 0) this.#lookSoon();
        } else if (this.#streams.size > 0 && id !== undefined) this.#count(this.#from, id);
      },
      onPart: () => events.onPart(),
      onDrain: () => events.onDrain(),
      onClose: (code, reason) => events.onClose(code, reason),
    };
  }

  #count(frames: Map<string, number>, id: string): void {
    frames.set(id, (frames.get(id) ?? 0) + 1);
    if (this.#framesDue) return;
    this.#framesDue = true;
    this.#options.clock.after(FRAMES_MS, () => {
      this.#framesDue = false;
      const [from, to] = [this.#from, this.#to];
      [this.#from, this.#to] = [new Map(), new Map()];
      const text = framesText(from, to);
      if (text !== undefined) this.#tell(text);
    });
  }

  #lookSoon(): void {
    if (this.#progressDue) return;
    this.#progressDue = true;
    this.#options.clock.after(PROGRESS_MS, () => {
      void this.#look()
        .catch((cause: unknown) => this.#fail(cause))
        .then(() => {
          this.#progressDue = false;
        });
    });
  }

  async #look(): Promise<void> {
    if (this.#streams.size === 0) return;
    const changed = await this.#changed();
    if (changed.length > 0) {
      this.#tell(eventText("progress", JSON.stringify({ nodes: changed })));
    }
  }

  /** The nodes whose progress is another than was told. Clocks are looked at, but differ all the time. */
  async #changed(): Promise<readonly Progress[]> {
    const before = this.#told;
    const told = new Map<string, string>();
    const changed: Progress[] = [];
    await inTurns(this.#options.source.registry.all(), COMPARED_PER_TURN, (node) => {
      const { id, lagMs, load, appliedThrough, outboxPending, skewMs } = node;
      // The average of requests falls slowly for a long time, so it is rounded: not every change is news.
      const { entries, bytes, requestsPerSecond, refusing } = load;
      const facts = [lagMs, entries, bytes, Math.round(requestsPerSecond), refusing];
      const text = JSON.stringify([...facts, appliedThrough, outboxPending]);
      told.set(id, text);
      if (before.get(id) === text) return;
      changed.push({ id, lagMs, load, appliedThrough, outboxPending, skewMs });
    });
    // If all streams have left meanwhile, the result is not for those that came later: they are told everything.
    if (this.#told === before) this.#told = told;
    return changed;
  }

  #fail(cause: unknown): void {
    this.#options.logger.error("progress could not be told of", { error: String(cause) });
  }

  #tell(text: string): void {
    // A client that has not read what it was sent gets the next event.
    sendInTurns(this.#streams, text).catch((cause: unknown) => this.#fail(cause));
  }
}

/** The event of frames; undefined if none came from a node. To the only one who sent frames nothing of others has left. */
function framesText(
  from: ReadonlyMap<string, number>,
  to: ReadonlyMap<string, number>,
): string | undefined {
  if (from.size === 0) return undefined;
  const [only] = from.size === 1 ? from.keys() : [];
  const reached = [...to].filter(([id]) => id !== only);
  const told = {
    from: Object.fromEntries(from),
    to: Object.fromEntries(reached.slice(0, NAMED_MAX)),
    reached: reached.length,
  };
  return eventText("frames", JSON.stringify(told));
}

/** The id of the node that a message introduces. */
function introducedBy(text: string): string | undefined {
  const { type, nodeId } = membersOf(text);
  return type === "hello" && typeof nodeId === "string" ? nodeId : undefined;
}
