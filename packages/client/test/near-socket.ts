/** A WebSocket to a node of `NearWorld`: requests go one way and answers the other, each in their order. */
import { MeridianError } from "@meridian/protocol";
import {
  changesMessage,
  errorMessage,
  jsonResult,
  positionMessage,
  readBinaryRequest,
  reloadMessage,
  resultMessage,
} from "@meridian/protocol/binary-socket-api";
import type { SocketRequest } from "@meridian/protocol/socket-api";

import type { Wire, WireEvents } from "../src/socket/wire.ts";
import type { NearNode, NearTold, NearWatch, NearWorld } from "./near-world.ts";
import { Pipe } from "./pipe.ts";
import { callOf, messageOf } from "./socket-listener.ts";

export class NearSocket implements Wire {
  readonly #world: NearWorld;
  readonly #events: WireEvents;
  readonly #node: NearNode | undefined;
  readonly #there: Pipe<Uint8Array>;
  readonly #back: Pipe<() => void>;
  readonly #watches = new Map<number, NearWatch>();
  #isOver = false;

  constructor(world: NearWorld, host: string, events: WireEvents) {
    this.#world = world;
    this.#events = events;
    const node = world.nodes.find(({ id }) => id === host);
    this.#node = node;
    this.#there = new Pipe(world, (bytes) => this.#take(bytes), false);
    this.#back = new Pipe(world, (arrive) => arrive());
    world.later(() => {
      if (node?.isDown !== false) return this.#end();
      node.cuts.add(() => this.#end());
      return this.#back.send(() => events.opened());
    });
  }

  send(message: Uint8Array): void {
    // The connection is lost, and nobody knows.
    if (this.#world.chance() < this.#world.loss / 4) this.#lose();
    this.#there.send(message);
  }

  close(): void {
    this.#lose();
    this.#world.later(() => this.#end());
  }

  hold(): void {}

  #lose(): void {
    this.#there.end();
    this.#back.end();
    for (const watch of this.#watches.values()) watch.isOver = true;
  }

  #end(): void {
    this.#lose();
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.closed({ code: undefined, isRefused: false, reason: "cut" });
  }

  #take(bytes: Uint8Array): void {
    const node = this.#node;
    const read = readBinaryRequest(bytes);
    if ("error" in read) throw read.error;
    if (node?.isDown !== false) return;
    const { request } = read;
    const id = Number(request.id);
    const message = this.#answerOf(node, id, request);
    this.#say(message);
  }

  #answerOf(node: NearNode, id: number, request: SocketRequest): Uint8Array {
    if (this.#world.unknown.includes(request.type)) {
      const { body } = node.failed(new MeridianError("UNKNOWN_OPTION", "not known here"));
      return errorMessage(id, undefined, String(body));
    }
    const nothing = resultMessage(id, undefined, jsonResult("{}"));
    if (request.type === "ping") return nothing;
    if (request.type === "unwatch") {
      const watch = this.#watches.get(Number(request.watch));
      if (watch !== undefined) watch.isOver = true;
      return nothing;
    }
    if (request.type !== "watch") {
      const call = callOf(request);
      const headers = new Headers(
        Object.entries(call.headers).flatMap(([name, value]) =>
          value === undefined ? [] : [[name, value] as [string, string]],
        ),
      );
      return messageOf(id, request, node.reply({ ...call, headers }));
    }
    try {
      const { prefix = "", resume } = request;
      this.#watches.set(
        id,
        node.watch(prefix, resume, (told) => this.#tell(node, id, told)),
      );
      return new Uint8Array(0);
    } catch (cause) {
      const { body } = node.failed(cause);
      return errorMessage(id, undefined, String(body));
    }
  }

  #tell(node: NearNode, id: number, told: NearTold): void {
    this.#say(wordsOf(id, told), () => {
      this.#world.watched = node;
    });
  }

  #say(message: Uint8Array, onArrival: () => void = () => {}): void {
    if (message.length === 0) return;
    this.#back.send(() => {
      onArrival();
      this.#events.message(message);
    });
  }
}

function wordsOf(id: number, told: NearTold): Uint8Array {
  const { token } = told;
  switch (told.event) {
    case "open":
      return resultMessage(id, undefined, jsonResult(JSON.stringify({ resume: token })));
    case "reload":
      return reloadMessage(id, undefined, token);
    case "position":
      return positionMessage(id, told.position, token, told);
    case "set": {
      const { key, etag } = told;
      const change = { event: "set", key, etag, contentType: "", expiresAtMs: null } as const;
      return changesMessage(id, undefined, token, [change]);
    }
    case "delete":
    case "expire": {
      const { event, key, etag } = told;
      return changesMessage(id, undefined, token, [{ event, key, etag }]);
    }
  }
}
