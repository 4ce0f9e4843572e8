/** The open pages of a playground. Each gets the state of the cluster as server-sent events, and so notices when its playground is gone. */
import type { ServerResponse } from "node:http";

import type { Clock } from "@meridian/runtime";

/** A comment is sent so often, in milliseconds, so that a page knows that it would have heard of changes. */
const QUIET_MS = 15_000;

/** How many pages are told of changes. */
const WATCHERS_MAX = 16;

/** The state that pages are told, and the callback for new pages. */
export interface WatchersOptions {
  readonly clock: Clock;
  /** How everything stands, as JSON. */
  readonly state: () => unknown;
  /** Told that a page has come. Returns what is told that it has gone. */
  readonly onEnter: () => () => void;
}

/** Tells pages how everything stands. */
export class Watchers {
  readonly #options: WatchersOptions;
  readonly #open = new Set<ServerResponse>();

  constructor(options: WatchersOptions) {
    this.#options = options;
  }

  get isFull(): boolean {
    return this.#open.size >= WATCHERS_MAX;
  }

  /** Tells a page from now on. */
  add(response: ServerResponse): void {
    const leave = this.#options.onEnter();
    this.#open.add(response);
    let cancel = (): void => {};
    const breathe = (): void => {
      cancel = this.#options.clock.after(QUIET_MS, () => {
        response.write(":\n\n");
        breathe();
      });
    };
    response.on("close", () => {
      cancel();
      this.#open.delete(response);
      leave();
    });
    response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
    response.write(this.#event());
    breathe();
  }

  /** Tells all pages how it stands now. */
  tell(): void {
    const event = this.#event();
    for (const response of this.#open) response.write(event);
  }

  #event(): string {
    return `event: playground\ndata: ${JSON.stringify(this.#options.state())}\n\n`;
  }
}
