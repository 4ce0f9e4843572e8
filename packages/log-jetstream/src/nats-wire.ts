import type { NatsConnection } from "@nats-io/transport-node";

import type { RelayWire } from "./relay-wire.ts";
import type { StreamNames } from "./stream-settings.ts";

/** Carries packets on subjects of NATS that no stream keeps. The subject for answers is that of the sender. */
export class NatsWire implements RelayWire {
  readonly #connection: NatsConnection;
  readonly #prefix: string;

  constructor(connection: NatsConnection, { relay }: StreamNames) {
    this.#connection = connection;
    this.#prefix = `${relay}.`;
  }

  send(to: string, packet: Uint8Array, from: string): void {
    // What is sent while the connection is lost would wait for the next one, and come too late.
    if (this.#connection.isClosed()) return;
    this.#connection.publish(this.#prefix + to, packet, { reply: this.#prefix + from });
  }

  listen(address: string, onPacket: (packet: Uint8Array, from: string) => void): () => void {
    const subscription = this.#connection.subscribe(this.#prefix + address, {
      callback: (failure, { data, reply = "" }) => {
        if (failure !== null || !reply.startsWith(this.#prefix)) return;
        onPacket(data, reply.slice(this.#prefix.length));
      },
    });
    return () => subscription.unsubscribe();
  }
}
