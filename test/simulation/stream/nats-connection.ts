/** A directory's connection to one of the streams, with the subjects that no stream keeps. */
import type {
  FollowedMessages,
  LogStream,
  StoredMessage,
  StreamBounds,
  StreamMessage,
  StreamWriterWord,
} from "@meridian/log-jetstream/source/log-stream";
import type { RelayWire } from "@meridian/log-jetstream/source/relay-wire";
import { MeridianError } from "@meridian/protocol";

import type { Network } from "../network.ts";
import type { ProcessClock } from "../world.ts";
import { Following } from "./following.ts";
import { delayOf, NATS, type Listener, type Nats } from "./nats.ts";
import { Pipe } from "./pipe.ts";
import { boundsIn, epochIn, messageIn, type Answer, type StoredStream } from "./stored-stream.ts";

const ASK_MS = 3_000;
const PUBLISH_MS = 10_000;
const WRITER_MS = 1_000;

/** A message that comes twice comes the second time at most so much later. */
const AGAIN_MS = 3_000;

/** How a connection is made. */
export interface ConnectionOptions {
  readonly nats: Nats;
  readonly stream: StoredStream;
  readonly network: Network;
  readonly host: string;
  readonly clock: ProcessClock;
}

/** Implements what the log needs of a stream. */
export class NatsConnection implements LogStream {
  readonly #options: ConnectionOptions;
  readonly #up: Pipe;
  readonly #down: Pipe;
  /** What ends what goes on over this connection. */
  readonly #endings = new Set<() => void>();
  #isOpen = true;
  /** How often the stream had been set back when it was last asked for a message. */
  #seenRestores = 0;

  constructor(options: ConnectionOptions) {
    const { nats, network, host } = options;
    const { world } = nats;
    this.#options = options;
    const pipe = (from: string, to: string, delayMs: () => number): Pipe =>
      new Pipe({ world, network, from, to, delayMs, isThere: () => this.#isThere });
    this.#up = pipe(host, NATS, () => delayOf(nats.faults, world));
    this.#down = pipe(NATS, host, () => world.between(...nats.faults.delayMs));
  }

  get #isThere(): boolean {
    return this.#isOpen && this.#options.clock.isAlive;
  }

  async publish(message: StreamMessage, after: number): Promise<number> {
    const { nats, stream } = this.#options;
    const { world, faults } = nats;
    // The caller may write into the bytes once it has an answer.
    const sent = { ...message, data: message.data.slice() };
    return this.#ask(
      (answer) => {
        const isDeaf = world.chance(faults.deafness);
        const isLost = world.chance(faults.loss);
        const again = world.chance(faults.duplication) ? world.between(0, AGAIN_MS) : undefined;
        if (!isLost) stream.publish(sent, after, isDeaf ? () => {} : answer);
        if (again === undefined) return;
        world.schedule(again, () => stream.publish(sent, after, () => {}));
      },
      "store a message",
      PUBLISH_MS,
    );
  }

  async bounds(): Promise<StreamBounds> {
    const { stream } = this.#options;
    return this.#ask((answer) => stream.ask(boundsIn, answer), "tell its state");
  }

  async read(after: number, through: number): Promise<readonly StoredMessage[]> {
    const { stream } = this.#options;
    return this.#ask((answer) => stream.read(after, through, answer), "be read");
  }

