/** Tells of the coming and going of nodes, as server-sent events: first of all nodes, then of each that comes, goes, moves or changes its status. */
import {
  eventText,
  inTurns,
  sendInTurns,
  type Answer,
  type EventStream,
  type EventStreams,
  type Exchange,
} from "@meridian/http";
import { MeridianError } from "@meridian/protocol";
import type { Described, node } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

import { NodeProgress } from "./node-progress.ts";
import { describeKnown, knownNodes, nodesBody, type NodeSource } from "./nodes.ts";

/** The nodes, the streams and the clock. */
export interface NodeNewsOptions {
  readonly source: NodeSource;
  /** The directories that are followed, and whether each is reached. */
  readonly peers: () => readonly { readonly name: string; readonly connected: boolean }[];
  readonly streams: EventStreams;
  readonly clock: Clock;
  readonly logger: Logger;
}

type Node = Described<typeof node>;

/** All nodes are compared at most once in so many milliseconds, however many change. An event for new streams is used for as long. */
const GATHER_MS = 100;

/** How many nodes are compared in one turn of the event loop. */
const COMPARED_PER_TURN = 128;

/** The facts of a node of which some streams have been told something else than the others. */
const TOLD_DIFFERENTLY = "";

/** The links of directories are looked at this often, in milliseconds: a directory without nodes comes and goes without a change of nodes. */
const PEERS_MS = 1_000;

/** Watches the nodes of a directory for those who ask. */
export class NodeNews {
  /** The progress of the nodes, for streams that ask for it. */
  readonly progress: NodeProgress;
  readonly #options: NodeNewsOptions;
  readonly #streams = new Set<EventStream>();
  /** What the streams have been told of each node, by its id. Another map once all streams have gone. */
  #told = new Map<string, string>();
  /** The event that tells a new stream of all nodes. Where it differs from `#told`, that is marked there. */
  #all:
    | { readonly text: string; readonly nodes: readonly Node[]; readonly atMs: number }
    | undefined;
  #hasChanged = false;
  #isDue = false;
  /** What the streams have been told of the directories; undefined while there are no streams. */
  #peersTold: string | undefined;

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
      this.#watchPeers();
      if (wantsProgress) this.progress.join(stream);
    });
  }

  #leave(stream: EventStream): void {
    this.progress.leave(stream);
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    this.#all = undefined;
    this.#told = new Map();
  }

  /** Looks at the links of the followed directories, if there are any, until all streams have gone. */
  #watchPeers(): void {
    const { peers, clock } = this.#options;
    if (this.#peersTold !== undefined || peers().length === 0) return;
    this.#peersTold = this.#textOfPeers();
    const look = (): void => {
      if (this.#streams.size === 0) return void (this.#peersTold = undefined);
      const text = this.#textOfPeers();
      if (text !== this.#peersTold) this.#tellAll(eventText("directories", text));
      this.#peersTold = text;
      clock.after(PEERS_MS, look);
    };
    clock.after(PEERS_MS, look);
  }

  #textOfPeers(): string {
    const peers = this.#options.peers().map(({ name, connected }) => ({ name, connected }));
    return JSON.stringify({ peers });
  }

  #tellAll(text: string): void {
    // A client that comes again asks for the directories anew.
    sendInTurns(this.#streams, text, (stream) => stream.end()).catch((cause: unknown) => {
      this.#options.logger.error("directories could not be told of", { error: String(cause) });
    });
  }

  #textOfAll(): string {
    const { source, clock } = this.#options;
    const atMs = clock.elapsedMs();
    if (this.#all === undefined || atMs - this.#all.atMs >= GATHER_MS) {
      const { nodes } = nodesBody(source);
      this.#all = { text: eventText("nodes", JSON.stringify({ nodes })), nodes, atMs };
      if (this.#streams.size === 0) this.#told = new Map(nodes.map(toldOf));
      else this.#mark(nodes);
    }
    return this.#all.text;
  }

  /** Marks of which nodes the newest stream has been told something else than the others: whatever comes of these is news to some of them. */
  #mark(nodes: readonly Node[]): void {
    const facts = new Map(nodes.map(toldOf));
    for (const id of new Set([...facts.keys(), ...this.#told.keys()])) {
      if (facts.get(id) !== this.#told.get(id)) this.#told.set(id, TOLD_DIFFERENTLY);
    }
  }

  #tellSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#options.clock.after(GATHER_MS, () => {
      this.#hasChanged = false;
      this.#all = undefined;
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

  /** Tells the streams what has changed since they were told, and resolves once all have been told. */
  async #tell(): Promise<void> {
    const before = this.#told;
    // A stream that is opened meanwhile is told of all nodes, as they are by then.
    const streams = [...this.#streams];
    const told = new Map<string, string>();
    const news: string[] = [];
    await inTurns(knownNodes(this.#options.source), COMPARED_PER_TURN, (known) => {
      const node = describeKnown(known);
      const [id, facts] = toldOf(node);
      told.set(id, facts);
      if (before.get(id) !== facts) news.push(eventText("node", JSON.stringify(node)));
    });
    // All streams have gone meanwhile. Those that have come since have been told everything.
    if (this.#told !== before) return;
    for (const id of before.keys()) {
      if (!told.has(id)) news.push(eventText("forgotten", JSON.stringify({ id })));
    }
    this.#told = told;
    if (this.#all !== undefined) this.#mark(this.#all.nodes);
    // A client that comes again is told of all nodes.
    if (news.length > 0) await sendInTurns(streams, news.join(""), (stream) => stream.end());
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

/** The id of a node, and what the streams are told of it: not lag and load, which change all the time. */
function toldOf({ id, status, goneSinceMs, url, lat, lon }: Node): [string, string] {
  return [id, JSON.stringify([status, goneSinceMs, url, lat, lon])];
}
