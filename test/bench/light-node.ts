import {
  assembleFrame,
  encodeBlock,
  encodeMessage,
  FRAME_KIND,
  readFrameHeader,
  stampTimeOf,
  type Hello,
  type NodeMessage,
  type NodeStatus,
} from "@meridian/protocol";
import { silentLogger } from "@meridian/runtime";
import { heartbeatOf, helloOf } from "@meridian/testkit";
import { dialLink, type WebSocketLink } from "@meridian/transport";

/** Counts what arrives over the links of many nodes. */
export interface Received {
  /** A message of a directory has come to a node. `type` is `frame` for a frame. */
  onMessage(node: LightNode, type: string, message: string | Uint8Array): void;
  /** The link of a node was closed, and the node had not said goodbye. */
  onLost(node: LightNode, code: number, reason: string): void;
}

/**
 * A node without data and clients, of which a thousand fit into one process: it sends what the protocol demands of a node. It does not connect again
 * when its link is lost.
 */
export class LightNode {
  readonly id: string;
  readonly #index: number;
  readonly #received: Received;
  readonly #link: WebSocketLink;
  #timer: NodeJS.Timeout | undefined;
  #status: NodeStatus = "ready";
  #applied = 0;
  #position = 0;
  #hasLeft = false;
  /** Whether the directory has taken it in. */
  isWelcome = false;

  constructor(directory: string, index: number, received: Received) {
    this.id = `node-${index}`;
    this.#index = index;
    this.#received = received;
    this.#link = dialLink(
      `${directory}/replicate`,
      {
        onOpen: () => this.#say(this.#hello()),
        onMessage: (message) => this.#hear(message),
        onPart: () => {},
        onDrain: () => {},
        onClose: (code, reason) => {
          clearInterval(this.#timer);
          if (!this.#hasLeft) received.onLost(this, code, reason);
        },
      },
      { logger: silentLogger },
    );
  }

  /** Says at once that its status has changed. */
  become(status: NodeStatus): void {
    this.#status = status;
    this.#beat();
  }

  /** Writes a key. */
  write(key: string, reportApplied: boolean): void {
    this.#position += 1;
    const time = stampTimeOf(Date.now()) + this.#position;
    const stamp = { time, origin: this.#incarnation };
    const value = new Uint8Array(100);
    const entry = { key, value, contentType: "", stamp, expiresAtMs: 0, deleted: false };
    const header = {
      kind: FRAME_KIND.entries,
      reportApplied,
      incomplete: false,
      count: 1,
      after: 0,
      through: 0,
      committedThrough: 0,
      highestTime: time,
      sentAtMs: Date.now(),
      incarnation: this.#incarnation,
      position: this.#position,
    };
    this.#link.send(assembleFrame(header, encodeBlock([entry])));
  }

  /** Says goodbye. */
  leave(): void {
    this.#hasLeft = true;
    this.#say({ type: "goodbye", nowMs: Date.now() });
    this.#link.close(1000, "");
  }

  get #incarnation(): number {
    return 1_000 + this.#index;
  }

  #hear(message: string | Uint8Array): void {
    // Nothing is parsed that need not be: what is measured is the directory.
    const type =
      typeof message === "string" ? (/"type":"([a-z-]+)"/.exec(message)?.[1] ?? "") : "frame";
    if (type === "welcome" && typeof message === "string") this.#onWelcome(message);
    if (typeof message !== "string") this.#onFrame(message);
    this.#received.onMessage(this, type, message);
  }

  #onWelcome(message: string): void {
    const { heartbeatMs, resumeAfter } = JSON.parse(message) as Record<string, number>;
    this.isWelcome = true;
    this.#applied = resumeAfter ?? 0;
    this.#beat();
    this.#timer = setInterval(() => this.#beat(), heartbeatMs);
  }

  #onFrame(message: Uint8Array): void {
    const { through, reportApplied } = readFrameHeader(message);
    this.#applied = through;
    if (reportApplied) this.#say({ type: "applied", nowMs: Date.now(), through });
  }

  #hello(): Hello {
    return helloOf({
      cluster: "meridian",
      nodeId: this.id,
      region: `region-${this.#index % 30}`,
      incarnation: this.#incarnation,
      port: 7_401,
      lat: (this.#index % 170) - 85,
      lon: (this.#index % 359) - 179,
      status: this.#status,
      nowMs: Date.now(),
    });
  }

  #beat(): void {
    const nowMs = Date.now();
    const load = { entries: 1_000, bytes: 524_288, requestsPerSecond: 12.5 };
    const said = { status: this.#status, appliedThrough: this.#applied, load };
    this.#say(heartbeatOf({ nowMs, lowestTime: stampTimeOf(nowMs), ...said }));
  }

  #say(message: NodeMessage): void {
    this.#link.send(encodeMessage(message));
  }
}
