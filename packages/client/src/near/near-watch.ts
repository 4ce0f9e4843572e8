/**
 * Watches the node that calls go to, for a near cache. When its stream ends, or calls go to another node, another stream is opened: the same node
 * goes on with what this client has missed; of another one it is not known, and what is kept is compared with what that node has.
 */
import { MeridianError } from "@meridian/protocol";
import { batchPresence } from "@meridian/protocol/http-api";
import { Backoff, type Random } from "@meridian/runtime";

import { answerOf, bareEtag } from "../answers.ts";
import type { Caller } from "../caller.ts";
import { hasManyRequests } from "../change-requests.ts";
import { eitherOf } from "../either-of.ts";
import { eventsOf, type Sent } from "../event-stream.ts";
import type { Events, NamedNode } from "../events.ts";
import type { Network } from "../exchange.ts";
import { pause } from "../pause.ts";
import { BATCH_MAX } from "../requests.ts";
import { lookRequest } from "../watch.ts";
import type { NearCache, NearWord } from "./near-cache.ts";
import type { NearTerms } from "./near-options.ts";

/** What the watch of a near cache needs. */
export interface NearWatchOptions {
  readonly near: NearCache;
  readonly terms: NearTerms;
  readonly caller: Caller;
  readonly network: Network;
  readonly random: Random;
  readonly events: Events;
  readonly deadlineMs: number;
  /** Ends everything when the client is closed. */
  readonly closed: AbortSignal;
}

/** A stream is opened anew after so long: the clocks of both ends drift apart, and its words are judged by them. */
const RENEWAL_MS = 600_000;

/** Without a word for so long, the stream is taken for dead: nodes say one each second. */
const QUIET_MS = 5_000;

/** Keeps a near cache true. */
export class NearWatch {
  readonly #options: NearWatchOptions;
  #hasStarted = false;
  #isLive = false;
  #node: NamedNode | undefined;
  /** The token of the last place, of the node whose changes are told. */
  #token: string | undefined;
  /** How many times it has been begun to compare: only the last one goes on. */
  #comparisons = 0;
  /** The URL of the node whose stream is read or asked for; undefined while it is looked for. */
  #followed: string | undefined;
  /** Ends the present stream, when calls go to another node. */
  #moving = new AbortController();

  constructor(options: NearWatchOptions) {
    this.#options = options;
  }

  /** Begins to watch. Only the first call counts. */
  start(): void {
    const { closed, events, near } = this.#options;
    if (this.#hasStarted || closed.aborted) return;
    this.#hasStarted = true;
    events.on("failover", ({ to }) => {
      const followed = this.#followed;
      if (followed !== undefined && to.url !== followed)
        this.#moving.abort(new Error(`calls go to ${to.url}`));
    });
    closed.addEventListener("abort", () => near.close(), { once: true });
    void this.#run();
  }

  /** Never rejects. */
  async #run(): Promise<void> {
    const { network, random, near, closed, events } = this.#options;
    const pauses = new Backoff({ random, firstMs: 50, maxMs: 2_000 });
    while (!closed.aborted) {
      try {
        await this.#follow(() => pauses.reset());
      } catch (cause) {
        if (closed.aborted) return;
        if (cause instanceof MeridianError && !cause.retryable) {
          near.left();
          events.tell("near", { state: "off", node: this.#node, error: cause });
          return;
        }
      }
      await pause(network, pauses.nextMs(), closed);
    }
  }

  /** Reads one stream, until it ends. */
  async #follow(onWord: () => void): Promise<void> {
    const { near, terms, caller, network, deadlineMs, closed } = this.#options;
    this.#moving = new AbortController();
    this.#followed = undefined;
    const either = eitherOf(this.#moving.signal, closed);
    try {
      const limits = { deadlineMs, signal: either.signal };
      const { node } = await caller.call(lookRequest(terms.prefix), limits);
      const { id, url } = node.info;
      this.#node = { id, url };
      this.#followed = url;
      // The token is another node's until this one has told its own.
      const token = url === near.node ? this.#token : undefined;
      const query = new URLSearchParams({ prefix: terms.prefix, positions: "true" });
      const path = `/watch?${query.toString()}`;
      const request = { node: url, path, token, quietMs: QUIET_MS };
      const askedAtMs = network.clock.elapsedMs();
      let isOpen = false;
      for await (const sent of eventsOf(network, request, either.signal)) {
        this.#token = sent.id ?? this.#token;
        if (!isOpen && near.opened(url, askedAtMs)) void this.#compare(either.signal);
        isOpen = true;
        this.#take(sent, either.signal);
        if (sent.name !== "position") continue;
        const nowMs = network.clock.elapsedMs();
        // The stream was slow to open, or its words are on their way for too long. A new one may have better luck.
        const isLate = near.leaseEndMs - nowMs < terms.leaseMs / 2;
        if (nowMs - askedAtMs > (isLate ? 2 * terms.leaseMs : RENEWAL_MS)) return;
        if (!isLate) onWord();
      }
    } finally {
      either.release();
    }
  }

  #take({ name, data }: Sent, signal: AbortSignal): void {
    const { near } = this.#options;
    switch (name) {
      case undefined:
        return;
      case "position":
        near.reached(JSON.parse(data) as NearWord);
        return this.#tellLive();
      case "set":
      case "delete":
      case "expire": {
        const { key, etag } = JSON.parse(data) as { readonly key: string; readonly etag: string };
        return near.changed(key, bareEtag(etag), name === "set");
      }
      default:
        near.renew();
        void this.#compare(signal);
    }
  }

  /** Tells that kept values are returned, and once the node has been silent for too long, that they are not. */
  #tellLive(): void {
    if (this.#isLive) return;
    this.#isLive = true;
    this.#options.events.tell("near", { state: "live", node: this.#node, error: undefined });
    this.#awaitSilence();
  }

  #awaitSilence(): void {
    const { near, network, events } = this.#options;
    const leftMs = near.leaseEndMs - network.clock.elapsedMs();
    if (leftMs <= 0) {
      this.#isLive = false;
      return events.tell("near", { state: "stale", node: this.#node, error: undefined });
    }
    // A new generation has no lease yet, and its first word comes at once.
    network.deadlines.after(Math.min(leftMs, QUIET_MS), () => this.#awaitSilence());
  }

  /** Compares what was kept of earlier generations with the node. Never rejects: what was not compared is not returned. */
  async #compare(signal: AbortSignal): Promise<void> {
    const { near, caller, deadlineMs } = this.#options;
    const comparison = (this.#comparisons += 1);
    const keys = near.oldKeys();
    for (let start = 0; start < keys.length; start += BATCH_MAX) {
      if (comparison !== this.#comparisons) return;
      const some = keys.slice(start, start + BATCH_MAX);
      const [request] = hasManyRequests(some);
      if (request === undefined) return;
      const sent = some.map((key) => near.sent(key));
      const etags = new Map<string, string>();
      let node = "";
      try {
        const reply = await caller.call(request, { deadlineMs, signal });
        for (const { key, etag } of answerOf(batchPresence, reply).entries) {
          etags.set(key, bareEtag(etag));
        }
        node = reply.node.info.url;
      } catch {
        // These are dropped, and read anew when somebody wants them.
      }
      for (const [index, key] of some.entries()) {
        near.compared(key, sent[index], node, etags.get(key) ?? "");
      }
    }
  }
}
