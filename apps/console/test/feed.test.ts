import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ApiProblem } from "../page/api/api-problem.ts";
import type { SentEvent } from "../page/api/event-stream.ts";
import { Feed, type FeedState } from "../page/api/feed.ts";

/** How a stream goes that a page asks for: what it tells, and how it ends; without an end it stays open. */
interface Course {
  readonly tells?: readonly SentEvent[];
  readonly end?: Error | "ends";
}

const EVENT: SentEvent = { name: "node", data: "{}" };
const GONE = new ApiProblem("UNREACHABLE", 0, "No answer");
const EXPIRED = new ApiProblem("UNAUTHENTICATED", 401, "the token has expired");

/** A feed of streams that go as they are told to, one after the other, and all states that it has told of. */
class Stage {
  readonly states: FeedState[] = [];
  readonly heard: SentEvent[] = [];
  asked = 0;
  readonly page = Object.assign(new EventTarget(), { hidden: false });
  readonly feed: Feed;
  readonly #courses: Course[];

  constructor(courses: readonly Course[], isQuiet = false) {
    this.#courses = [...courses];
    this.feed = new Feed({
      page: this.page,
      api: { events: (_path, signal, onOpen) => this.#stream(signal, onOpen) },
      path: "/watch",
      isQuiet,
      onEvent: (event) => this.heard.push(event),
      onState: (state) => this.states.push(state),
    });
  }

  get kinds(): readonly string[] {
    return this.states.map(({ kind }) => kind);
  }

  hide(hidden: boolean): void {
    this.page.hidden = hidden;
    this.page.dispatchEvent(new Event("visibilitychange"));
  }

  async *#stream(
    signal: AbortSignal,
    onOpen: () => void = () => {},
  ): AsyncGenerator<SentEvent, void, undefined> {
    this.asked += 1;
    const { tells = [], end } = this.#courses.shift() ?? {};
    if (end instanceof Error && tells.length === 0) throw end;
    onOpen();
    yield* tells;
    if (end instanceof Error) throw end;
    if (end === "ends") return;
    await new Promise((_, reject) => {
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  }
}

/** Lets what has been promised happen, and time pass. */
const pass = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe("a feed", () => {
  it("is live once something is told, and says since when it is not, however often it tries again", async () => {
    const stage = new Stage([{ tells: [EVENT], end: "ends" }, { end: GONE }, { tells: [EVENT] }]);
    stage.feed.start();
    await pass(0);
    expect(stage.kinds).toEqual(["connecting", "live", "lost"]);
    const lostAtMs = Date.now();
    await pass(700);
    expect([stage.asked, stage.kinds.at(-1)]).toEqual([2, "lost"]);
    expect(stage.states.at(-1)).toMatchObject({ sinceMs: lostAtMs, why: "No answer" });
    await pass(1_500);
    expect([stage.asked, stage.kinds.at(-1), stage.heard.length]).toEqual([3, "live", 2]);
    stage.feed.stop();
  });

  it("that is quiet is live once it is open", async () => {
    const stage = new Stage([{}], true);
    stage.feed.start();
    await pass(0);
    expect(stage.kinds).toEqual(["connecting", "live"]);
    stage.feed.stop();
  });

  it("whose token is good no more says so and waits for another one", async () => {
    const stage = new Stage([{ tells: [EVENT], end: EXPIRED }, { tells: [EVENT] }]);
    stage.feed.start();
    await pass(0);
    const sinceMs = Date.now();
    expect(stage.states.at(-1)).toEqual({ kind: "refused", why: EXPIRED.message, sinceMs });
    await pass(60_000);
    expect(stage.asked).toBe(1);
    stage.feed.again();
    await pass(0);
    expect([stage.asked, stage.kinds.at(-1)]).toEqual([2, "live"]);
    stage.feed.stop();
  });

  it("says what a program tells as its problem", async () => {
    const problem = { name: "problem", data: '{"detail":"the node is away"}' };
    const stage = new Stage([{ tells: [problem] }]);
    stage.feed.start();
    await pass(0);
    expect(stage.states.at(-1)).toMatchObject({ kind: "lost", why: "the node is away" });
    stage.feed.stop();
  });

  it("rests while the page is hidden, and asks nothing when it has been stopped", async () => {
    const stage = new Stage([{ tells: [EVENT] }, { tells: [EVENT] }]);
    stage.feed.start();
    await pass(0);
    stage.hide(true);
    expect(stage.kinds.at(-1)).toBe("resting");
    await pass(60_000);
    expect(stage.asked).toBe(1);
    stage.hide(false);
    await pass(0);
    expect([stage.asked, stage.kinds.at(-1)]).toEqual([2, "live"]);
    stage.feed.stop();
    stage.hide(true);
    stage.hide(false);
    stage.feed.again();
    await pass(60_000);
    expect([stage.asked, stage.kinds.at(-1)]).toEqual([2, "live"]);
  });
});
