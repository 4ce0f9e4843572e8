/** Tells of the coming and going of nodes, as server-sent events: first of all nodes, then of each that comes, goes, moves or changes its status. */
import {
  eventText,
  inTurns,
  type Answer,
  type EventStream,
  type EventStreams,
  type Exchange,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import type { Described, node } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

import { NodeProgress } from "./node-progress.ts";
import { nodesBody, type NodeSource } from "./nodes.ts";

/** What is told of. */
export interface NodeNewsOptions {
  readonly source: NodeSource;
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Node = Described<typeof node>;

/** All nodes are looked at once in so many milliseconds, however many change. The same for those who ask. */
const GATHER_MS = 100;

/** How many streams are told in one turn of the event loop. */
const TOLD_PER_TURN = 64;

/** Watches the nodes of a directory for those who ask. */
export class NodeNews {
  /** What goes on between the nodes, for those who ask for that, too. */
  readonly progress: NodeProgress;
  readonly #options: NodeNewsOptions;
  readonly #streams = new Set<EventStream>();
  /** What those have been told of each node, by its id; or what they are being told. */
  #told = new Map<string, string>();
  /** The event that tells of all nodes, no older than `#told`. */
  #all: { readonly text: string; readonly atMs: number } | undefined;
  #hasChanged = false;
  #isDue = false;

  constructor(options: NodeNewsOptions) {
    this.#options = options;
    this.progress = new NodeProgress(options);
  }

  /** Nodes may have come, gone or changed. */
  changed(): void {
    this.#hasChanged = true;
    if (this.#streams.size === 0) this.#all = undefined;
    else this.#tellSoon();
  }

  /** `GET /nodes/watch` */
  answer(exchange: Exchange): Answer {
    const wantsProgress = readProgress(exchange.query("progress").progress);
    const { streams } = this.#options;
    streams.check();
    return exchange.events(streams, (open) => {
      const text = this.#textOfAll();
      const stream = open({ onGone: () => this.#leave(stream) });
      this.#streams.add(stream);
      stream.send(text);
      if (wantsProgress) this.progress.join(stream);
    });
  }

  #leave(stream: EventStream): void {
    this.progress.leave(stream);
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    this.#all = undefined;
    this.#told.clear();
  }

  #textOfAll(): string {
    const { source, clock } = this.#options;
    const atMs = clock.elapsedMs();
    if (this.#all === undefined || atMs - this.#all.atMs >= GATHER_MS) {
      const { nodes } = nodesBody(source);
      // To others, what has changed since they were told is still news.
      if (this.#streams.size === 0) this.#told = factsOf(nodes);
      this.#all = { text: eventText("nodes", JSON.stringify({ nodes })), atMs };
    }
    return this.#all.text;
  }

  #tellSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.after(GATHER_MS, () => {
      this.#hasChanged = false;
      void this.#tell()
        .catch((cause: unknown) => {
          this.#options.logger.error("nodes could not be told of", { error: String(cause) });
        })
        .then(() => {
          this.#isDue = false;
          if (this.#hasChanged && this.#streams.size > 0) this.#tellSoon();
        });
    });
  }

  /** Tells all streams what has changed, and resolves once all have been told. */
  async #tell(): Promise<void> {
    const { nodes } = nodesBody(this.#options.source);
    const facts = factsOf(nodes);
    const changed = nodes.filter(({ id }) => facts.get(id) !== this.#told.get(id));
    const forgotten = [...this.#told.keys()].filter((id) => !facts.has(id));
    this.#told = facts;
    this.#all = undefined;
    const news = [
      ...changed.map((one) => eventText("node", JSON.stringify(one))),
      ...forgotten.map((id) => eventText("forgotten", JSON.stringify({ id }))),
    ].join("");
    if (news === "") return;
    await inTurns(this.#streams, TOLD_PER_TURN, (stream) => {
      // Who comes again is told of all nodes.
      if (stream.isOpen) stream.send(news);
      else stream.end();
    });
  }
}

/** Throws `INVALID_ARGUMENT`. */
function readProgress(text: string | undefined): boolean {
  if (text === undefined || text === "true" || text === "false") return text === "true";
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`progress\` to be \`true\` or \`false\`, got \`${text.slice(0, 100)}\``,
  );
}

/** What is told of by id: not lag and load, which change all the time. */
function factsOf(nodes: readonly Node[]): Map<string, string> {
  return new Map(
    nodes.map(({ id, status, goneSinceMs, url, lat, lon }) => [
      id,
      JSON.stringify([status, goneSinceMs, url, lat, lon]),
    ]),
  );
}
