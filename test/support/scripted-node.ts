/** A node on a real database. The test speaks for its directory. */
import type { LinkEvents } from "@meridian/ports";
import {
  decodeNodeMessage,
  encodeMessage,
  type DirectoryMessage,
  type Entry,
  type FrameHeader,
  type NodeMessage,
  type Welcome,
} from "@meridian/protocol";
import { Replica } from "@meridian/replication";
import { silentLogger, systemClock, systemRandom } from "@meridian/runtime";
import { openReplicaStore, type SqliteReplicaStore } from "@meridian/store";
import { frameWith, welcomeWith } from "@meridian/testkit";

/** How many turns of the event loop `rest` waits at most. */
const TURNS_MAX = 10_000_000;
/** After how many turns without a new message or commit the node is at rest. */
const STILL_TURNS = 50;

const PATIENCE_MS = 60_000;

type Said<Type> = Extract<NodeMessage, { readonly type: Type }>;

/** A node whose `hello` is answered when the test calls `welcome`. */
export class ScriptedNode {
  readonly store: SqliteReplicaStore;
  readonly replica: Replica;
  /** The messages that the node has sent on its present link, and the number of frames. */
  texts: NodeMessage[] = [];
  frames = 0;
  closed: string | undefined;
  #events: LinkEvents | undefined;

  private constructor(store: SqliteReplicaStore) {
    this.store = store;
    this.replica = new Replica({
      node: { cluster: "test", id: "a", region: "a", ip: null, port: 1, url: null, lat: 0, lon: 0 },
      store,
      dial: (events) => {
        this.#events = events;
        this.texts = [];
        setImmediate(() => events.onOpen());
        const close = (code: number, reason: string): void => {
          this.closed = `${code} ${reason}`;
          setImmediate(() => events.onClose(code, reason));
        };
        return { bufferedBytes: 0, send: (message) => this.#hear(message), close };
      },
      clock: systemClock,
      random: systemRandom,
      logger: silentLogger,
      defer: (callback) => setImmediate(callback),
      // On a busy machine, answers may be late: the node must not take its directory for dead.
      limits: { stallMs: PATIENCE_MS },
    });
  }

  /** Opens the database and starts the node on it. Resolves once the node has greeted. */
  static async start(path: string): Promise<ScriptedNode> {
    const node = new ScriptedNode(
      await openReplicaStore({
        path,
        durability: "process",
        clock: systemClock,
        random: systemRandom,
        logger: silentLogger,
      }),
    );
    node.replica.start();
    await node.rest();
    return node;
  }

  async stop(): Promise<void> {
    this.#events?.onClose(1006, "");
    await this.replica.stop();
    await this.store.close();
  }

  say(message: DirectoryMessage): void {
    this.#events?.onMessage(encodeMessage(message));
  }

  welcome(more: Partial<Welcome>): void {
    this.say(welcomeWith({ nowMs: Date.now(), leaseMs: PATIENCE_MS, ...more }));
  }

  feed(header: Partial<FrameHeader>, entries: readonly Entry[]): void {
    this.#events?.onMessage(frameWith({ sentAtMs: Date.now(), ...header }, entries));
  }

  /** Breaks the link. Resolves once the node has sent its `hello` on a new one. */
  async reconnect(): Promise<void> {
    const events = this.#events;
    events?.onClose(1006, "");
    while (this.#events === events || this.texts.length === 0) await turn();
  }

  /** The last message of that type that the node has sent. Throws if there is none. */
  said<Type extends NodeMessage["type"]>(type: Type): Said<Type> {
    const found = this.texts.findLast((each): each is Said<Type> => each.type === type);
    if (found === undefined) throw new Error(`Expected the node to say \`${type}\``);
    return found;
  }

  /** Resolves once the node is at rest. */
  async rest(): Promise<void> {
    let [still, before] = [0, ""];
    for (let turns = 0; still < STILL_TURNS; turns += 1) {
      if (turns > TURNS_MAX) throw new Error("The node never came to rest");
      await turn();
      const { outboxThrough, outboxAcknowledged, backlogBytes } = this.store;
      const beats = this.texts.filter(({ type }) => type !== "heartbeat").length;
      const now = [outboxThrough, outboxAcknowledged, backlogBytes, beats, this.frames].join();
      still = now === before && backlogBytes === 0 ? still + 1 : 0;
      before = now;
    }
  }

  #hear(message: string | Uint8Array): void {
    if (typeof message === "string") this.texts.push(decodeNodeMessage(message));
    else this.frames += 1;
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
