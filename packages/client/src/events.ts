/** The events of a client: for listeners, and for subscribers of `node:diagnostics_channel`. */
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
  /** The circuit of a node has changed. */
  readonly node: NamedNode & { readonly circuit: CircuitState };
  /** Requests to a node go over another transport than before. */
  readonly transport: NamedNode & { readonly transport: "http" | "websocket" };
  /** Another node answers requests than before. */
  readonly failover: { readonly from: NamedNode; readonly to: NamedNode };
  /**
   * The near cache returns values from now on (`live`), or does not, because the node that tells of changes has been silent for longer
   * than the lease (`stale`) or refuses to tell any (`off`, with the reason).
   */
  readonly near: {
    readonly state: "live" | "stale" | "off";
    readonly node: NamedNode | undefined;
    readonly error: MeridianError | undefined;
  };
}

type Listener = (event: never) => void;

const NAMES: readonly (keyof ClientEvents)[] = ["node", "transport", "failover", "near"];

/** Emits events. */
export class Events {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #channels = new Map(NAMES.map((name) => [name, channelOf(name)]));

  /** Calls `listener` for each event of that name, in a microtask. Returns a function that ends this. Throws `INVALID_ARGUMENT` for an unknown name. */
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
      // An exception of the listener must not fail the call that caused the event.
      queueMicrotask(() => listener(event as never));
    }
  }
}
