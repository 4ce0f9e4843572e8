/**
 * Watches the node that calls go to, for a near cache. When that node tells no more, or calls go to another node, a node is asked to tell again: the same node
 * goes on with what this client has missed; of another one it is not known, and what is kept is compared with what that node has.
 */
import { MeridianError } from "@meridian/protocol";
import { batchPresence } from "@meridian/protocol/http-api";
import { Backoff, type Random } from "@meridian/runtime";

import { answerOf, bareEtag } from "../answers.ts";
import type { Caller } from "../caller.ts";
import { hasManyRequests } from "../change-requests.ts";
import { eitherOf } from "../either-of.ts";
import type { Events, NamedNode } from "../events.ts";
import { pause } from "../pause.ts";
import { BATCH_MAX } from "../requests.ts";
import { toldBy, type WatchPaths } from "../told-by.ts";
import type { Told } from "../told.ts";
import { lookRequest } from "../watch.ts";
import type { NearCache } from "./near-cache.ts";
import type { NearTerms } from "./near-options.ts";

/** What the watch of a near cache needs. */
export interface NearWatchOptions extends WatchPaths {
  readonly near: NearCache;
  readonly terms: NearTerms;
  readonly caller: Caller;
  readonly random: Random;
  readonly events: Events;
  readonly deadlineMs: number;
  /** Ends everything when the client is closed. */
  readonly closed: AbortSignal;
}

/** A node is asked anew after so long: the clocks of both ends drift apart, and its words are judged by them. */
const RENEWAL_MS = 600_000;

/** Without a word for so long, the node is taken for dead: nodes say one each second. */
const QUIET_MS = 5_000;

/** Keeps a near cache true. */
export class NearWatch {
  readonly #options: NearWatchOptions;
  #hasStarted = false;
  #isLive = false;
  #node: NamedNode | undefined;
  /** The token of the last place, of the node whose changes are told. */
  #token: string | undefined;
  /** Counts the comparisons that were begun: only the last one goes on. */
  #comparisons = 0;
  /** The URL of the node that tells or is asked to; undefined while it is looked for. */
  #followed: string | undefined;
  /** Ends the present watch, when calls go to another node. */
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

  /** Hears one node, until it tells no more. */
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
      const { prefix } = terms;
      const quietMs = QUIET_MS;
      const question = { prefix, positions: true, token, quietMs, isHeld: false };
      let askedAtMs = 0;
      for await (const told of toldBy(this.#options, node, question, either.signal)) {
        this.#token = told.token ?? this.#token;
        if (told.kind === "open") ({ askedAtMs } = told);
        this.#take(told, url, either.signal);
        if (told.kind !== "position") continue;
        const nowMs = network.clock.elapsedMs();
        // The node was slow to begin, or its words are on their way for too long. Another watch may have better luck.
        const isLate = near.leaseEndMs - nowMs < terms.leaseMs / 2;
        if (nowMs - askedAtMs > (isLate ? 2 * terms.leaseMs : RENEWAL_MS)) return;
        if (!isLate) onWord();
      }
    } finally {
      either.release();
    }
  }

  #take(told: Told, url: string, signal: AbortSignal): void {
    const { near } = this.#options;
    switch (told.kind) {
      case "open":
        if (near.opened(url, told.askedAtMs)) void this.#compare(signal);
        return;
      case "position":
        near.reached(told.word);
        return this.#tellLive();
      case "change": {
        const { change } = told;
        const isSet = change.event === "set";
        const etag = bareEtag(isSet ? change.entry.etag : change.etag);
        return near.changed(change.key, etag, isSet);
      }
      case "reload":
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
