/** Tells of the coming and going of nodes, as server-sent events: first of all nodes, then of each that comes, goes, moves or changes its status. */
import type { Answer, EventStream, EventStreams, Exchange } from "@meridian/http";
import type { Described, node } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

import { nodesBody, type NodeSource } from "./nodes.ts";

/** What is told of. */
export interface NodeNewsOptions {
  readonly source: NodeSource;
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Node = Described<typeof node>;

/** Changes within so many milliseconds are told together. */
const GATHER_MS = 100;

/** Watches the nodes of a directory for those who ask. */
export class NodeNews {
  readonly #options: NodeNewsOptions;
  readonly #streams = new Set<EventStream>();
  /** What those have been told of each node, by its id. */
  #told = new Map<string, string>();
  #isDue = false;

  constructor(options: NodeNewsOptions) {
    this.#options = options;
  }

  /** Nodes may have come, gone or changed. */
  changed(): void {
    if (this.#isDue || this.#streams.size === 0) return;
    this.#isDue = true;
    this.#options.clock.after(GATHER_MS, () => {
      this.#isDue = false;
      try {
        this.#tell();
      } catch (cause) {
        this.#options.logger.error("nodes could not be told of", { error: String(cause) });
      }
    });
  }

  /** `GET /nodes/watch` */
  answer(exchange: Exchange): Answer {
    exchange.query();
    const { source, streams } = this.#options;
    streams.check();
    return exchange.events(streams, (open) => {
      // So that what comes next is news to the newcomer, too.
      if (this.#streams.size > 0) this.#tell();
      else this.#told = factsOf(nodesBody(source).nodes);
      const stream = open({ onGone: () => void this.#streams.delete(stream) });
      this.#streams.add(stream);
      stream.send(undefined, "nodes", JSON.stringify(nodesBody(source)));
    });
  }

  #tell(): void {
    const { nodes } = nodesBody(this.#options.source);
    const facts = factsOf(nodes);
    for (const one of nodes) {
      if (facts.get(one.id) !== this.#told.get(one.id)) this.#send("node", JSON.stringify(one));
    }
    for (const id of this.#told.keys()) {
      if (!facts.has(id)) this.#send("forgotten", JSON.stringify({ id }));
    }
    this.#told = facts;
  }

  #send(name: string, json: string): void {
    for (const stream of this.#streams) {
      // Who comes again is told of all nodes.
      if (stream.isOpen) stream.send(undefined, name, json);
      else stream.end();
    }
  }
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
