/**
 * Carries messages between the processes that use a cluster. Each message is an entry of its own, under the channel, the id of its sender and a number. All
 * processes watch the channel. A message expires by itself; until then, a process that was away finds it.
 */
import { untilDone, type MeridianClient, type WatchEvent } from "@meridian/client";

/** The options of the bus. */
export interface MeridianBusOptions {
  readonly client: MeridianClient;
  /** In the cluster, the keys of messages begin with this and a colon. Default `bus`. */
  readonly prefix?: string | undefined;
  /** How long a process may be away and still get its messages, as text with a unit. Default `10m`. */
  readonly keep?: string | undefined;
  /** How Bentocache sends again what could not be sent. */
  readonly retryQueue?: BusRetryQueue | undefined;
  /** Called with what a handler throws, and when a subscription has ended although nobody ended it, such as because a token was revoked. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** As Bentocache takes it. */
export interface BusRetryQueue {
  enabled?: boolean;
  maxSize?: number;
  retryInterval?: number | string | false;
}

/** Called with each message of another process. */
export type BusHandler<Message> = (message: Message) => void | Promise<void>;

/** The bus of a Bentocache: what `useBus` takes. */
export function meridianBusDriver(options: MeridianBusOptions): {
  options: { retryQueue?: BusRetryQueue };
  factory: () => MeridianBus;
} {
  const { retryQueue } = options;
  return {
    options: retryQueue === undefined ? {} : { retryQueue },
    factory: () => new MeridianBus(options),
  };
}

/** A transport of the bus of Bentocache. */
export class MeridianBus {
  readonly #client: MeridianClient;
  readonly #options: MeridianBusOptions;
  readonly #subscriptions = new Map<string, AbortController>();
  readonly #reconnected = new Set<() => void>();
  #id = "";
  #sent = 0;

  constructor(options: MeridianBusOptions) {
    this.#options = options;
    this.#client = options.client;
  }

  /** Says who sends. Bentocache gives each process another id. */
  setId(id: string): this {
    this.#id = id;
    return this;
  }

  /** Calls back each time a node tells messages again after a pause. */
  onReconnect(callback: () => void): void {
    this.#reconnected.add(callback);
  }

  /** Resolves once the message is durable on a node, which then sends it to all regions. */
  async publish(channel: string, message: unknown): Promise<void> {
    this.#sent += 1;
    const key = `${this.#prefixOf(channel)}${this.#id}:${this.#sent}`;
    await this.#client.set(key, message as never, { ttl: this.#options.keep ?? "10m" });
  }

  /**
   * Calls `handler` with each message of others. Resolves once none is missed any more: while no node can be reached, that is later. Resolves, too, when
   * the subscription ends before; `onError` is told if nobody has ended it.
   */
  subscribe<Message>(channel: string, handler: BusHandler<Message>): Promise<void> {
    this.#subscriptions.get(channel)?.abort();
    const ended = new AbortController();
    this.#subscriptions.set(channel, ended);
    return new Promise((resolve) => {
      let times = 0;
      const onLive = (): void => {
        times += 1;
        resolve();
        if (times > 1) for (const callback of this.#reconnected) callback();
      };
      const follow = this.#follow(channel, handler as BusHandler<unknown>, ended.signal, onLive);
      void follow.finally(resolve);
    });
  }

  async unsubscribe(channel: string): Promise<void> {
    this.#subscriptions.get(channel)?.abort();
    this.#subscriptions.delete(channel);
  }

  /** Ends all subscriptions; the client stays open. */
  async disconnect(): Promise<void> {
    for (const channel of this.#subscriptions.keys()) await this.unsubscribe(channel);
  }

  async #follow(
    channel: string,
    handler: BusHandler<unknown>,
    signal: AbortSignal,
    onLive: () => void,
  ): Promise<void> {
    const prefix = this.#prefixOf(channel);
    const give = async (key: string, message: unknown): Promise<void> => {
      if (key.startsWith(`${prefix}${this.#id}:`)) return;
      try {
        await handler(message);
      } catch (error) {
        this.#options.onError?.(error);
      }
    };
    // Some of them come for the second time: to forget a key twice does no harm.
    const giveAll = async (): Promise<void> => {
      for await (const { key, value } of this.#client.entries({ prefix, signal })) {
        await give(key, value);
      }
    };
    const take = async (event: WatchEvent): Promise<void> => {
      if (event.event === "set") await give(event.key, event.value);
      if (event.event !== "reload") return;
      await untilDone(giveAll, signal);
    };
    try {
      const watch = this.#client.watch({ prefix, values: true, signal, onLive });
      for await (const event of watch) await take(event);
    } catch (error) {
      if (!signal.aborted) this.#options.onError?.(error);
    }
  }

  #prefixOf(channel: string): string {
    return `${this.#options.prefix ?? "bus"}:${channel}:`;
  }
}
