import { MeridianError } from "@meridian/protocol";

import type { Directories } from "./directories.ts";
import { Keyspace, type KeyspaceParts } from "./keyspace.ts";
import type { KnownNode } from "./meridian-client.ts";
import type { NodePool } from "./node-pool.ts";
import type { Session } from "./session.ts";
import { plainShape } from "./shape.ts";

/** What a client is put together from. */
export interface ClientParts extends KeyspaceParts {
  readonly pool: NodePool;
  readonly directories: Directories;
  readonly session: Session;
  /** Ends everything under way. */
  readonly closing: AbortController;
}

/** The client that `connect` returns: all keys, and what is known of the cluster. */
export class Client extends Keyspace<unknown, unknown> {
  readonly #parts: ClientParts;

  constructor(parts: ClientParts) {
    super(parts, { prefix: "", shape: plainShape, ttlMs: undefined });
    this.#parts = parts;
  }

  get nodes(): readonly KnownNode[] {
    const { pool, clock } = this.#parts;
    const first = pool.inUse(clock.elapsedMs());
    const rest = pool.nodes.filter((node) => node !== first);
    return [first, ...rest].flatMap((node) =>
      node === undefined ? [] : [{ ...node.info, circuit: node.circuit.state }],
    );
  }

  get directory(): string | undefined {
    return this.#parts.directories.current;
  }

  forgetPosition(): void {
    this.#parts.session.forget();
  }

  close(): void {
    const message = "Expected an open client, got one that was closed";
    this.#parts.closing.abort(new MeridianError("CLIENT_CLOSED", message));
  }
}
