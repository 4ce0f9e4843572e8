/**
 * One WebSocket of a client.
 *
 * A client cannot make the node hold more than it reads itself: no request is begun while more than a mebibyte of answers waits to leave, while 128
 * requests are under way, or while a read is under way. What the client sends meanwhile waits on its side. Writes of a connection run side by side.
 * While the requests under way of all connections have more than four mebibytes, each connection has one at a time: otherwise clients that write
 * without end would fill the queue of the disk, and everybody else would be refused. All connections take turns.
 *
 * A read that waits for the position of its session does not count as one that reads yet: meanwhile others are begun and answered. Once the position is
 * reached, the read waits until no other one reads.
 */
import type { Socket } from "node:net";

import { failureOf, type HeldBytes, type Holder, type RequestTurns } from "@meridian/http";
import { asMeridianError, closeCodeOf, MeridianError } from "@meridian/protocol";
import {
  BINARY_SOCKET_PROTOCOL,
  type RequestId,
  type SocketRequest,
} from "@meridian/protocol/socket-api";
import type { Clock, Cuts, Logger } from "@meridian/runtime";
import type { RawData, WebSocket } from "ws";

import type { RegionService } from "../../service/region-service.ts";
import { binaryForm } from "./binary-form.ts";
import { jsonForm } from "./json-form.ts";
import {
  isDataRequest,
  operate,
  sessionOf,
  type AdmittedRequest,
  type DataRequest,
  type OperationContext,
} from "./operations.ts";
import type { SocketAccess } from "./socket-access.ts";
import type { SocketCut } from "./socket-cuts.ts";
import type { Said, SocketForm } from "./socket-form.ts";
import { beginSocketRequest } from "./socket-spans.ts";
import type { SocketTimes } from "./socket-times.ts";
import { SocketWatches } from "./socket-watches.ts";

/** What all connections share. */
export interface SocketHost {
  readonly service: RegionService;
  readonly turns: RequestTurns;
  readonly held: HeldBytes;
  readonly cuts: Cuts<SocketCut>;
  readonly times: SocketTimes;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether requests may be begun on all connections together. */
  mayBegin(): boolean;
  /** The bytes of all requests under way, of all connections. */
  bytesUnderWay(): number;
  /** How many requests are under way has changed by one or minus one, and their bytes by `bytes`. */
  count(change: number, bytes: number): void;
}

/** A connection that has been taken. */
export interface TakenSocket {
  readonly socket: WebSocket;
  /** What is under it. */
  readonly wire: Socket;
  readonly address: string | undefined;
}

/** How many requests of one connection are under way, at most. */
const IN_FLIGHT_MAX = 128;

/** While the requests under way of all connections have more bytes, a connection begins one at a time. */
const UNDER_WAY_BYTES = 4 * 1024 * 1024;

/** Nothing is read while more than this waits to leave, until less than a quarter does, in bytes. */
const QUEUED_BYTES = 1024 * 1024;

/** How many requests of one connection are begun before others have their turn. */
const PER_TURN = 16;

/** How long a client may leave unread what waits for it, and be silent, before a ping and altogether. */
const UNREAD_MS = 30_000;
const PING_MS = 30_000;
const SILENT_MS = 90_000;

/** How long a client may take to show a token. */
const GREETING_MS = 10_000;

/** Requests whose answers may be long: while one reads, no other request is begun. */
const READS: ReadonlySet<string> = new Set(["get", "getMany", "hasMany", "pull", "entries"]);

/** What may wait to be begun before no more is read, in bytes, and what a message takes beside its own. */
const INBOX_BYTES = 64 * 1024;
const MESSAGE_BYTES = 128;

const REASON_BYTES_MAX = 123;

/** A read that has been let in, and waits until no other one reads. */
interface DueRead {
  readonly id: RequestId;
  readonly begin: () => void;
  readonly refuse: (cause: MeridianError) => void;
}

/** Serves one connection. */
export class ClientSocket implements Holder {
  readonly #host: SocketHost;
  readonly #access: SocketAccess;
  readonly #taken: TakenSocket;
  readonly #cameAtMs: number;
  readonly #form: SocketForm;
  readonly #context: OperationContext;
  readonly #watches: SocketWatches;
  #inbox: Buffer[] = [];
  /** The requests under way, and their bytes. */
  readonly #inFlight = new Map<RequestId, number>();
  #inboxBytes = 0;
  #inFlightBytes = 0;
  /** Bytes of a message that has not come whole. */
  #partBytes = 0;
  #readBytes = 0;
  /** How many requests were begun since the last turn. */
  #begun = 0;
  /** The request during which no other one is begun: one that reads, or that shows a token, after which others may be judged otherwise. */
  #alone: RequestId | undefined;
  /** In the order in which they were let in. */
  readonly #due: DueRead[] = [];
  #isWaiting = false;
  #isPaused = false;
  #isFull = false;
  #isCorked = false;
  #isDraining = false;
  #isClosing = false;
  #heardAtMs: number;
  #movedAtMs: number;
  /** How many bytes had left at the last `look`. */
  #seenBytes = 0;

