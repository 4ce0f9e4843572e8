import type { Link, LinkEvents } from "@meridian/ports";
import { closeCodeOf } from "@meridian/protocol";

import type { World } from "./world.ts";

/** What the network does to messages. */
export interface NetworkFaults {
  readonly delayMs: readonly [number, number];
  /** Probability that a message is lost although the link stays. */
  readonly loss: number;
  readonly duplication: number;
  /** Whether messages may overtake each other. */
  readonly reorder: boolean;
  /** Bytes a second that a link carries. */
  readonly bytesPerSecond: number;
}

/** Watches the messages of the network, and may change them. */
export interface Tap {
  /** Called when an end is given a message to send. */
  onSend?(end: End, message: string | Uint8Array): void;
  /** What arrives in place of a message; undefined for nothing. */
  rewrite?(message: string | Uint8Array, to: End): string | Uint8Array | undefined;
  /** Called when a message arrives. */
  onDeliver?(end: End, message: string | Uint8Array): void;
  /** Called when an end closes its link because the other one has said what cannot be. */
  onDisbelief?(end: End, reason: string): void;
}

/** The directions that are cut, as seen from the host. */
export type CutWays = "both" | "in" | "out";

/** How a party ends the link of one that says what cannot be. */
const MALFORMED_CODE = closeCodeOf("MALFORMED_MESSAGE");

/** After how many milliseconds a sender tries again on a dead line. */
const DEAD_LINE_MS = 50;

/** Draws the properties of a network, which may be slow; a lossy one may also lose, duplicate and reorder messages. The slowest one carries `bytesPerSecond`. */
export function drawNetwork(world: World, isLossy: boolean, bytesPerSecond: number): NetworkFaults {
  return {
    delayMs: [world.between(0, 5), world.between(5, 120)],
    loss: isLossy ? world.between(0, 0.02) : 0,
    duplication: isLossy ? world.between(0, 0.05) : 0,
    reorder: isLossy && world.chance(0.5),
    bytesPerSecond: world.pick([bytesPerSecond, 1_000_000]),
  };
}

/** One end of a connection. Invariant: a closed or dead end receives nothing more. */
export class End implements Link {
  readonly #network: Network;
  readonly host: string;
  peer: End | undefined;
  events: LinkEvents | undefined;
  closed = false;
  bufferedBytes = 0;
  #freeAtMs = 0;
  #wasFull = false;

  constructor(network: Network, host: string) {
    this.#network = network;
    this.host = host;
  }

