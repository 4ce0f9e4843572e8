/**
 * Decides over what a request goes to a node: a WebSocket, where there is one, or HTTP.
 *
 * The first request to a node goes over HTTP, because a WebSocket takes a round trip more to open. With the second one, a WebSocket is opened beside it. A
 * node, or a proxy before it, that refuses WebSockets is asked again after minutes; one to which no connection can be made now, after a second or more;
 * one whose connection was open and has broken, at once.
 */
import { Backoff, type Random } from "@meridian/runtime";

import type { Events } from "./events.ts";
import type { Network } from "./exchange.ts";
import { NoAnswer, type Patience } from "./no-answer.ts";
import type { PooledNode } from "./node-pool.ts";
import { orAborted } from "./or-aborted.ts";
import { pause } from "./pause.ts";
import type * as OpenSocket from "./socket/open-socket.ts";
import type { SocketLink } from "./socket/socket-link.ts";
import type { Dial, WireEnd } from "./socket/wire.ts";

/** Over what requests go. */
export type Transport = "auto" | "http" | "websocket";

/** The parts of links. */
export interface SocketLinksOptions {
  readonly network: Network;
  readonly random: Random;
  readonly transport: Transport;
  readonly events: Events;
  /** Opens WebSockets instead of the platform. */
  readonly dial?: Dial | undefined;
  /** Ends all connections when the client is closed. */
  readonly closed: AbortSignal;
}

/** How long to wait before another try where WebSockets are refused, in milliseconds. */
const REFUSED_MS = 300_000;
/** The same where a connection could not be made: from, and to at most. */
const BROKEN_MS = 1_000;
const BROKEN_MS_MAX = 60_000;
/** How long a connection may take to open. */
const OPENING_MS = 10_000;

/** What is known of one node. */
interface Known {
  /** Requests that were sent over HTTP while there was no connection. */
  asked: number;
  link: SocketLink | undefined;
  /** How many calls wait for the connection. */
  holders: number;
  opening: Promise<void> | undefined;
  notBeforeMs: number;
  readonly breaks: Backoff;
}

/** The parts that are loaded when the first WebSocket is opened: what uses none does not load them. */
type Parts = typeof OpenSocket;

/** The WebSockets of a client: one for each node that it uses. */
export class SocketLinks {
  readonly #options: SocketLinksOptions;
  readonly #known = new WeakMap<PooledNode, Known>();
  readonly #links = new Set<SocketLink>();

