/**
 * Passes the links of nodes on to the directory that writes the log. It is told by its owner in which epoch that is, and asks twice a second whether
 * the writer is there. A writer that does not answer for three seconds is gone, and with it all links; so it is when another one writes.
 */
import type { Uplink, UplinkEvents, UplinkLink } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";

import {
  decodeFeed,
  decodePacket,
  encodeAddress,
  encodePacket,
  PACKET,
  type RelayPacket,
} from "./relay-packets.ts";
import { RelayLink } from "./relay-link.ts";
import { serverAddress, writerAddress, type RelayWire } from "./relay-wire.ts";

/** What the owner of a client hears. */
export interface RelayClientEvents {
  /** The writer answers, or does so no more. */
  onUp(isUp: boolean): void;
  /** The writer has committed the log through there. */
  onCommitted(through: number): void;
  /** The `registry` of the writer, as text. */
  onRegistry(text: string): void;
}

/** How a client is made. */
export interface RelayClientOptions {
  readonly wire: RelayWire;
  /** Identifies this client: a number that no other one draws. */
  readonly id: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The last sequence that this directory has from the stream. */
  readonly committedThrough: () => number;
}

const PING_MS = 500;

/** How long the writer has time to answer what an operator asks. */
const ASK_MS = 3_000;
const LOST_MS = 3_000;

/** The registry of 3 000 nodes is 1 MB. */
const REGISTRY_BYTES_MAX = 16 * 1024 * 1024;

const NONE = new Uint8Array(0);

/** The way to the directory that writes. */
export class RelayClient implements Uplink {
  readonly #options: RelayClientOptions;
  readonly #address: string;
  readonly #links = new Map<number, RelayLink>();
  #events: RelayClientEvents | undefined;
  #epoch: number | undefined;
  #lastLink = 0;
  #lastQuestion = 0;
  /** Who waits for the answer to each question. */
  readonly #questions = new Map<number, (answer: string | undefined) => void>();
  #heardAtMs = -Infinity;
  #isUp = false;
  #registry: Uint8Array[] = [];
  #registryBytes = 0;
  #cancel: () => void = () => {};
  #endListening: () => void = () => {};

  constructor(options: RelayClientOptions) {
    this.#options = options;
    this.#address = serverAddress(options.id);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get epoch(): number | undefined {
    return this.#epoch;
  }

  start(events: RelayClientEvents): void {
    this.#events = events;
    const { wire } = this.#options;
    this.#endListening = wire.listen(this.#address, (bytes, from) => this.#onPacket(bytes, from));
    this.#ping();
  }

  stop(): void {
    this.#cancel();
    this.#endListening();
    this.#lose("The directory passes links on no more");
    this.#events = undefined;
  }

  /** A directory writes in that epoch. */
  writerIs(epoch: number): void {
    if (epoch === this.#epoch) return;
    this.#lose("Another directory writes the log");
    this.#epoch = epoch;
    this.#sendPing();
  }

  /** The directory that wrote says that it does so no more. */
  writerIsGone(): void {
    this.#lose("The directory that writes the log has stopped");
  }

  /** Asks something of the directory that writes. Rejects with `DIRECTORY_UNREACHABLE` if it does not answer; nobody knows then whether it has heard that. */
  ask(question: string): Promise<string> {
    const { clock } = this.#options;
    if (!this.#isUp) return Promise.reject(unanswered());
    this.#lastQuestion += 1;
    const number = this.#lastQuestion;
    const data = Buffer.from(question);
    return new Promise((resolve, reject) => {
      const cancel = clock.after(ASK_MS, () => this.#questions.get(number)?.(undefined));
      this.#questions.set(number, (answer) => {
        cancel();
        this.#questions.delete(number);
        if (answer === undefined) reject(unanswered());
        else resolve(answer);
      });
      this.#send({ kind: PACKET.ask, link: 0, number, taken: 0, data });
    });
  }

  open(events: UplinkEvents, remoteAddress: string): UplinkLink {
    this.#lastLink += 1;
    const link = this.#lastLink;
    const end = new RelayLink({
      send: (packet) => this.#send({ ...packet, link }),
      onOver: () => this.#links.delete(link),
      hears: {
        message: (message, committedThrough) => events.onMessage(message, committedThrough),
        part: () => {},
        // Nodes send no more than their window.
        drain: () => {},
        feed: (data, committedThrough) => {
          const start = decodeFeed(data);
          if (start !== undefined) events.onFeed(start, committedThrough);
        },
        close: (code, reason, isLost) => events.onClose(code, reason, isLost),
      },
    });
    this.#links.set(link, end);
    end.sendPacket(PACKET.open, encodeAddress(remoteAddress));
    return end;
  }

  #ping(): void {
    const { clock } = this.#options;
    if (this.#isUp && clock.elapsedMs() - this.#heardAtMs > LOST_MS) {
      this.#lose("The directory that writes the log does not answer");
    }
    this.#sendPing();
    this.#cancel = clock.after(PING_MS, () => this.#ping());
  }

  #sendPing(): void {
    this.#send({ kind: PACKET.ping, link: 0, number: 0, taken: 0, data: NONE });
  }

  #send(packet: Omit<RelayPacket, "committedThrough">): void {
    if (this.#epoch === undefined) return;
    const { wire, committedThrough } = this.#options;
    const bytes = encodePacket({ ...packet, committedThrough: committedThrough() });
    wire.send(writerAddress(this.#epoch), bytes, this.#address);
  }

  #onPacket(bytes: Uint8Array, from: string): void {
    if (this.#epoch === undefined || from !== writerAddress(this.#epoch)) return;
    const packet = decodePacket(bytes);
    if (packet === undefined) return;
    this.#heardAtMs = this.#options.clock.elapsedMs();
    this.#events?.onCommitted(packet.committedThrough);
    // A link that is over here ends at the writer, too, once nothing comes on it.
    if (packet.link !== 0) return this.#links.get(packet.link)?.receive(packet);
    if (packet.kind === PACKET.answer) {
      this.#questions.get(packet.number)?.(Buffer.from(packet.data).toString());
    } else if (packet.kind === PACKET.ping) this.#setUp(true);
    else this.#takeRegistry(packet);
  }

  /** Of a registry that has lost a part, nothing is told: the next one comes soon. */
  #takeRegistry({ kind, number, data }: RelayPacket): void {
    if (number === 1) this.#dropRegistry();
    if (number !== this.#registry.length + 1) return this.#dropRegistry();
    this.#registry.push(data);
    this.#registryBytes += data.byteLength;
    if (this.#registryBytes > REGISTRY_BYTES_MAX) return this.#dropRegistry();
    if (kind !== PACKET.registry) return;
    const text = Buffer.concat(this.#registry).toString();
    this.#dropRegistry();
    this.#events?.onRegistry(text);
  }

  #dropRegistry(): void {
    this.#registry = [];
    this.#registryBytes = 0;
  }

  #setUp(isUp: boolean): void {
    if (isUp === this.#isUp) return;
    this.#isUp = isUp;
    this.#options.logger.info(
      isUp ? "links go to the directory that writes" : "the directory that writes is gone",
      { epoch: this.#epoch },
    );
    this.#events?.onUp(isUp);
  }

  #lose(why: string): void {
    this.#epoch = undefined;
    this.#dropRegistry();
    this.#setUp(false);
    for (const link of this.#links.values()) link.lose(why);
    for (const answer of this.#questions.values()) answer(undefined);
  }
}

function unanswered(): MeridianError {
  const said = "The directory that writes the log does not answer this one";
  return new MeridianError("DIRECTORY_UNREACHABLE", said);
}
