/**
 * Connections below node:http. A chunk that is exactly one plain read is answered with one write, if its reader knows the answer. One that
 * is exactly one plain write, with all of its body, is begun and answered later. At the first that is anything else, or of which there is
 * the least doubt, the connection is handed to node:http for the rest of its life, with what has come put back: as if nobody had looked at it.
 *
 * The first answer of a turn of the event loop is written at once, the others, if they are not enciphered, together at the end of the turn. Each write to a client that has nothing to do wakes
 * it up, which costs as much as all else that is done for a hit; where one write follows the other, the client is awake.
 *
 * So what is here is idle, waits for a turn of the event loop, or for a write to be stored. What comes behind such a write waits unread until the
 * write is answered, and is node:http's then. Whatever can go on for longer is with node:http: requests that come in parts, answers that
 * nobody takes, and connections on which nothing comes at all.
 */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";

import { SmallArrays, type Clock } from "@meridian/runtime";

import { wholeBody } from "./answer-body.ts";
import type { Answer } from "./answer.ts";
import { headTextOf } from "./head-text.ts";
import type { HttpTimeouts } from "./http-timeouts.ts";
import {
  plainHeadOf,
  splitPlain,
  type PlainAnswer,
  type PlainHead,
  type PlainReader,
  type PlainWriter,
  type SplitPlain,
} from "./plain-read.ts";
import type { RequestTurns } from "./request-turns.ts";
import { lastingBytes, SharedReadSocket } from "./shared-reads.ts";

/** What plain connections need. */
export interface PlainConnectionsOptions {
  readonly clock: Clock;
  readonly timeouts: Pick<HttpTimeouts, "headersTimeout" | "keepAliveTimeout">;
  readonly turns: Pick<RequestTurns, "mayBegin" | "wait" | "onEnd">;
  /** Hands a connection to node:http. */
  readonly serve: (socket: Socket) => void;
  /** Whether requests to a host are answered. */
  readonly allows: (host: string) => boolean;
  readonly read: PlainReader;
  /** Default: writes are for node:http. */
  readonly write?: PlainWriter | undefined;
}

/** A connection on which nothing came is handed on after this part of what the first head may take: node:http counts anew. */
const UNUSED_PART = 1 / 10;

/** Up to here, head and value leave as one string; beyond, copying the value costs more than a second piece. */
const TEXT_BYTES_MAX = 4_096;

/** So many answers wait at most for the end of a turn. */
const WAITING_MAX = 32;

/** An answer that waits to be written. */
interface WaitingAnswer {
  readonly socket: Socket;
  readonly head: string;
  readonly body: PlainAnswer["body"];
}

/** The answer to a write, which is over. */
interface WrittenAnswer {
  readonly connection: PlainConnection;
  readonly answer: Answer | PlainAnswer;
}

/** What is kept of one connection. */
interface PlainConnection {
  readonly socket: Socket;
  /** The lines of the last headers, and what they say: nearly always the next ones, too. */
  lines: string;
  head: PlainHead | undefined;
  isUsed: boolean;
  /** Whether a request has waited for its turn, which is now. */
  hasTurn: boolean;
  /** Ends the write that is under way, whose client is gone. */
  endWrite: (() => void) | undefined;
  release(): void;
}

/** Serves plain requests. */
export class PlainConnections {
  readonly #options: PlainConnectionsOptions;
  readonly #connections = new Map<Socket, PlainConnection>();
  /** The lines of an answer that tell of the second and of the connection. */
  #ending = "";
  #endingSecond = -1;
  #isClosing = false;
  /** Whether an answer has been written in this turn. */
  #hasWritten = false;
  /** In the order in which they were made. */
  #waiting: WaitingAnswer[] = [];
  #written: WrittenAnswer[] = [];
  readonly #bodies = new SmallArrays();

