/** The watches of one WebSocket. */
import { MeridianError } from "@meridian/protocol";
import type { RequestId, SocketRequestOf } from "@meridian/protocol/socket-api";
import type { Clock } from "@meridian/runtime";

import type { RegionService } from "../../service/region-service.ts";
import type { Watch, WatchSink } from "../../service/watches.ts";
import { watchedOf } from "../api/watched.ts";
import { sessionOf } from "./operations.ts";
import type { Said, SocketForm } from "./socket-form.ts";

/** How a WebSocket is told. */
export interface SocketWatchesOptions {
  readonly service: RegionService;
  readonly form: SocketForm;
  readonly clock: Pick<Clock, "elapsedMs">;
  /** Whether it takes news now. */
  readonly isOpen: () => boolean;
  readonly send: (message: Said) => void;
}

/** How many watches a connection may have. */
const WATCHES_MAX = 1_000;

interface Opened {
  readonly request: SocketRequestOf<"watch">;
  readonly watch: Watch;
}

/** Keeps the watches of a connection. */
export class SocketWatches {
  readonly #options: SocketWatchesOptions;
  readonly #opened = new Map<RequestId, Opened>();
  #isEnded = false;

  constructor(options: SocketWatchesOptions) {
    this.#options = options;
  }

  /** Whether a watch has been begun by a request of that id. */
  has(id: RequestId): boolean {
    return this.#opened.has(id);
  }

  /** Begins a watch, and resolves to the result. Rejects with what `Watches.open` throws. */
  async open(request: SocketRequestOf<"watch">): Promise<object> {
    const { service } = this.#options;
    const { id, key, prefix, resume } = request;
    const watched = watchedOf(key, prefix);
    await service.admission.admit(sessionOf(request));
    if (this.#isEnded) throw new MeridianError("GOING_AWAY", "The connection has ended");
    if (this.#opened.size >= WATCHES_MAX) {
      const said = `Expected at most ${WATCHES_MAX} watches on a connection, got one more`;
      throw new MeridianError("OVERLOADED", said, { details: { max: WATCHES_MAX } });
    }
    const watch = service.watches.open({ watched, token: resume }, this.#sinkOf(request));
    this.#opened.set(id, { request, watch });
    return { resume: watch.token };
  }

  /** Ends the watch of an id. Throws `INVALID_ARGUMENT` where there is none. */
  close(id: RequestId): void {
    const opened = this.#opened.get(id);
    if (opened === undefined) {
      const said = `Expected the id of a request that has begun a watch, got \`${id}\``;
      throw new MeridianError("INVALID_ARGUMENT", said);
    }
    opened.watch.close();
    this.#opened.delete(id);
  }

  /** The connection takes news again. */
  goOn(): void {
    for (const { watch } of this.#opened.values()) watch.goOn();
  }

  /** Ends the watches that `check` throws for, and tells so: the connection has another token. */
  check(check: (request: SocketRequestOf<"watch">) => void): void {
    for (const [id, { request }] of this.#opened) {
      try {
        check(request);
      } catch (cause) {
        this.close(id);
        const { form, send } = this.#options;
        send(form.error(id, cause as MeridianError, this.#position()));
      }
    }
  }

  /** Ends all. */
  end(): void {
    this.#isEnded = true;
    for (const { watch } of this.#opened.values()) watch.close();
    this.#opened.clear();
  }

  #sinkOf({ id, values = false, positions = false }: SocketRequestOf<"watch">): WatchSink {
    const { form, isOpen, send, clock, service } = this.#options;
    const openedAtMs = clock.elapsedMs();
    const level = (token: string, position: string): void => {
      // Rounded so that clients never take this for younger than it is.
      const elapsedMs = Math.floor(clock.elapsedMs() - openedAtMs);
      const nowMs = Math.ceil(service.time.nowMs());
      send(form.position(id, token, position, { elapsedMs, nowMs }));
    };
    return {
      isOpen,
      tell: (news, token) => send(form.changes(id, news, values, token, this.#position())),
      reload: (token) => send(form.reload(id, token, this.#position())),
      // The connection is closed as its requests are answered.
      end: () => {},
      ...(positions && { level }),
    };
  }

  #position(): string {
    return this.#options.service.admission.positionToken();
  }
}