  async get(sequence: number): Promise<StoredMessage | undefined> {
    const { stream } = this.#options;
    return this.#ask((answer) => {
      this.#seenRestores = stream.restores;
      stream.ask((view) => messageIn(sequence, view), answer);
    }, "be read");
  }

  async newestEpoch(): Promise<StoredMessage | undefined> {
    const { stream } = this.#options;
    return this.#ask((answer) => {
      this.#seenRestores = stream.restores;
      stream.ask(epochIn, answer);
    }, "be read");
  }

  async trim(first: number): Promise<void> {
    const { stream } = this.#options;
    const seen = this.#seenRestores;
    return this.#ask((answer) => {
      // OPERATIONS.md, "To set the streams back yourself": what is removed for what a stream was before destroys what it is set back to.
      if (seen === stream.restores) stream.ask(() => stream.trim(first), answer);
    }, "remove its oldest messages");
  }

  async discard(after: number, through: number): Promise<void> {
    const { stream } = this.#options;
    const { restores } = stream;
    return this.#ask((answer) => {
      if (restores === stream.restores) stream.ask(() => stream.discard(after, through), answer);
    }, "remove a message");
  }

  follow(after: number): FollowedMessages {
    const { nats, stream, network, host, clock } = this.#options;
    const { world } = nats;
    const delayMs = (): number => world.between(0, nats.faults.delayMs[1] + nats.faults.lagMs);
    const isThere = (): boolean => this.#isThere;
    const pipe = (): Pipe => new Pipe({ world, network, from: NATS, to: host, delayMs, isThere });
    const ask = (run: () => void): void => this.#up.send(run);
    const following = new Following({ stream, clock, pipe, ask, after, isThere });
    this.#endings.add(() => following.stop());
    return following;
  }

  writer(): Promise<StreamWriterWord | undefined> {
    const { nats } = this.#options;
    const asked = this.#ask<StreamWriterWord | undefined>(
      (answer) => {
        if (nats.writers.size === 0) answer(undefined);
        for (const writer of nats.writers) {
          writer.hear((epoch) => answer({ epoch }), "");
        }
      },
      "say who writes",
      WRITER_MS,
    );
    return asked.catch(() => undefined);
  }

  announce(epoch: number, onAsked: () => void): void {
    const { nats, clock } = this.#options;
    this.#listen(nats.writers, (answer) => {
      clock.run(() => {
        this.#up.send(() => answer(epoch));
        onAsked();
      });
    });
  }

  async sayGone(epoch: number): Promise<void> {
    const { nats } = this.#options;
    return this.#ask((answer) => {
      for (const mourner of nats.mourners) mourner.hear(epoch, "");
      answer(undefined);
    }, "be told");
  }

  hearGone(onGone: (epoch: number) => void): void {
    const { nats, clock } = this.#options;
    this.#listen(nats.mourners, (epoch) => clock.run(() => onGone(epoch)));
  }

  get relays(): RelayWire {
    const { nats, clock } = this.#options;
    return {
      send: (to, packet, from) => {
        if (!this.#isThere) return;
        const sent = packet.slice();
        this.#up.send(() => {
          for (const listener of nats.addresses.get(to) ?? []) listener.hear(sent, from);
        });
      },
      listen: (address, onPacket) => {
        const listeners = nats.addresses.get(address) ?? new Set();
        nats.addresses.set(address, listeners);
        return this.#listen(listeners, (packet, from) => {
          clock.run(() => onPacket(packet.slice(), from));
        });
      },
    };
  }

  async close(): Promise<void> {
    this.#isOpen = false;
    for (const end of this.#endings) end();
    this.#endings.clear();
  }

  /** Subscribes once the servers have heard of it. Returns what ends that. */
  #listen<Said>(
    listeners: Set<Listener<Said>>,
    hear: (said: Said, from: string) => void,
  ): () => void {
    let isOver = false;
    const listener: Listener<Said> = {
      hear: (said, from) =>
        this.#down.send(() => {
          if (!isOver && this.#isThere) hear(said, from);
        }),
    };
    const end = (): void => {
      isOver = true;
      listeners.delete(listener);
      this.#endings.delete(end);
    };
    this.#up.send(() => {
      if (!isOver) listeners.add(listener);
    });
    this.#endings.add(end);
    return end;
  }

  /** Asks the servers, and waits for so long for an answer. */
  #ask<T>(run: (answer: Answer<T>) => void, what: string, withinMs = ASK_MS): Promise<T> {
    const { clock } = this.#options;
    const failed = (why: string): MeridianError =>
      new MeridianError("STORE_FAILED", `The stream could not ${what}: ${why}`);
    return new Promise((resolve, reject) => {
      if (!this.#isThere) return reject(failed("the connection is closed"));
      const end = (): void => {
        cancel();
        this.#endings.delete(closed);
      };
      const closed = (): void => reject(failed("the connection is closed"));
      const cancel = clock.after(withinMs, () => {
        end();
        reject(failed("timeout"));
      });
      this.#endings.add(closed);
      const answer: Answer<T> = (given) =>
        this.#down.send(() => {
          clock.run(() => {
            end();
            if (given instanceof Error) reject(failed(given.message));
            else resolve(given);
          });
        });
      this.#up.send(() => run(answer));
    });
  }
}