  constructor(options: SocketLinksOptions) {
    this.#options = options;
    const end = (): void => {
      for (const link of this.#links) link.close();
    };
    options.closed.addEventListener("abort", end, { once: true });
  }

  /** Over what requests to a node go now. */
  transportOf(node: PooledNode): "http" | "websocket" {
    return this.#known.get(node)?.link?.isOpen === true ? "websocket" : "http";
  }

  /**
   * The link for a request to a node, which shows the token that is due; undefined if the request goes over HTTP. Throws `NoAnswer` if it must not.
   * What goes on for long is worth the wait for a connection: it `isLong`.
   */
  async linkFor(
    node: PooledNode,
    patience: Patience,
    isLong = false,
  ): Promise<SocketLink | undefined> {
    const { transport } = this.#options;
    if (transport === "http") return undefined;
    const known = this.#knownOf(node);
    const isForced = transport === "websocket";
    const waits = isForced || isLong;
    // Retires a link that has been silent for too long.
    const isFresh = known.link?.isOpen === true && known.link.isFresh;
    if (known.link?.isOver === true) known.link = undefined;
    if (known.link === undefined) {
      known.asked += 1;
      if (waits || known.asked > 1) this.#open(node, known);
    }
    if (isForced) await this.#allowed(node, known, patience);
    if (waits) await this.#opened(known, patience);
    const { link } = known;
    if (link?.isOpen !== true) {
      if (!isForced) return undefined;
      throw new NoAnswer("no WebSocket", "refused", false);
    }
    if (!isFresh && !waits) return undefined;
    return (await this.#show(link)) ? link : undefined;
  }

  #knownOf(node: PooledNode): Known {
    let known = this.#known.get(node);
    if (known === undefined) {
      const { random } = this.#options;
      const breaks = new Backoff({ random, firstMs: BROKEN_MS, maxMs: BROKEN_MS_MAX });
      known = {
        asked: 0,
        link: undefined,
        holders: 0,
        opening: undefined,
        notBeforeMs: -Infinity,
        breaks,
      };
      this.#known.set(node, known);
    }
    return known;
  }

  /** Waits until a connection may be made, if the call has as much time, and begins to make it. */
  async #allowed(node: PooledNode, known: Known, patience: Patience): Promise<void> {
    const { network } = this.#options;
    const pauseMs = Math.ceil(known.notBeforeMs - network.clock.elapsedMs());
    const isDue = known.link !== undefined || known.opening !== undefined || pauseMs <= 0;
    if (isDue || pauseMs >= this.#leftMs(patience)) return;
    await pause(network, pauseMs, patience.signal);
    patience.signal?.throwIfAborted();
    if (known.link === undefined) this.#open(node, known);
  }

  /** How long a call may wait for a connection. */
  #leftMs({ quietMs, endMs }: Patience): number {
    return Math.min(quietMs, endMs - this.#options.network.clock.elapsedMs());
  }

  async #opened(known: Known, patience: Patience): Promise<void> {
    const { signal } = patience;
    const { opening } = known;
    if (opening === undefined) return;
    // The caller waits for nothing else.
    known.holders += 1;
    known.link?.hold(true);
    let cancel = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancel = this.#options.network.deadlines.after(this.#leftMs(patience), resolve);
    });
    try {
      const either = Promise.race([opening, late]);
      await (signal === undefined ? either : orAborted(either, signal));
    } finally {
      cancel();
      known.holders -= 1;
      if (known.holders === 0) known.link?.hold(false);
    }
  }

  /** Shows the token that is due. Returns false if there is none: HTTP tells why. */
  async #show(link: SocketLink): Promise<boolean> {
    const { token } = this.#options.network;
    if (token === undefined) return true;
    if (typeof token === "string") link.show(token);
    else {
      try {
        link.show(await token());
      } catch {
        return false;
      }
    }
    return link.isOpen;
  }

  #open(node: PooledNode, known: Known): void {
    const { network, closed } = this.#options;
    if (known.opening !== undefined || closed.aborted) return;
    if (network.clock.elapsedMs() < known.notBeforeMs) return;
    known.opening = this.#dial(node, known).finally(() => {
      known.opening = undefined;
    });
  }

  /** Resolves once the connection is open, or there is none. Never rejects. */
  async #dial(node: PooledNode, known: Known): Promise<void> {
    const { closed } = this.#options;
    let parts: Parts;
    try {
      parts = await import("./socket/open-socket.ts");
    } catch (cause) {
      return this.#bar(known, { code: undefined, isRefused: true, reason: String(cause) });
    }
    const dial = this.#options.dial ?? parts.platformDial();
    if (dial === undefined || closed.aborted) {
      return this.#bar(known, { code: undefined, isRefused: true, reason: "no WebSockets here" });
    }
    return this.#connect(node, known, parts, dial);
  }

  #connect(node: PooledNode, known: Known, { SocketLink: Link }: Parts, dial: Dial): Promise<void> {
    const { network } = this.#options;
    return new Promise((resolve) => {
      let isOpen = false;
      let link: SocketLink | undefined;
      const cancel = network.deadlines.after(OPENING_MS, () => link?.close());
      const onOpen = (): void => {
        cancel();
        known.breaks.reset();
        isOpen = true;
        this.#tell(node, "websocket");
        resolve();
      };
      const onEnd = (end: WireEnd): void => {
        cancel();
        if (link !== undefined) this.#links.delete(link);
        if (known.link === link) known.link = undefined;
        known.asked = 0;
        if (isOpen) {
          this.#tell(node, "http");
          known.notBeforeMs = -Infinity;
        } else this.#bar(known, end);
        resolve();
      };
      const onTime = (nowMs: number, sentAtMs: number): void =>
        node.time.heard(nowMs, sentAtMs, network.clock.elapsedMs());
      try {
        link = new Link({ network, dial, node: node.info.url, onOpen, onTime, onEnd });
      } catch (cause) {
        // A platform may forbid it: a page that came over HTTPS opens no WebSocket without TLS.
        return onEnd({ code: undefined, isRefused: true, reason: String(cause) });
      }
      this.#links.add(link);
      known.link = link;
      link.hold(known.holders > 0);
      return undefined;
    });
  }

  #bar(known: Known, { code, isRefused }: WireEnd): void {
    const nowMs = this.#options.network.clock.elapsedMs();
    // A node that has closed in good order may be asked again at once.
    const pauseMs = code !== undefined ? 0 : isRefused ? REFUSED_MS : known.breaks.nextMs();
    known.notBeforeMs = nowMs + pauseMs;
  }

  #tell({ info: { id, url } }: PooledNode, transport: "http" | "websocket"): void {
    if (!this.#options.closed.aborted)
      this.#options.events.tell("transport", { id, url, transport });
  }
}
