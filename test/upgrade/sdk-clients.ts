/** Clients of the SDK as programs use them. Each uses keys of its own, and none of its requests may fail. */
import { connect, type MeridianClient } from "@meridian/client";
import type { Place } from "@meridian/local-cluster";

import type { Secrets } from "../support/secrets.ts";

/** How often each client asks, in milliseconds. */
const EVERY_MS = 20;
const KEYS = 50;

/** How clients reach a cluster. */
interface Cluster {
  readonly directory: readonly string[];
  /** What is needed where the programs use TLS and demand tokens. */
  readonly secrets: Secrets | undefined;
}

/** Runs clients that read their own writes. */
export class SdkClients {
  /** A sentence for each request that failed, and for each read that did not return the written value. */
  readonly failures: string[] = [];
  /** The last acknowledged number of each key. */
  readonly acknowledged = new Map<string, number>();
  requests = 0;
  readonly #running: Promise<void>[] = [];
  #stopping = false;

  /** Starts a client at each place. */
  async start({ directory, secrets }: Cluster, places: readonly Place[]): Promise<void> {
    const credentials = secrets && { token: () => secrets.token, fetch: secrets.fetch };
    for (const { id, lat, lon } of places) {
      const client = await connect({ directory, location: { lat, lon }, ...credentials });
      this.#running.push(this.#run(id, client));
    }
  }

  /** Stops the clients. Resolves once every running request has ended. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#running);
  }

  async #run(name: string, client: MeridianClient): Promise<void> {
    for (let number = 0; !this.#stopping; number += 1) {
      const key = `sdk/${name}/${number % KEYS}`;
      const turnMs = performance.now();
      try {
        await client.set(key, number);
        this.acknowledged.set(key, number);
        const read = await client.get(key);
        if (read !== number)
          this.failures.push(`${key} was set to ${number} and is ${String(read)}`);
      } catch (cause) {
        this.failures.push(
          `${name}, after ${Math.round(performance.now() - turnMs)} ms: ${String(cause)}`,
        );
      }
      this.requests += 2;
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    }
    client.close();
  }
}
