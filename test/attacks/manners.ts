/** The behaviours of hostile or broken clients, repeated on one new connection after the other. */
import { connect, type Socket } from "node:net";

/** What a client does on a new connection with the bytes of a request. */
export type Manner = (socket: Socket, bytes: Buffer) => void;

const STEP_MS = 20;

/** Repeats a step until the connection is gone. */
function every(ms: number, socket: Socket, step: () => void): void {
  const timer = setInterval(step, ms);
  socket.once("close", () => clearInterval(timer));
}

function neverReads(socket: Socket, bytes: Buffer): void {
  socket.pause();
  socket.write(bytes);
}

function pipelines(socket: Socket, bytes: Buffer): void {
  socket.pause();
  const batch = Buffer.concat(
    Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes),
  );
  const more = (): void => {
    while (socket.writable && socket.write(batch));
  };
  socket.on("drain", more);
  more();
}

function sips(socket: Socket, bytes: Buffer): void {
  pipelines(socket, bytes);
  // A connection that is paused is read when it is told to.
  every(10 * STEP_MS, socket, () => void socket.read(1_024));
}

function trickles(socket: Socket, bytes: Buffer): void {
  socket.resume();
  let at = 0;
  every(STEP_MS, socket, () => {
    socket.write(bytes.subarray(at, at + 1));
    at = (at + 1) % bytes.length;
  });
}

function lacksTheLastByte(socket: Socket, bytes: Buffer): void {
  socket.resume();
  socket.write(bytes.subarray(0, -1));
}

function saysNothing(socket: Socket): void {
  socket.resume();
}

/** All behaviours, by their names in reports. */
export const MANNERS: Readonly<Record<string, Manner>> = {
  "never reads": neverReads,
  "pipelines without end": pipelines,
  "sips what it has pipelined": sips,
  "trickles a byte at a time": trickles,
  "lacks the last byte": lacksTheLastByte,
  "says nothing": saysNothing,
};

/** The clients that attack a program. */
export interface Attackers {
  /** Connections that have been cut, or refused. */
  readonly cut: number;
  leave(): void;
}

/** Clients that all behave in one way, and come again when they are cut. */
export class Crowd implements Attackers {
  readonly #url: URL;
  readonly #manner: Manner;
  readonly #sockets = new Set<Socket>();
  #over = false;
  cut = 0;

  constructor(url: string, manner: Manner, requests: readonly Buffer[], count: number) {
    this.#url = new URL(url);
    this.#manner = manner;
    for (let index = 0; index < count; index += 1) {
      const bytes = requests[index % requests.length];
      if (bytes !== undefined) this.#come(bytes);
    }
  }

  leave(): void {
    this.#over = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  #come(bytes: Buffer): void {
    const socket = connect(Number(this.#url.port), this.#url.hostname);
    this.#sockets.add(socket);
    socket.on("error", () => {});
    socket.once("connect", () => this.#manner(socket, bytes));
    socket.once("close", () => {
      this.#sockets.delete(socket);
      if (!this.#over) this.cut += 1;
      if (!this.#over) setTimeout(() => !this.#over && this.#come(bytes), 5 * STEP_MS);
    });
  }
}
