import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

import {
  assembleFrame,
  encodeBlock,
  encodeMessage,
  FRAME_KIND,
  highestTimeOf,
  capabilities,
  stampTimeOf,
  type FrameHeader,
  type Hello,
  type NodeStatus,
} from "@meridian/protocol";
import { silentLogger, type Logger } from "@meridian/runtime";
import { dialLink, type WebSocketLink } from "@meridian/transport";

import { startDirectory, type DirectoryOptions, type RunningDirectory } from "@meridian/directory";

/** A folder that is removed when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "meridian-directory-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A directory on a free port, stopped when the test ends. */
export async function start(given: Partial<DirectoryOptions> = {}): Promise<RunningDirectory> {
  const directory = await startDirectory({
    host: "127.0.0.1",
    port: 0,
    data: given.data ?? (await temporaryFolder()),
    cluster: "test",
    durability: "process",
    lagMax: 10_000,
    horizon: 3_600_000,
    logger: silentLogger,
    ...given,
  });
  onTestFinished(() => directory.stop());
  return directory;
}

/** The JSON body of an answer. */
export async function fetchJson(url: string): Promise<Record<string, unknown>> {
  return (await (await fetch(url)).json()) as Record<string, unknown>;
}

/** A logger that tells when a message of that text has been logged. */
export function awaitedLogger(): {
  readonly logger: Logger;
  readonly logged: (message: string) => Promise<void>;
} {
  const seen = new Set<string>();
  const waiting = new Map<string, () => void>();
  const take = (message: string): void => {
    seen.add(message);
    waiting.get(message)?.();
  };
  return {
    logger: { debug: take, info: take, warn: take, error: take },
    logged: (message) =>
      seen.has(message)
        ? Promise.resolve()
        : new Promise((resolve) => waiting.set(message, resolve)),
  };
}

/** A node that speaks just enough of the protocol to be registered. */
export class FakeNode {
  readonly messages: { readonly type: string; readonly [field: string]: unknown }[] = [];
  readonly #id: string;
  readonly #incarnation: number;
  readonly #url: string | null;
  readonly #link: WebSocketLink;
  readonly #waiting: (() => void)[] = [];
  closed: { readonly code: number; readonly reason: string } | undefined;

  constructor(directoryUrl: string, id: string, incarnation = 11, url: string | null = null) {
    this.#id = id;
    this.#url = url;
    this.#incarnation = incarnation;
    const happened = (): void => this.#waiting.splice(0).forEach((resolve) => resolve());
    const events = {
      onOpen: happened,
      onPart: () => {},
      onDrain: () => {},
      onMessage: (message: string | Uint8Array) => {
        if (typeof message === "string") this.messages.push(JSON.parse(message));
        happened();
      },
      onClose: (code: number, reason: string) => {
        this.closed = { code, reason };
        happened();
      },
    };
    this.#link = dialLink(`${directoryUrl}/replicate`, events, { logger: silentLogger });
    this.#waiting.push(() => this.send(this.#hello()));
  }

  send(message: string): void {
    this.#link.send(message);
  }

  /** Resolves when a message of that type has come. */
  async received(type: string): Promise<void> {
    while (!this.messages.some((message) => message.type === type)) {
      if (this.closed !== undefined) throw new Error(`closed: ${JSON.stringify(this.closed)}`);
      await this.#event();
    }
  }

  async gone(): Promise<void> {
    while (this.closed === undefined) await this.#event();
  }

  /** Says that the node is alive, and waits until the directory has heard it. */
  async heartbeat(status: NodeStatus, lagMs = 0): Promise<void> {
    const load = { entries: 1, bytes: 2, requestsPerSecond: 3 };
    this.send(
      encodeMessage({
        type: "heartbeat",
        nowMs: Date.now(),
        status,
        appliedThrough: 0,
        outboxPending: 0,
        lowestTime: 0,
        lagMs,
        load,
      }),
    );
    await this.received("echo");
  }

  /** Resolves when the outbox is acknowledged through `position`; rejects if the link is closed before. */
  async acknowledged(position: number): Promise<void> {
    const isAcknowledged = (): boolean =>
      this.messages.some(
        ({ type, outboxThrough }) => type === "acknowledge" && Number(outboxThrough) >= position,
      );
    while (!isAcknowledged()) {
      if (this.closed !== undefined) throw new Error(`closed: ${JSON.stringify(this.closed)}`);
      await this.#event();
    }
  }

  /** Sends one entry as the frame at `position` of the node's outbox. */
  write(key: string, position = 1): void {
    const stamp = { time: stampTimeOf(Date.now()), origin: this.#incarnation };
    const value = new TextEncoder().encode("value");
    const entries = [
      { key, value, contentType: "text/plain", stamp, expiresAtMs: 0, deleted: false },
    ];
    const header: FrameHeader = {
      kind: FRAME_KIND.entries,
      reportApplied: false,
      incomplete: false,
      count: 1,
      after: 0,
      through: 0,
      committedThrough: 0,
      highestTime: highestTimeOf(entries),
      sentAtMs: Date.now(),
      incarnation: this.#incarnation,
      position,
    };
    this.#link.send(assembleFrame(header, encodeBlock(entries)));
  }

  close(): void {
    this.#link.close(1000, "");
  }

  #event(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #hello(): string {
    const hello: Hello = {
      type: "hello",
      ...capabilities(),
      cluster: "test",
      nodeId: this.#id,
      region: "somewhere",
      incarnation: this.#incarnation,
      ip: null,
      port: 7401,
      url: this.#url,
      lat: 48,
      lon: 2,
      status: "syncing",
      cursors: [],
      home: null,
      outboxThrough: 1,
      outboxAcknowledged: 0,
      admittedTime: 0,
      horizon: 0,
      nowMs: Date.now(),
    };
    return encodeMessage(hello);
  }
}
