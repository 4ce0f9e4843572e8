/**
 * A stream of events that is opened again when it ends, with growing pauses, and that rests while nobody looks at the page. It
 * says at every moment whether what was heard is still true.
 */
import { ApiProblem, messageOf } from "./api-problem.ts";
import { Attempts } from "./attempts.ts";
import { problemIn, type SentEvent } from "./event-stream.ts";
import { pauseBefore } from "./pause.ts";

/** How a feed stands. */
export type FeedState =
  | { readonly kind: "connecting" }
  | { readonly kind: "live" }
  /** Nothing is heard any more; another attempt is made at `retryAtMs`. */
  | {
      readonly kind: "lost";
      readonly why: string;
      readonly sinceMs: number;
      readonly retryAtMs: number;
    }
  /** Another token is needed; no attempt is made until there is one. */
  | { readonly kind: "refused"; readonly why: string; readonly sinceMs: number }
  /** The page is hidden. */
  | { readonly kind: "resting" };

/** A quiet stream that was lost is live again once it has been open for this long, in milliseconds: directories give nodes five seconds. */
const SETTLED_MS = 6_000;

/** A page that says whether it is hidden: `document`. */
interface HideablePage {
  readonly hidden: boolean;
  addEventListener(type: "visibilitychange", listener: () => void): void;
  removeEventListener(type: "visibilitychange", listener: () => void): void;
}

/** Where streams come from, as `Api` tells of them. */
interface StreamSource {
  events(path: string, signal: AbortSignal, onOpen?: () => void): AsyncIterable<SentEvent>;
}

/** What a feed is made of. */
export interface FeedOptions {
  readonly page: HideablePage;
  readonly api: StreamSource;
  readonly path: string;
  /** Whether it may be long until something is told: then the stream is live once it is open. */
  readonly isQuiet?: boolean;
  /** Whether the feed rests while the page is hidden. Default: it does. */
  readonly rests?: boolean;
  readonly onEvent: (event: SentEvent) => void;
  readonly onState: (state: FeedState) => void;
}

/** Hears one path from `start` to `stop`. */
export class Feed {
  readonly #options: FeedOptions;
  #current: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #attempts = new Attempts();
  #isStarted = false;

  constructor(options: FeedOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isStarted = true;
    this.#options.page.addEventListener("visibilitychange", this.#onVisibility);
    this.again();
  }

  stop(): void {
    this.#isStarted = false;
    this.#options.page.removeEventListener("visibilitychange", this.#onVisibility);
    this.#end();
  }

  /** Makes another attempt now: there is another token, or a user does not want to wait. */
  again(): void {
    this.#end();
    if (!this.#isStarted) return;
    if (this.#isAtRest()) return this.#options.onState({ kind: "resting" });
    const controller = new AbortController();
    this.#current = controller;
    void this.#hear(controller.signal);
  }

  readonly #onVisibility = (): void => {
    if (this.#options.rests === false) return;
    if (!this.#options.page.hidden) return this.again();
    this.#end();
    this.#options.onState({ kind: "resting" });
  };

  #isAtRest(): boolean {
    return this.#options.page.hidden && this.#options.rests !== false;
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#current?.abort();
    this.#current = undefined;
  }

  async #hear(signal: AbortSignal): Promise<void> {
    const { api, path, isQuiet = false, onEvent, onState } = this.#options;
    this.#attempts.begun();
    if (!this.#attempts.isLost) onState({ kind: "connecting" });
    let why = "the stream has ended";
    let isLive = false;
    const becomeLive = (): void => {
      if (!isLive) onState({ kind: "live" });
      isLive = true;
    };
    try {
      const onOpen = (): void => {
        this.#attempts.opened(Date.now());
        if (!isQuiet) return;
        if (this.#attempts.isLost) this.#timer = setTimeout(becomeLive, SETTLED_MS);
        else becomeLive();
      };
      for await (const event of api.events(path, signal, onOpen)) {
        if (signal.aborted) return;
        const problem = problemIn(event);
        if (problem !== undefined) {
          onEvent(event);
          why = problem;
          break;
        }
        this.#attempts.heard();
        becomeLive();
        onEvent(event);
      }
    } catch (cause) {
      why = messageOf(cause);
      if (signal.aborted) return;
      if (cause instanceof ApiProblem && cause.isAboutToken) {
        const { sinceMs } = this.#attempts.ended(Date.now());
        return onState({ kind: "refused", why, sinceMs });
      }
    }
    if (!signal.aborted) this.#retryLater(why);
  }

  #retryLater(why: string): void {
    const nowMs = Date.now();
    const { failedBefore, sinceMs } = this.#attempts.ended(nowMs);
    const pauseMs = pauseBefore(failedBefore, Math.random());
    this.#options.onState({ kind: "lost", why, sinceMs, retryAtMs: nowMs + pauseMs });
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.again(), pauseMs);
  }
}
