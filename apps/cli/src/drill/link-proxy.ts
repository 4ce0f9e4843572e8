/**
 * The way from one region to the directory, which a drill can cut: a TCP proxy on this machine.
 *
 *   cut        connections are reset, and so are new ones: the network says that nobody is there
 *   black hole connections stay open, and nothing passes: the network says nothing at all
 *   heal       what waited passes, and new connections do
 */
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

type State = "open" | "cut" | "black-hole";

/** A connection through the proxy. */
interface Passage {
  readonly near: Socket;
  /** Undefined until there is a way through. */
  far: Socket | undefined;
}

/** One such way. Its own address never changes; where it leads may. */
export class LinkProxy {
  readonly #server: Server;
  readonly #passages = new Set<Passage>();
  #state: State = "open";
  #target: string | undefined;

  private constructor() {
    // Each direction ends by itself, so that what a side wrote last arrives.
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true });
    this.#server.on("connection", (near) => this.#accept(near));
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

  /** Where it is reached, as an `http:` URL. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Where it leads from now on: an `http:` URL, or undefined for nowhere. */
  leadTo(url: string | undefined): void {
    this.#target = url;
  }

  cut(): void {
    this.#state = "cut";
    for (const passage of this.#passages) this.#reset(passage);
  }

  blackHole(): void {
    this.#state = "black-hole";
    for (const { near, far } of this.#passages) {
      for (const socket of [near, far]) socket?.unpipe().pause();
    }
  }

  heal(): void {
    this.#state = "open";
    for (const passage of this.#passages) this.#join(passage);
  }

  /** Resets every connection and gives the port back. */
  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(near: Socket): void {
    const passage: Passage = { near, far: undefined };
    this.#passages.add(passage);
    this.#watch(passage, near);
    if (this.#state === "cut") this.#reset(passage);
    else if (this.#state === "open") this.#join(passage);
  }

  #join(passage: Passage): void {
    if (passage.far === undefined) {
      if (this.#target === undefined) return this.#reset(passage);
      const { hostname, port } = new URL(this.#target);
      const options = { host: hostname, port: Number(port), allowHalfOpen: true, noDelay: true };
      passage.far = connect(options);
      this.#watch(passage, passage.far);
    }
    // One end may have broken in the black hole, which kept that from the other.
    if (passage.near.destroyed || passage.far.destroyed) return this.#reset(passage);
    passage.near.pipe(passage.far);
    passage.far.pipe(passage.near);
  }

  #watch(passage: Passage, socket: Socket): void {
    socket.on("error", () => {});
    socket.on("close", (hadError) => {
      if (hadError && this.#state !== "black-hole") this.#reset(passage);
      const { near, far } = passage;
      if (near.destroyed && far?.destroyed !== false) this.#passages.delete(passage);
    });
  }

  #reset(passage: Passage): void {
    this.#passages.delete(passage);
    for (const socket of [passage.near, passage.far]) {
      if (socket === undefined || socket.destroyed) continue;
      // The platform cannot reset what is being ended, and would keep it for ever.
      if (socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}
