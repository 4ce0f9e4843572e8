/**
 * Takes in the links of nodes that other directories serve, at the directory that writes the log. A directory that says nothing for three
 * seconds is gone, and with it the links of its nodes.
 */
import type { FeedStart, Link, LinkEvents } from "@meridian/ports";
import { closeCodeOf } from "@meridian/protocol";
import type { Clock, Logger } from "@meridian/runtime";

import {
  decodeAddress,
  decodePacket,
  encodeFeed,
  encodePacket,
  PACKET,
  RELAY_PART_BYTES,
  type RelayPacket,
} from "./relay-packets.ts";
import { RelayLink } from "./relay-link.ts";
import { writerAddress, type RelayWire } from "./relay-wire.ts";

/** What a host asks of the directory. */
export interface RelayHostEvents {
  /** Takes in a link, of which this directory is to feed nothing: `feed` says from where the other one does. */
  accept(link: Link, remoteAddress: string, feed: (start: FeedStart) => void): LinkEvents;
  /** The `registry`, as text. */
  readonly registry: () => string;
  /** Answers what an operator has asked of another directory, in the words of whoever asks. Never rejects. */
  readonly ask: (question: string) => Promise<string>;
}

/** How a host is made. */
export interface RelayHostOptions extends RelayHostEvents {
  readonly wire: RelayWire;
  readonly epoch: number;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly committedThrough: () => number;
}

/** A directory that passes links on. */
interface Server {
  readonly links: Map<number, RelayLink>;
  heardAtMs: number;
  toldAtMs: number;
}

const WATCH_MS = 500;
const LOST_MS = 3_000;

/** How often the registry is told. */
const REGISTRY_MS = 1_000;

const SERVERS_MAX = 64;

/** Each server has at most so many links; the directory itself bounds the nodes. */
const LINKS_MAX = 8_192;

const NONE = new Uint8Array(0);

/** The other end of `RelayClient`s. */
export class RelayHost {
  readonly #options: RelayHostOptions;
  readonly #address: string;
  readonly #servers = new Map<string, Server>();
  #cancel: () => void = () => {};
  #endListening: () => void = () => {};

  constructor(options: RelayHostOptions) {
    this.#options = options;
    this.#address = writerAddress(options.epoch);
  }

  /** How many directories pass links on. */
  get servers(): number {
    return this.#servers.size;
  }

  start(): void {
    const { wire } = this.#options;
    this.#endListening = wire.listen(this.#address, (bytes, from) => this.#onPacket(bytes, from));
    this.#watch();
  }

  stop(): void {
    this.#cancel();
    this.#endListening();
    for (const from of this.#servers.keys()) this.#drop(from, "The directory is shutting down");
  }

  #watch(): void {
    const { clock } = this.#options;
    const nowMs = clock.elapsedMs();
    for (const [from, { heardAtMs }] of this.#servers) {
      if (nowMs - heardAtMs > LOST_MS) this.#drop(from, "The directory of the node is gone");
    }
    this.#cancel = clock.after(WATCH_MS, () => this.#watch());
  }

  #drop(from: string, why: string): void {
    const server = this.#servers.get(from);
    if (server === undefined) return;
    this.#servers.delete(from);
    this.#options.logger.info("a directory that served nodes is gone", { server: from });
    for (const link of server.links.values()) link.lose(why);
  }

  #onPacket(bytes: Uint8Array, from: string): void {
    const packet = decodePacket(bytes);
    const server = packet && this.#serverOf(from);
    if (packet === undefined || server === undefined) return;
    server.heardAtMs = this.#options.clock.elapsedMs();
    if (packet.kind === PACKET.ask) return void this.#answer(packet, from);
    if (packet.link === 0) return this.#onPing(server, from);
    if (packet.kind === PACKET.open) this.#open(server, packet, from);
    const link = server.links.get(packet.link);
    if (link !== undefined) return link.receive(packet);
    if (packet.kind === PACKET.close) return;
    // The other end does not know that the link is over. It finds a gap in the numbers.
    this.#send(from, { kind: PACKET.alive, link: packet.link, number: 0, taken: 0, data: NONE });
  }

  #serverOf(from: string): Server | undefined {
    const known = this.#servers.get(from);
    if (known !== undefined || this.#servers.size >= SERVERS_MAX) return known;
    const made = { links: new Map(), heardAtMs: 0, toldAtMs: -Infinity };
    this.#servers.set(from, made);
    this.#options.logger.info("another directory serves nodes", { server: from });
    return made;
  }

  #onPing(server: Server, from: string): void {
    const { clock, registry } = this.#options;
    this.#send(from, { kind: PACKET.ping, link: 0, number: 0, taken: 0, data: NONE });
    const nowMs = clock.elapsedMs();
    if (nowMs - server.toldAtMs < REGISTRY_MS) return;
    server.toldAtMs = nowMs;
    const text = Buffer.from(registry());
    for (let start = 0, number = 1; start < text.byteLength; number += 1) {
      const end = Math.min(start + RELAY_PART_BYTES, text.byteLength);
      const kind = end === text.byteLength ? PACKET.registry : PACKET.part;
      const data = text.subarray(start, end);
      this.#send(from, { kind, link: 0, number, taken: 0, data });
      start = end;
    }
  }

  async #answer({ number, data }: RelayPacket, from: string): Promise<void> {
    const text = await this.#options.ask(Buffer.from(data).toString());
    const answer = Buffer.from(text);
    this.#send(from, { kind: PACKET.answer, link: 0, number, taken: 0, data: answer });
  }

  #open(server: Server, { link, data }: RelayPacket, from: string): void {
    const remoteAddress = decodeAddress(data);
    let events: LinkEvents | undefined;
    const end: RelayLink = new RelayLink({
      send: (packet) => this.#send(from, { ...packet, link }),
      onOver: () => server.links.delete(link),
      hears: {
        message: (message) => events?.onMessage(message),
        part: () => events?.onPart(),
        drain: () => events?.onDrain(),
        // Only the writer says where.
        feed: () => {},
        close: (code, reason) => events?.onClose(code, reason),
      },
    });
    if (server.links.has(link)) return;
    server.links.set(link, end);
    if (remoteAddress === undefined || server.links.size > LINKS_MAX) {
      const code = remoteAddress === undefined ? "MALFORMED_MESSAGE" : "OVERLOADED";
      return end.close(closeCodeOf(code), `Expected at most ${LINKS_MAX} links, with addresses`);
    }
    const feed = (start: FeedStart): void => end.sendPacket(PACKET.feed, encodeFeed(start));
    events = this.#options.accept(end, remoteAddress, feed);
    events.onOpen();
  }

  #send(from: string, packet: Omit<RelayPacket, "committedThrough">): void {
    const { wire, committedThrough } = this.#options;
    wire.send(
      from,
      encodePacket({ ...packet, committedThrough: committedThrough() }),
      this.#address,
    );
  }
}