  send(message: string | Uint8Array): void {
    if (this.closed || this.peer === undefined) return;
    const { world, faults } = this.#network;
    const bytes = message.length;
    this.bufferedBytes += bytes;
    for (const tap of this.#network.taps) tap.onSend?.(this, message);
    if (this.bufferedBytes > this.#network.drainBytes) this.#wasFull = true;
    this.#freeAtMs =
      Math.max(this.#freeAtMs, world.nowMs) + (bytes / faults.bytesPerSecond) * 1_000;
    world.schedule(this.#freeAtMs - world.nowMs, () => this.#sent(bytes));
    // The receiver may keep the bytes and write into them, as it may with a buffer from a socket.
    const copies = world.chance(faults.duplication) ? 2 : 1;
    for (let copy = 0; copy < copies; copy += 1) {
      if (world.chance(faults.loss)) continue;
      const payload = typeof message === "string" ? message : message.slice();
      this.#network.deliver(this, this.peer, payload, this.#freeAtMs - world.nowMs);
    }
    this.#network.onSent(this.host);
  }

  close(code: number, reason: string): void {
    if (this.closed) return;
    const peer = this.peer;
    if (code === MALFORMED_CODE)
      for (const tap of this.#network.taps) tap.onDisbelief?.(this, reason);
    this.finish(code, reason);
    if (peer !== undefined) this.#network.hangUp(this, peer, code, reason);
  }

  /** Closes this end alone. */
  finish(code: number, reason: string): void {
    if (this.closed) return;
    this.closed = true;
    const { events } = this;
    // As with sockets, the owner hears of it later.
    this.#network.world.schedule(0, () => events?.onClose(code, reason));
  }

  #sent(bytes: number): void {
    const { world } = this.#network;
    // Nothing leaves the buffers while the line is dead.
    if (!this.closed && this.peer !== undefined && !this.#network.passes(this.host, this.peer.host))
      return world.schedule(DEAD_LINE_MS, () => this.#sent(bytes));
    this.bufferedBytes -= bytes;
    if (this.closed || !this.#wasFull || this.bufferedBytes > this.#network.drainBytes / 4) return;
    this.#wasFull = false;
    this.events?.onDrain();
  }
}

/** Connects hosts, and makes connections slow, lossy, cut or broken. */
export class Network {
  readonly world: World;
  faults: NetworkFaults;
  /** Links report that they have drained once they have held more bytes than this. */
  readonly drainBytes: number;
  readonly taps: Tap[] = [];
  /** Called when a host has sent a message. */
  onSent: (host: string) => unknown = () => {};
  /** Whether everything that is sent arrives in its order, once, for as long as the link stays. */
  readonly isFaithful: boolean;
  readonly #ends = new Set<End>();
  /** Hosts that receive nothing, hosts from which nothing arrives, and pairs of hosts that are cut from each other. */
  readonly #cut = { in: new Set<string>(), out: new Set<string>(), between: new Set<string>() };
  /** The last arrival in each direction, so that links keep their order. */
  readonly #arrivals = new Map<End, number>();

  constructor(world: World, faults: NetworkFaults, drainBytes: number) {
    this.world = world;
    this.faults = faults;
    this.drainBytes = drainBytes;
    this.isFaithful = faults.loss === 0 && faults.duplication === 0 && !faults.reorder;
  }

  /** Connects a host to a server, whose `accept` is asked when the connection arrives; undefined if it is dead. */
  dial(
    host: string,
    server: string,
    events: LinkEvents,
    accept: () => ((link: Link) => LinkEvents) | undefined,
  ): Link {
    const near = new End(this, host);
    near.events = events;
    this.#ends.add(near);
    this.world.schedule(this.#delayMs(), () => {
      if (near.closed || !this.passes(host, server) || !this.passes(server, host)) return;
      const acceptor = accept();
      if (acceptor === undefined) return near.finish(1006, "refused");
      const far = new End(this, server);
      this.#ends.add(far);
      near.peer = far;
      far.peer = near;
      far.events = acceptor(far);
      this.world.schedule(this.#delayMs(), () => {
        if (!near.closed) near.events?.onOpen();
      });
    });
    return near;
  }

  deliver(from: End, to: End, message: string | Uint8Array, sentInMs: number): void {
    let atMs = this.world.nowMs + sentInMs + this.#delayMs();
    if (!this.faults.reorder) {
      atMs = Math.max(atMs, this.#arrivals.get(to) ?? 0);
      this.#arrivals.set(to, atMs);
    }
    this.world.schedule(atMs - this.world.nowMs, () => {
      if (!to.closed && this.passes(from.host, to.host)) this.#arrive(to, message);
    });
  }

  hangUp(from: End, to: End, code: number, reason: string): void {
    const delayMs = Math.max(this.#delayMs(), (this.#arrivals.get(to) ?? 0) - this.world.nowMs);
    this.world.schedule(delayMs, () => {
      if (this.passes(from.host, to.host)) to.finish(code, reason);
    });
  }

  /** Whether a host is cut off in either direction. */
  isCut(host: string): boolean {
    return this.#cut.in.has(host) || this.#cut.out.has(host);
  }

  /** Cuts a host off, in both directions or one; no end of a connection is told. */
  cut(host: string, ways: CutWays = "both"): void {
    if (ways !== "out") this.#cut.in.add(host);
    if (ways !== "in") this.#cut.out.add(host);
  }

  heal(host: string): void {
    this.#cut.in.delete(host);
    this.#cut.out.delete(host);
  }

  /** Cuts two hosts from each other; both still reach other hosts. */
  cutBetween(host: string, other: string): void {
    this.#cut.between.add(`${host} ${other}`);
  }

  healBetween(host: string, other: string): void {
    this.#cut.between.delete(`${host} ${other}`);
  }

  /** Ends all cuts. */
  healAll(): void {
    for (const cut of Object.values(this.#cut)) cut.clear();
  }

  /** Kills the process on a host: its ends send nothing more, and the other ends are closed, as by the kernel. */
  kill(host: string): void {
    for (const end of this.#ends) {
      if (end.host !== host || end.closed) continue;
      end.closed = true;
      if (end.peer !== undefined) this.hangUp(end, end.peer, 1006, "");
    }
    this.#forgetClosed();
  }

  /** Breaks all connections of a host, whose processes live on. */
  breakLinks(host: string): void {
    for (const end of this.#ends) {
      if (end.host !== host || end.closed) continue;
      end.peer?.finish(1006, "");
      end.finish(1006, "");
    }
    this.#forgetClosed();
  }

  /** Whether messages from host `from` arrive at host `to`. */
  passes(from: string, to: string): boolean {
    const { out, in: into, between } = this.#cut;
    if (out.has(from) || into.has(to)) return false;
    return !between.has(`${from} ${to}`) && !between.has(`${to} ${from}`);
  }

  #arrive(to: End, message: string | Uint8Array): void {
    let arriving: string | Uint8Array | undefined = message;
    for (const tap of this.taps) {
      if (tap.rewrite !== undefined && arriving !== undefined) {
        arriving = tap.rewrite(arriving, to);
      }
    }
    if (arriving === undefined) return;
    for (const tap of this.taps) tap.onDeliver?.(to, arriving);
    to.events?.onMessage(arriving);
  }

  #forgetClosed(): void {
    for (const end of this.#ends) if (end.closed) this.#ends.delete(end);
  }

  #delayMs(): number {
    const [low, high] = this.faults.delayMs;
    return this.world.between(low, high);
  }
}
