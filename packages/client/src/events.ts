/** What a client tells of itself: to listeners, and to whoever watches the process by `node:diagnostics_channel`. */
import { MeridianError } from "@meridian/protocol";

import type { CircuitState } from "./circuit.ts";
import { channelOf } from "./diagnostics.ts";

/** A node by its names. */
export interface NamedNode {
  readonly id: string;
  readonly url: string;
}

/** The events of a client. */
export interface ClientEvents {
  /** Whether a node is sent requests has changed. */
  readonly node: NamedNode & { readonly circuit: CircuitState };
  /** Requests are answered by another node than before. */
  readonly failover: { readonly from: NamedNode; readonly to: NamedNode };
}

type Listener = (event: never) => void;

const NAMES: readonly (keyof ClientEvents)[] = ["node", "failover"];

/** Tells of events. */
export class Events {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #channels = new Map(NAMES.map((name) => [name, channelOf(name)]));

  /** Has a listener told of each event of that name, in a turn of its own. Returns the end of that. Throws `INVALID_ARGUMENT`. */
  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): () => void {
    if (!NAMES.includes(name) || typeof listener !== "function") {
      const known = NAMES.map((one) => `\`${one}\``).join(" or ");
      const said = `Expected ${known} and a function, got \`${String(name)}\` and ${typeof listener}`;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    // A function of its own, as the same listener may listen twice.
    const own = (event: ClientEvents[Name]): void => listener(event);
    listeners.add(own);
    return () => {
      listeners.delete(own);
    };
  }

  tell<Name extends keyof ClientEvents>(name: Name, event: ClientEvents[Name]): void {
    const channel = this.#channels.get(name);
    if (channel?.hasSubscribers === true) channel.publish(event);
    for (const listener of this.#listeners.get(name) ?? []) {
      // One that throws is an error of the program, and none of the call that it is told of.
      queueMicrotask(() => listener(event as never));
    }
  }
}
