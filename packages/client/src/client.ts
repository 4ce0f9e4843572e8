import { MeridianError } from "@meridian/protocol";

import type { Directories } from "./directories.ts";
import { Keyspace, type KeyspaceParts, type KeyspaceTerms } from "./keyspace.ts";
import type { ClientEvents, Events } from "./events.ts";
import type { ClientStatus, KnownNode } from "./meridian-client.ts";
import { termsOfNamespace } from "./namespace-options.ts";
import type { Near } from "./near/near.ts";
import type { NodePool } from "./node-pool.ts";
import type { Session } from "./session.ts";
import type { SocketLinks } from "./socket-links.ts";
import { plainShape } from "./shape.ts";
import { watch, type WatchEvent, type WatchOptions } from "./watch.ts";

/** The parts of a client. */
export interface ClientParts extends KeyspaceParts {
  readonly pool: NodePool;
  readonly links: SocketLinks;
  readonly directories: Directories;
  readonly session: Session;
  readonly events: Events;
  readonly near: Near | undefined;
  /** Ends all running calls. */
  readonly closing: AbortController;
}

/** The client that `connect` returns: a keyspace of all keys, with the state of the cluster's nodes. */
export class Client extends Keyspace<unknown, unknown> {
  readonly #parts: ClientParts;

  /** `loading` says how it fills itself. */
  constructor(
    parts: ClientParts,
    loading: Pick<KeyspaceTerms<unknown, unknown>, "load" | "fill"> = {},
  ) {
    super(parts, { prefix: "", shape: plainShape, ttlMs: undefined, ...loading });
    this.#parts = parts;
  }

  namespace(
    name: string,
    options: Parameters<typeof termsOfNamespace>[1] = {},
  ): Keyspace<unknown, unknown> {
    const terms = termsOfNamespace(name, options);
    if (options.near === false) this.#parts.near?.leaveOut(terms.prefix);
    return new Keyspace(this.#parts, terms);
  }

  watch(options: WatchOptions): AsyncGenerator<WatchEvent, void, undefined> {
    return watch({ ...this.#parts, closed: this.#parts.closing.signal }, options);
  }

  get nodes(): readonly KnownNode[] {
    const { pool, links, network } = this.#parts;
    const first = pool.inUse(network.clock.elapsedMs());
    const rest = pool.nodes.filter((node) => node !== first);
    return [first, ...rest].flatMap((node) =>
      node === undefined
        ? []
        : [
            {
              ...node.info,
              circuit: node.circuit.state,
              roundTripMs: node.roundTrips.meanMs,
              transport: links.transportOf(node),
            },
          ],
    );
  }

  get directory(): string | undefined {
    return this.#parts.directories.current;
  }

  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): () => void {
    return this.#parts.events.on(name, listener);
  }

  status(): ClientStatus {
    const { nodes } = this;
    const { caller, fills, near, closing } = this.#parts;
    return {
      node: nodes[0]?.id,
      nodes,
      directory: this.directory,
      calls: caller.underWay,
      loads: fills.underWay,
      near: near?.status(),
      closed: closing.signal.aborted,
    };
  }

  forgetPosition(): void {
    this.#parts.session.forget();
  }

  close(): void {
    const message = "Expected an open client, got one that was closed";
    this.#parts.closing.abort(new MeridianError("CLIENT_CLOSED", message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }
}