  constructor(options: PlainConnectionsOptions) {
    this.#options = options;
    options.turns.onEnd(() => this.#endTurn());
  }

  /** Writes the answers that wait for the end of the turn. */
  flush(): void {
    if (this.#waiting.length === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const { socket, head, body } of waiting)
      if (socket.writable) writeAnswer(socket, head, body);
  }

  /** Takes a connection on which nothing has been read. */
  take(socket: Socket): void {
    if (this.#isClosing || socket.destroyed) return this.#options.serve(socket);
    const onData = (chunk: Buffer): void => this.#onChunk(connection, chunk);
    const onEnd = (): void => {
      this.flush();
      socket.end();
    };
    const onTimeout = (): void => this.#onTimeout(connection);
    const onClose = (): void => connection.release();
    const connection: PlainConnection = {
      socket,
      lines: "",
      head: undefined,
      isUsed: false,
      hasTurn: false,
      endWrite: undefined,
      release: () => {
        this.#connections.delete(socket);
        connection.endWrite?.();
        socket.off("data", onData).off("end", onEnd).off("timeout", onTimeout);
        socket.off("close", onClose).off("error", ignore);
        socket.setTimeout(0);
        if (socket instanceof SharedReadSocket) socket.onRead = undefined;
      },
    };
    this.#connections.set(socket, connection);
    socket.on("error", ignore).on("end", onEnd).on("close", onClose).on("timeout", onTimeout);
    socket.setTimeout(Math.max(1, this.#options.timeouts.headersTimeout * UNUSED_PART));
    socket.on("data", onData);
    if (socket instanceof SharedReadSocket) {
      socket.onRead = (bytes) => {
        onData(bytes);
        return true;
      };
    }
  }

  /** Ends the connections that are idle, and takes no more. What waits goes on with node:http; those of writes under way end with their answers. */
  close(): void {
    this.#isClosing = true;
    this.flush();
    for (const connection of this.#connections.values()) {
      const { socket } = connection;
      if (connection.endWrite !== undefined) continue;
      if (socket.readableLength > 0 || socket.writableLength > 0) this.#handOn(connection);
      else socket.destroy();
    }
  }

  /** Cuts the connections that are left after `close`: those of writes under way. */
  cut(): void {
    for (const { socket } of this.#connections.values()) socket.destroy();
  }

  /** Whether a write of a connection is under way, or an answer to it waits. */
  isWriting(socket: Socket): boolean {
    const isUnderWay = this.#connections.get(socket)?.endWrite !== undefined;
    return isUnderWay || this.#waiting.some((answer) => answer.socket === socket);
  }

  /** The next answer is written at once. */
  #endTurn(): void {
    this.flush();
    this.#hasWritten = false;
  }

  #onChunk(connection: PlainConnection, chunk: Buffer): void {
    const { socket, hasTurn } = connection;
    if (connection.endWrite !== undefined) return putBack(socket, chunk);
    const split = splitPlain(chunk);
    // A client that has not read the answer before is left to node:http.
    if (split === undefined || socket.writableLength > 0) return this.#handOn(connection, chunk);
    const head = this.#headOf(connection, split.lines);
    if (head === undefined || head.bodyBytes !== split.body?.byteLength) {
      return this.#handOn(connection, chunk);
    }
    if (hasTurn) this.#endTurn();
    else if (!this.#options.turns.mayBegin()) return this.#await(connection, chunk);
    connection.hasTurn = false;
    try {
      if (this.#begin(connection, head, split)) return;
    } catch {
      // It will be thrown there again, where an answer is made of it.
    }
    this.#handOn(connection, chunk);
  }

  /** Answers a request, or begins a write. Returns false if it has done nothing. */
  #begin(connection: PlainConnection, head: PlainHead, { path, body }: SplitPlain): boolean {
    const { socket } = connection;
    const { clock, read, write } = this.#options;
    const from = socket.remoteAddress;
    if (body === undefined) {
      const answer = read({ path, head, from });
      if (answer === undefined) return false;
      this.#answer(socket, answer, clock.nowMs());
      this.#use(connection);
      return true;
    }
    const copy = this.#bodies.of(body.byteLength);
    copy.set(body);
    // Spread into this object, the members of another would make a dictionary of it.
    const asPut = { path, head, from, body: copy, socket };
    connection.endWrite = write?.(asPut, (answer) => this.#onWritten(connection, answer));
    return connection.endWrite !== undefined;
  }

  /** Writes that are stored together are answered one right after the other, and not from within the store. */
  #onWritten(connection: PlainConnection, answer: Answer | PlainAnswer): void {
    if (this.#written.push({ connection, answer }) > 1) return;
    queueMicrotask(() => {
      const written = this.#written;
      this.#written = [];
      // What was asked before them is answered before them.
      this.flush();
      const ending = this.#endingAt(this.#options.clock.nowMs());
      for (const each of written) this.#answerWrite(each, ending);
    });
  }

  #answerWrite({ connection, answer }: WrittenAnswer, ending: string): void {
    const { socket } = connection;
    connection.endWrite = undefined;
    // Node:http, too, answers nobody who has ended the connection.
    if (!socket.writable || !this.#connections.has(socket)) return;
    const { head, body } = "head" in answer ? answer : plainAnswerOf(answer);
    writeAnswer(socket, head + ending, body);
    this.#use(connection);
    if (socket.isPaused()) this.#handOn(connection);
    else if (this.#isClosing) socket.end();
  }

  /** A request was answered: from now on, the connection may be idle for longer. */
  #use(connection: PlainConnection): void {
    if (connection.isUsed) return;
    connection.isUsed = true;
    connection.socket.setTimeout(this.#options.timeouts.keepAliveTimeout);
  }

  #headOf(connection: PlainConnection, lines: string): PlainHead | undefined {
    if (connection.lines === lines) return connection.head;
    const head = plainHeadOf(lines);
    if (head === undefined || !this.#options.allows(head.host)) return undefined;
    connection.lines = lines;
    connection.head = head;
    return head;
  }

  /** Puts a request back until it is its turn. */
  #await(connection: PlainConnection, chunk: Buffer): void {
    const { socket } = connection;
    putBack(socket, chunk);
    this.#options.turns.wait(() => {
      if (!this.#connections.has(socket)) return;
      connection.hasTurn = true;
      socket.resume();
    }, socket);
  }

  /** Writes the answer to a read, or has it wait for the end of the turn. */
  #answer(socket: Socket, answer: PlainAnswer, nowMs: number): void {
    const head = answer.head + this.#endingAt(nowMs);
    // What is enciphered at the end of a turn is written after the next reads: its client would seem not to have read it.
    if (!this.#hasWritten || socket instanceof TLSSocket) {
      this.#hasWritten = true;
      return writeAnswer(socket, head, answer.body);
    }
    this.#waiting.push({ socket, head, body: answer.body });
    if (this.#waiting.length === WAITING_MAX) this.flush();
  }

  /** What node:http puts behind all other headers. */
  #endingAt(nowMs: number): string {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#endingSecond) {
      this.#endingSecond = second;
      const { keepAliveTimeout } = this.#options.timeouts;
      const keptSeconds = Math.floor(keepAliveTimeout / 1_000);
      const kept = keepAliveTimeout === 0 ? "" : `Keep-Alive: timeout=${keptSeconds}\r\n`;
      const date = new Date(nowMs).toUTCString();
      this.#ending = `Date: ${date}\r\nConnection: keep-alive\r\n${kept}\r\n`;
    }
    return this.#ending;
  }

  #onTimeout(connection: PlainConnection): void {
    // It is the disk that takes its time. The answer begins another span.
    if (connection.endWrite !== undefined) return;
    if (connection.isUsed) connection.socket.destroy();
    else this.#handOn(connection);
  }

  /** Gives a connection to node:http, with what has been read and not been answered. */
  #handOn(connection: PlainConnection, chunk?: Buffer): void {
    const { socket } = connection;
    this.flush();
    connection.release();
    socket.pause();
    if (chunk !== undefined) socket.unshift(lastingBytes(chunk));
    this.#options.serve(socket);
    socket.resume();
  }
}

/** Keeps a chunk for later, and reads no more until then. */
function putBack(socket: Socket, chunk: Buffer): void {
  socket.pause();
  socket.unshift(lastingBytes(chunk));
}

function writeAnswer(socket: Socket, head: string, body: PlainAnswer["body"]): void {
  const text = textOf(body);
  if (text !== undefined) {
    socket.write(head + text, "latin1");
    return;
  }
  socket.cork();
  socket.write(head, "latin1");
  socket.write(body);
  socket.uncork();
}

/** An answer as plain connections write it. */
function plainAnswerOf({ status, headers, body }: Answer): PlainAnswer {
  const whole = wholeBody(body) ?? "";
  return {
    head: headTextOf(status, headers),
    body:
      typeof whole === "string" && Buffer.byteLength(whole) > whole.length
        ? Buffer.from(whole)
        : whole,
  };
}

/** A body of which each byte is a character; undefined if it is long. */
function textOf(body: PlainAnswer["body"]): string | undefined {
  if (typeof body === "string") return body;
  if (body.byteLength > TEXT_BYTES_MAX) return undefined;
  return Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString("latin1");
}

function ignore(): void {}
