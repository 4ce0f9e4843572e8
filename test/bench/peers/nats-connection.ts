/**
 * As much of NATS' client protocol as its key-value store needs, so that no client library is part of what is measured: publishing with
 * an answer, requests, and messages with headers. One connection, one inbox.
 */
import { connect, type Socket } from "node:net";

import { within } from "@meridian/local-cluster";

const END = "\r\n";
const END_BYTES = 2;
const ANSWER_MS = 5_000;

/** A message of the server. */
export interface NatsMessage {
  /** The status of its headers, such as `404`; empty for none. */
  readonly status: string;
  readonly body: string;
}

/** The head of a message: to whom it goes, and how long its headers and all of it are. */
export interface NatsHead {
  readonly subject: string;
  readonly headerBytes: number;
  readonly bytes: number;
}

/** Reads the line before a message. Undefined for any other line. */
export function parseNatsHead(line: string): NatsHead | undefined {
  const [kind, subject = "", , ...rest] = line.split(" ");
  if (kind !== "MSG" && kind !== "HMSG") return undefined;
  const bytes = Number(rest.at(-1));
  return { subject, bytes, headerBytes: kind === "HMSG" ? Number(rest.at(-2)) : 0 };
}

/** Who waits for an answer. */
interface Waiting {
  readonly resolve: (message: NatsMessage) => void;
  readonly reject: (cause: Error) => void;
}

/** A connection to one server. */
export class NatsConnection {
  readonly #socket: Socket;
  readonly #inbox = `_INBOX.${process.pid}${Math.random().toString(36).slice(2)}`;
  readonly #waiting = new Map<string, Waiting>();
  #heard: (subject: string) => void = () => {};
  #received: Buffer = Buffer.alloc(0);
  #next = 0;

  private constructor(port: number) {
    this.#socket = connect({ host: "127.0.0.1", port, noDelay: true });
    this.#socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      const lost = new Error("The connection to nats-server was lost");
      for (const { reject } of this.#waiting.values()) reject(lost);
      this.#waiting.clear();
    });
  }

  /** Connects to the server at a port of this machine. */
  static async open(port: number): Promise<NatsConnection> {
    const connection = new NatsConnection(port);
    await new Promise<void>((resolve, reject) => {
      connection.#socket.once("connect", resolve);
      connection.#socket.once("error", reject);
    });
    const options = JSON.stringify({ verbose: false, headers: true, no_responders: true });
    connection.#socket.write(`CONNECT ${options}${END}SUB ${connection.#inbox}.* 1${END}`);
    return connection;
  }

  /** Publishes, and resolves to the answer. Rejects if the connection ends before, or none comes in five seconds. */
  request(subject: string, body: string): Promise<NatsMessage> {
    this.#next += 1;
    const reply = `${this.#inbox}.${this.#next}`;
    const length = Buffer.byteLength(body);
    this.#socket.write(`PUB ${subject} ${reply} ${length}${END}${body}${END}`);
    const answer = new Promise<NatsMessage>((resolve, reject) =>
      this.#waiting.set(reply, { resolve, reject }),
    );
    // A server without a leader does not answer at all.
    return within(`an answer of nats-server to ${subject}`, answer, ANSWER_MS);
  }

  /** A request to the API of JetStream. Rejects if its answer is an error. */
  async ask<Answer>(subject: string, question: unknown): Promise<Answer> {
    const { body, status } = await this.request(`$JS.API.${subject}`, JSON.stringify(question));
    if (status !== "") throw new Error(`Expected an answer of ${subject}, got status ${status}`);
    const answer = JSON.parse(body) as Answer & { readonly error?: unknown };
    if (answer.error === undefined) return answer;
    throw new Error(`Expected success of ${subject}, got ${JSON.stringify(answer.error)}`);
  }

  /** Calls `heard` with the subject of each message that comes and answers nothing. Returns the subject to which these are to be sent. */
  listen(heard: (subject: string) => void): string {
    this.#heard = heard;
    const target = `heard.${this.#inbox.slice(7)}`;
    this.#socket.write(`SUB ${target} 2${END}`);
    return target;
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    let rest = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (;;) {
      const lineEnd = rest.indexOf(END);
      if (lineEnd < 0) break;
      const line = rest.toString("latin1", 0, lineEnd);
      const from = lineEnd + END_BYTES;
      const head = parseNatsHead(line);
      if (head === undefined) {
        if (line === "PING") this.#socket.write(`PONG${END}`);
        rest = rest.subarray(from);
        continue;
      }
      if (rest.length < from + head.bytes + END_BYTES) break;
      const headers = rest.toString("latin1", from, from + head.headerBytes);
      const body = rest.toString("utf8", from + head.headerBytes, from + head.bytes);
      rest = rest.subarray(from + head.bytes + END_BYTES);
      this.#answer(head.subject, { status: /^NATS\/1\.0 (\d+)/.exec(headers)?.[1] ?? "", body });
    }
    this.#received = rest;
  }

  #answer(subject: string, message: NatsMessage): void {
    const waiting = this.#waiting.get(subject);
    if (waiting === undefined) return this.#heard(subject);
    waiting.resolve(message);
    this.#waiting.delete(subject);
  }
}
