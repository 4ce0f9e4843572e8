/**
 * HTTP as thin as it gets, so that the process that measures has little to do: one connection, kept alive, one
 * request at a time, answers of known length.
 */
import { connect, type Socket } from "node:net";

const HEAD_END = "\r\n\r\n";

/** The beginning of an answer. */
export interface Answered {
  readonly status: number;
  /** The entity tag in its quotes; empty where there is none. */
  readonly etag: string;
  /** Each byte as one character. */
  readonly body: string;
}

/** One connection to a server. */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #host: string;
  #received: Buffer = Buffer.alloc(0);
  #resolve: ((answer: Answered) => void) | undefined;
  #reject: ((cause: Error) => void) | undefined;

  private constructor(url: string) {
    const { hostname, port, host } = new URL(url);
    this.#host = host;
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", (cause) => this.#reject?.(cause));
    this.#socket.on("close", () => this.#reject?.(new Error("The connection was closed")));
  }

  /** Connects to the server of a URL. */
  static async open(url: string): Promise<HttpConnection> {
    const connection = new HttpConnection(url);
    await new Promise<void>((resolve, reject) => {
      connection.#socket.once("connect", resolve);
      connection.#socket.once("error", reject);
    });
    return connection;
  }

  /** Whether neither side has closed the connection. */
  get isOpen(): boolean {
    return this.#socket.readyState === "open";
  }

  /** Puts a value. Resolves to the status of the answer once all of that is here. */
  async put(path: string, body: string): Promise<number> {
    return (await this.send("PUT", path, body)).status;
  }

  /** Sends any request that has a body, be it empty. Resolves once all of the answer is here. */
  send(method: string, path: string, body: string, type = "text/plain"): Promise<Answered> {
    const length = Buffer.byteLength(body);
    return this.#ask(
      `${method} ${path} HTTP/1.1\r\nHost: ${this.#host}\r\nContent-Type: ${type}\r\nContent-Length: ${length}${HEAD_END}${body}`,
    );
  }

  #ask(request: string): Promise<Answered> {
    this.#socket.write(request);
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Asks for a path. Resolves once all of the answer is here. */
  get(path: string): Promise<Answered> {
    return this.#ask(`GET ${path} HTTP/1.1\r\nHost: ${this.#host}${HEAD_END}`);
  }

  /** Closes the connection. */
  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEAD_END);
    if (headEnd < 0) return;
    const head = this.#received.toString("latin1", 0, headEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) return this.#reject?.(new Error(`Expected a length, got ${head}`));
    const bodyAt = headEnd + HEAD_END.length;
    if (this.#received.length < bodyAt + Number(length)) return;
    const body = this.#received.toString("latin1", bodyAt);
    this.#received = Buffer.alloc(0);
    const etag = /\r\netag: *([^\r]*)/i.exec(head)?.[1] ?? "";
    this.#resolve?.({ status: Number(head.slice(9, 12)), etag, body });
  }
}
