import type { LinkEvents } from "@meridian/ports";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

import { Metrics, silentLogger, systemClock, type Logger } from "@meridian/runtime";
import { LinkListener, type LinkCuts, type WebSocketLink } from "@meridian/transport";

/** Records the events of a link, and makes promises for later ones. */
export class Recorder implements LinkEvents {
  readonly events: string[] = [];
  readonly messages: (string | Uint8Array)[] = [];
  readonly #waiting: { readonly isTrue: () => boolean; readonly resolve: () => void }[] = [];
  readonly #hooks: Partial<LinkEvents>;
  drains = 0;
  parts = 0;

  constructor(hooks: Partial<LinkEvents> = {}) {
    this.#hooks = hooks;
  }

  onOpen(): void {
    this.#happened("open");
    this.#hooks.onOpen?.();
  }

  onMessage(message: string | Uint8Array): void {
    this.messages.push(message);
    this.#happened("message");
    this.#hooks.onMessage?.(message);
  }

  onPart(): void {
    this.parts += 1;
    this.#happened("part");
    this.#hooks.onPart?.();
  }

  onDrain(): void {
    this.drains += 1;
    this.#happened("drain");
    this.#hooks.onDrain?.();
  }

  onClose(code: number, reason: string): void {
    this.#happened(`close ${code} ${reason}`.trimEnd());
    this.#hooks.onClose?.(code, reason);
  }

  /** Resolves once `isTrue` holds after some event. */
  until(isTrue: () => boolean): Promise<void> {
    if (isTrue()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isTrue, resolve }));
  }

  closed(): Promise<void> {
    return this.until(() => this.events.some((event) => event.startsWith("close")));
  }

  received(count: number): Promise<void> {
    return this.until(() => this.messages.length >= count);
  }

  #happened(event: string): void {
    this.events.push(event);
    for (const { isTrue, resolve } of this.#waiting) if (isTrue()) resolve();
  }
}

export interface Rig {
  readonly url: string;
  readonly port: number;
  readonly listener: LinkListener;
  readonly metrics: Metrics;
  /** The links accepted so far, oldest first, with the addresses they came from. */
  readonly accepted: { readonly link: WebSocketLink; readonly address: string }[];
}

/** An HTTP server on a free port that accepts links on `/replicate`, closed when the test ends. */
export async function startRig(
  events: () => LinkEvents,
  options: {
    readonly logger?: Logger;
    readonly drainBytes?: number;
    readonly heldBytesMax?: number;
    readonly cuts?: LinkCuts;
  } = {},
): Promise<Rig> {
  const accepted: Rig["accepted"] = [];
  const metrics = new Metrics();
  const listener = new LinkListener({
    path: "/replicate",
    logger: silentLogger,
    clock: systemClock,
    metrics,
    ...options,
    accept(link, address) {
      accepted.push({ link, address });
      return events();
    },
  });
  const server = createServer((_, response) => response.end("plain HTTP"));
  server.on("upgrade", listener.upgrade);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    listener.stop();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/replicate`, port, listener, metrics, accepted };
}

/** A logger that keeps its lines. */
export function recordingLogger(): { readonly lines: string[]; readonly logger: Logger } {
  const lines: string[] = [];
  const take =
    (level: string) =>
    (message: string, fields: object = {}): void => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
    };
  return {
    lines,
    logger: {
      debug: take("debug"),
      info: take("info"),
      warn: take("warn"),
      error: take("error"),
    },
  };
}
