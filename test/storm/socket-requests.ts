/** A session over WebSockets: one to each region that it asks, opened anew when it has broken. */
import { failedReply, type Reply, type SessionRequests } from "@meridian/local-cluster";
import { parseStamp } from "@meridian/protocol";
import { WebSocket } from "ws";

import { openSocket, type Told } from "./sockets.ts";

/** Sends the requests of one session to any region, with the session's position token. */
export class SocketRequests implements SessionRequests {
  readonly #patienceMs: number;
  readonly #sockets = new Map<string, WebSocket>();
  #position: unknown;
  #id = 0;

  /** A connection without an answer after `patienceMs` is given up. */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  set(url: string, key: string, value: string, ttlMs: number): Promise<Reply> {
    const ttl = ttlMs === 0 ? {} : { ttl: `${ttlMs}ms` };
    return this.#send(url, { type: "set", key, value, ...ttl });
  }

  delete(url: string, key: string): Promise<Reply> {
    return this.#send(url, { type: "delete", key });
  }

  get(url: string, key: string): Promise<Reply> {
    return this.#send(url, { type: "get", key });
  }

  close(): void {
    for (const socket of this.#sockets.values()) socket.terminate();
  }

  async #send(url: string, request: Told): Promise<Reply> {
    const position = this.#position === undefined ? {} : { position: this.#position };
    let answer: Answer;
    try {
      answer = await this.#exchange(url, { ...request, ...position });
    } catch (cause) {
      return { kind: "unanswered", why: String(cause) };
    }
    const { result, error } = answer;
    const isAbsent = error?.code === "KEY_NOT_FOUND";
    if (result === undefined && !isAbsent) {
      return failedReply(error?.code ?? "", JSON.stringify(answer));
    }
    this.#position = answer.position;
    if (result === undefined) return { kind: "done", value: undefined, expiresAtMs: 0 };
    const { value, etag, expiresAtMs } = result;
    return {
      kind: "done",
      value,
      stamp: parseStamp(etag.slice(1, -1)),
      expiresAtMs: expiresAtMs ?? 0,
    };
  }

  #exchange(url: string, request: Told): Promise<Answer> {
    this.#id += 1;
    const id = this.#id;
    const socket = this.#socketTo(url);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => socket.terminate(), this.#patienceMs);
      const end = (): void => {
        clearTimeout(timer);
        socket.off("message", onMessage).off("close", onClose);
      };
      const onMessage = (data: Buffer): void => {
        const answer = JSON.parse(data.toString()) as Answer;
        if (answer.id !== id) return;
        end();
        resolve(answer);
      };
      const onClose = (): void => {
        end();
        reject(new Error("The connection broke"));
      };
      socket.on("message", onMessage).on("close", onClose);
      const send = (): void => socket.send(JSON.stringify({ id, ...request }));
      if (socket.readyState === WebSocket.OPEN) send();
      else socket.once("open", send);
    });
  }

  #socketTo(url: string): WebSocket {
    const known = this.#sockets.get(url);
    if (known !== undefined && known.readyState <= WebSocket.OPEN) return known;
    const socket = openSocket(url);
    this.#sockets.set(url, socket);
    return socket;
  }
}

interface Answer {
  readonly id: unknown;
  readonly position: unknown;
  readonly result?: {
    readonly value?: string;
    readonly etag: string;
    readonly expiresAtMs?: number | null;
  };
  readonly error?: { readonly code: string };
}