  constructor(taken: TakenSocket, access: SocketAccess, host: SocketHost) {
    this.#taken = taken;
    this.#access = access;
    this.#host = host;
    this.#cameAtMs = this.#heardAtMs = this.#movedAtMs = host.clock.elapsedMs();
    const { socket, wire } = taken;
    const { service } = host;
    const form = socket.protocol === BINARY_SOCKET_PROTOCOL ? binaryForm() : jsonForm;
    this.#form = form as SocketForm;
    const admit: OperationContext["admit"] = (request, stale) => this.#admit(request, stale);
    this.#context = { service, form: this.#form, admit };
    this.#watches = new SocketWatches({
      service,
      form: this.#form,
      clock: host.clock,
      isOpen: () => !this.#isFull && !this.#isClosing,
      send: (message) => this.#send(message),
    });
    wire.prependListener("data", (chunk: Buffer) => this.#arrived(chunk.byteLength));
    socket.on("message", (data, isBinary) => this.#take(data, isBinary));
    // The `close` event that follows has all that is needed.
    socket.on("error", () => {});
  }

  get heldBytes(): number {
    return (
      this.#partBytes + this.#inboxBytes + this.#inFlightBytes + this.#taken.socket.bufferedAmount
    );
  }

  get movedBytes(): number {
    return this.#readBytes + this.#leftBytes;
  }

  get #leftBytes(): number {
    const { wire } = this.#taken;
    return wire.bytesWritten - wire.writableLength;
  }

  /** Whether it has yet to show a token. */
  get isUnknown(): boolean {
    return this.#access.isMissing;
  }

  /** Whether its token has expired, or is void. */
  get isDoubtful(): boolean {
    return this.#access.isDoubtful;
  }

  /** Closes the connection, and frees everything that is held for the client. */
  cut(failure: MeridianError): void {
    this.#end("held", failure);
  }

  /** Closes a connection that has shown no token, to make room for another one. */
  makeRoom(): void {
    const said = "Expected a token at once where others wait, got none";
    this.#end("unauthenticated", new MeridianError("UNAUTHENTICATED", said));
  }

  /** Closes the connection once no request of it is under way. */
  drain(): void {
    this.#isDraining = true;
    if (this.#inFlight.size === 0) this.#goAway();
  }

  /** Ends the connection now. It breaks where a request is under way: a close with 1001 would say that all are answered. */
  leave(): void {
    if (this.#isClosing) return;
    if (this.#inFlight.size === 0) return this.#goAway();
    this.ended();
    this.#taken.socket.terminate();
  }

  /** The connection is gone. */
  ended(): void {
    this.#isClosing = true;
    this.#watches.end();
    this.#inbox = [];
    this.#inboxBytes = 0;
    const gone = new MeridianError("GOING_AWAY", "The connection has ended");
    for (const { refuse } of this.#due.splice(0)) refuse(gone);
  }

  /** Looks whether the client reads, is there, and has a token that is good. To be called about once a second. */
  look(): void {
    if (this.#isClosing) return;
    const { clock } = this.#host;
    const nowMs = clock.elapsedMs();
    const { socket } = this.#taken;
    const leftBytes = this.#leftBytes;
    if (socket.bufferedAmount === 0 || leftBytes !== this.#seenBytes) this.#movedAtMs = nowMs;
    this.#seenBytes = leftBytes;
    if (nowMs - this.#movedAtMs > UNREAD_MS) {
      const said = `Expected answers to be read, but ${socket.bufferedAmount} bytes have waited for ${UNREAD_MS} ms`;
      return this.#end("unread", new MeridianError("OVERLOADED", said));
    }
    if (this.#access.isMissing && nowMs - this.#cameAtMs > GREETING_MS) {
      const said = `Expected a token in a request of type \`auth\` within ${GREETING_MS} ms, got none`;
      return this.#end("unauthenticated", new MeridianError("UNAUTHENTICATED", said));
    }
    if (this.#access.isDoubtful) this.verify();
    // While nothing is read of it, nothing is heard either.
    if (this.#isHeldBack) this.#heardAtMs = nowMs;
    if (nowMs - this.#heardAtMs > SILENT_MS) {
      const said = `Expected a sign of life within ${SILENT_MS} ms, got none`;
      return this.#end("silent", new MeridianError("LEASE_EXPIRED", said));
    }
    if (nowMs - this.#heardAtMs > PING_MS) socket.ping();
  }

  /** Verifies the token again, and closes the connection where it is good no more. */
  verify(): void {
    this.#access.verify().catch((cause: unknown) => {
      this.#end("token", failureOf(cause, this.#host.logger));
    });
  }

  /** Whether no request is begun now, and no read that has been let in. */
  get #isBusy(): boolean {
    return this.#isWaiting || this.#alone !== undefined || this.#isFull;
  }

  /** Whether no request of the inbox is begun now. */
  get #isHeldBack(): boolean {
    if (this.#isBusy) return true;
    const { size } = this.#inFlight;
    return size >= IN_FLIGHT_MAX || (size > 0 && this.#host.bytesUnderWay() > UNDER_WAY_BYTES);
  }

  /** Whether there is something that may be begun now. */
  get #hasNext(): boolean {
    if (this.#due.length > 0) return !this.#isBusy;
    return this.#inbox.length > 0 && !this.#isHeldBack;
  }

  #arrived(bytes: number): void {
    this.#heardAtMs = this.#host.clock.elapsedMs();
    this.#partBytes += bytes;
    this.#readBytes += bytes;
    this.#host.held.take(bytes, this);
  }

  /** A message has come whole. */
  #take(data: RawData, isBinary: boolean): void {
    this.#partBytes = 0;
    if (this.#isClosing) return;
    if (isBinary !== this.#form.isBinary) {
      const said = isBinary
        ? "Expected a message of text, got a binary one"
        : "Expected a binary message, got one of text";
      return this.#refuse(null, new MeridianError("MALFORMED_MESSAGE", said));
    }
    const message = data as Buffer;
    this.#inbox.push(message);
    this.#inboxBytes += message.byteLength + MESSAGE_BYTES;
    this.#readOn();
  }

  /** Begins requests that wait, as many as may be begun now, and reads more unless too many are left. */
  #readOn(): void {
    const { turns } = this.#host;
    for (; this.#hasNext; this.#begun += 1) {
      if (this.#begun >= PER_TURN || !turns.mayBegin()) {
        this.#wait();
        break;
      }
      const due = this.#due.shift();
      if (due !== undefined) {
        this.#alone = due.id;
        due.begin();
        continue;
      }
      const message = this.#inbox.shift();
      if (message === undefined) break;
      this.#inboxBytes -= message.byteLength + MESSAGE_BYTES;
      this.#serve(message);
      if (this.#isClosing) return;
    }
    const isPaused = this.#inboxBytes > INBOX_BYTES;
    if (isPaused === this.#isPaused) return;
    this.#isPaused = isPaused;
    if (isPaused) this.#taken.socket.pause();
    else this.#taken.socket.resume();
  }

  #wait(): void {
    this.#isWaiting = true;
    this.#host.turns.wait(() => {
      this.#isWaiting = false;
      this.#begun = 0;
      if (!this.#isClosing) this.#readOn();
    }, this.#taken.wire);
  }

  #serve(message: Buffer): void {
    try {
      this.#begin(message);
    } catch (cause) {
      this.#close(failureOf(cause, this.#host.logger));
    }
  }

  #begin(message: Buffer): void {
    const read = this.#form.read(message);
    if ("error" in read) return this.#refuse(read.id, read.error);
    const { id, request } = read;
    if (this.#inFlight.has(id) || this.#watches.has(id)) {
      const said = `Expected an id that no request under way and no watch has, got \`${id}\` again`;
      const details = { requestId: id };
      return this.#refuse(null, new MeridianError("INVALID_ARGUMENT", said, { details }));
    }
    if (!this.#host.mayBegin()) {
      const said = "Expected fewer requests under way on all connections together";
      return this.#refuse(id, new MeridianError("OVERLOADED", said));
    }
    this.#inFlight.set(id, message.byteLength);
    this.#inFlightBytes += message.byteLength;
    this.#host.count(1, message.byteLength);
    if (request.type === "auth") this.#alone = id;
    void this.#answer(request);
  }

  async #answer(request: SocketRequest): Promise<void> {
    const { clock, times, service } = this.#host;
    const [startedMs, { losses }] = [clock.elapsedMs(), service.admission];
    let message: Said;
    let code = "ok";
    let failure: MeridianError | undefined;
    try {
      const result = await this.#resultOf(request);
      message = this.#form.result(request.id, result, this.#position(losses));
    } catch (cause) {
      failure = failureOf(cause, this.#host.logger);
      ({ code } = failure);
      message = this.#form.error(request.id, failure, this.#position(losses));
    }
    const bytes = this.#inFlight.get(request.id) ?? 0;
    this.#inFlightBytes -= bytes;
    this.#inFlight.delete(request.id);
    if (this.#alone === request.id) this.#alone = undefined;
    this.#host.count(-1, -bytes);
    times.observe(request.type, code, startedMs, request.id);
    if (this.#isClosing) return;
    this.#send(message);
    if (failure?.code === "UNAUTHENTICATED") return this.#end("token", failure);
    if (this.#isDraining && this.#inFlight.size === 0) return this.#goAway();
    if (!this.#isWaiting) this.#readOn();
  }

  async #resultOf(request: SocketRequest): Promise<Said> {
    this.#access.check(request);
    if (isDataRequest(request)) return this.#operate(request);
    if (request.type === "watch") return this.#form.plain(await this.#watches.open(request));
    if (request.type === "unwatch") this.#watches.close(request.watch);
    if (request.type === "auth") {
      await this.#access.show(request.token);
      this.#watches.check((watch) => this.#access.checkCover(watch));
    }
    const nowMs = Math.floor(this.#host.service.time.nowMs());
    return this.#form.plain(request.type === "ping" ? { nowMs } : {});
  }

  async #operate(asked: DataRequest): Promise<Said> {
    const { request, end } = beginSocketRequest(asked);
    try {
      const result = await operate(this.#context, request);
      end();
      return result;
    } catch (cause) {
      end(asMeridianError(cause).code);
      throw cause;
    }
  }

  /** Lets a request in, and a read only once no other one reads. */
  async #admit(request: AdmittedRequest, stale?: boolean): Promise<void> {
    const { admission } = this.#host.service;
    const session = sessionOf(request, stale);
    const isRead = READS.has(request.type);
    const { position } = session;
    const isWaiting = position !== undefined && !admission.hasReached(position);
    if (!isRead || isWaiting) await admission.admit(session);
    else admission.checkServing(session.stale);
    if (!isRead) return undefined;
    if (!isWaiting && !this.#isBusy && this.#due.length === 0) {
      this.#alone = request.id;
      return undefined;
    }
    if (this.#isClosing) throw new MeridianError("GOING_AWAY", "The connection has ended");
    return new Promise((begin, refuse) => {
      this.#due.push({ id: request.id, begin, refuse });
      if (!this.#isWaiting) this.#readOn();
    });
  }

  /** Answers what is no request, or not one that can be begun. */
  #refuse(id: RequestId | null, error: MeridianError): void {
    const { clock, times } = this.#host;
    times.observe("none", error.code, clock.elapsedMs());
    this.#send(this.#form.error(id, error, this.#position()));
  }

  #position(losses?: number): string {
    return this.#host.service.admission.positionToken(losses);
  }

  #send(message: Said): void {
    const { socket, wire } = this.#taken;
    if (this.#isClosing || socket.readyState !== socket.OPEN) return;
    if (!this.#isCorked) {
      // Answers of one turn leave in one write.
      this.#isCorked = true;
      wire.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        wire.uncork();
      });
    }
    const before = socket.bufferedAmount;
    socket.send(message, this.#onSent);
    const after = socket.bufferedAmount;
    if (after > QUEUED_BYTES) this.#isFull = true;
    this.#host.held.take(after - before, this);
  }

  readonly #onSent = (error?: Error | null): void => {
    if (error || this.#isClosing) return;
    const { socket } = this.#taken;
    if (!this.#isFull || socket.bufferedAmount > QUEUED_BYTES / 4) return;
    this.#isFull = false;
    this.#watches.goOn();
    if (!this.#isWaiting) this.#readOn();
  };

  #goAway(): void {
    const said = `Node \`${this.#host.service.nodeId}\` is shutting down; ask another`;
    this.#close(new MeridianError("GOING_AWAY", said));
  }

  #end(reason: SocketCut, failure: MeridianError): void {
    if (this.#isClosing) return;
    const { address: from } = this.#taken;
    this.#host.cuts.tell(reason, { from, why: failure.message });
    // Who does not read, reads no reason either.
    if (reason === "held") {
      this.ended();
      this.#taken.socket.terminate();
    } else this.#close(failure);
  }

  #close({ code, message }: MeridianError): void {
    this.ended();
    const { socket } = this.#taken;
    socket.close(closeCodeOf(code), reasonOf(message));
    // Its answer to the close has to be read.
    socket.resume();
  }
}

/** The longest beginning of a reason that fits in a close frame and ends between characters. */
function reasonOf(message: string): string {
  if (Buffer.byteLength(message) <= REASON_BYTES_MAX) return message;
  return new TextDecoder().decode(Buffer.from(message).subarray(0, REASON_BYTES_MAX), {
    stream: true,
  });
}
