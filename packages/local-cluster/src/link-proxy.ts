/**
 * A line that can be broken: a TCP proxy on this machine.
 *
 *   cut        connections are reset, new ones too, as with a dead peer
 *   black hole connections stay open and no bytes pass, not even the end of the connection, as with an unplugged cable
 *   one way    the same in one direction only
 *   heal       waiting bytes pass, and new connections work again
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A direction on a link, seen from the end that connects. */
export type Flow = "both" | "to-directory" | "from-directory";

type Mode = "open" | "cut" | Flow;

interface Pair {
  readonly client: Socket;
  /** Undefined while it waits for the black hole to end. */
  upstream: Socket | undefined;
  /** Whether one side was reset. */
  broken: boolean;
}

/** A proxy whose own address never changes, and whose target may. */
export class LinkProxy {
  readonly #server: Server;
  readonly #pairs = new Set<Pair>();
  #mode: Mode = "open";
  /** How many bytes ended connections have carried. */
  readonly #carried = { toDirectory: 0, fromDirectory: 0 };
  #target: string | undefined;

  private constructor() {
    // Each direction ends on its own, so that the last bytes of an ended writer still arrive.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    this.#server.on("connection", (client) => this.#accept(client));
  }

  /** Takes a free port of 127.0.0.1. */
  static async listen(): Promise<LinkProxy> {
    const proxy = new LinkProxy();
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  /** Where clients connect to, as an `http:` URL. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where new connections go, as an `http:` URL; undefined to reset them. */
  set target(url: string | undefined) {
    this.#target = url;
  }

  /** How many bytes have come from each side so far. */
  get carried(): { readonly toDirectory: number; readonly fromDirectory: number } {
    let { toDirectory, fromDirectory } = this.#carried;
    for (const { client, upstream } of this.#pairs) {
      toDirectory += client.bytesRead;
      fromDirectory += upstream?.bytesRead ?? 0;
    }
    return { toDirectory, fromDirectory };
  }

  /** Resets every connection, and new ones until `heal`. */
  cut(): void {
    this.#mode = "cut";
    for (const pair of this.#pairs) this.#reset(pair);
  }

  /** Holds back all bytes, or those of one direction, until `heal`. New connections are accepted. */
  blackHole(flow: Flow = "both"): void {
    this.#mode = flow;
    for (const { client, upstream } of this.#pairs) {
      if (flow !== "from-directory") hold(client);
      if (flow !== "to-directory") hold(upstream);
    }
  }

  /** Lets everything pass again. */
  heal(): void {
    this.#mode = "open";
    for (const pair of this.#pairs) {
      if (pair.broken) this.#reset(pair);
      else this.#join(pair);
    }
  }

  /** Resets every connection and stops listening. */
  async close(): Promise<void> {
    this.cut();
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
  }

  #accept(client: Socket): void {
    const pair: Pair = { client, upstream: undefined, broken: false };
    this.#pairs.add(pair);
    this.#watch(pair, client);
    if (this.#mode === "cut" || this.#target === undefined) this.#reset(pair);
    else if (this.#mode === "open") this.#join(pair);
  }

  #join(pair: Pair): void {
    if (this.#target === undefined && pair.upstream === undefined) return this.#reset(pair);
    if (pair.upstream === undefined) {
      const { hostname, port } = new URL(this.#target ?? "");
      const options = { host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true };
      pair.upstream = connect(options);
      this.#watch(pair, pair.upstream);
    }
    // Bytes of the direction that kept flowing must not be forwarded twice.
    pair.client.unpipe();
    pair.upstream.unpipe();
    pair.client.pipe(pair.upstream);
    pair.upstream.pipe(pair.client);
  }

  #watch(pair: Pair, socket: Socket): void {
    socket.on("error", () => {});
    socket.on("close", (hadError) => {
      // After an end in order, `pipe` has already ended the other side.
      pair.broken ||= hadError;
      if (pair.broken && (this.#mode === "open" || this.#mode === "cut")) this.#reset(pair);
      if (pair.client.destroyed && pair.upstream?.destroyed !== false) this.#forget(pair);
    });
  }

  #forget(pair: Pair): void {
    if (!this.#pairs.delete(pair)) return;
    this.#carried.toDirectory += pair.client.bytesRead;
    this.#carried.fromDirectory += pair.upstream?.bytesRead ?? 0;
  }

  #reset(pair: Pair): void {
    this.#forget(pair);
    for (const socket of [pair.client, pair.upstream]) {
      if (socket === undefined || socket.destroyed) continue;
      // Node.js cannot reset a socket that is ending, and would keep it open for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}

function hold(socket: Socket | undefined): void {
  socket?.unpipe();
  socket?.pause();
}
