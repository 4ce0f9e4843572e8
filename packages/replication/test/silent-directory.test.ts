import type { LinkEvents } from "@meridian/ports";
import { Replica } from "@meridian/replication";
import { seededRandom, type Logger } from "@meridian/runtime";
import { emptyReplicaDisk, ManualClock, MemoryReplicaStore } from "@meridian/testkit";
import { expect, it } from "vitest";

type Links = "refuse" | "open" | "hang";

/** A node on its own: `links` says what becomes of its attempts to connect, `lines` what it says of them. */
class LonelyNode {
  readonly clock = new ManualClock();
  readonly lines: string[] = [];
  links: Links = "refuse";
  attempts = 0;
  #link: LinkEvents | undefined;

  constructor() {
    const line = (level: string) => (message: string) => {
      if (/directory/.test(message)) this.lines.push(`${level} ${message}`);
    };
    const logger: Logger = {
      debug: line("debug"),
      info: line("info"),
      warn: line("warn"),
      error: line("error"),
    };
    new Replica({
      node: {
        cluster: "c",
        id: "a",
        region: "a",
        ip: null,
        port: 1,
        url: null,
        lat: 0,
        lon: 0,
      },
      store: new MemoryReplicaStore(emptyReplicaDisk(1), queueMicrotask),
      dial: (events) => this.#dial(events),
      clock: this.clock,
      random: seededRandom(1),
      logger,
      defer: queueMicrotask,
    }).start();
  }

  /** Lets time pass until the node has tried to connect `count` times more. */
  async tries(count: number): Promise<void> {
    const until = this.attempts + count;
    for (let turn = 0; turn < 10_000 && this.attempts < until; turn += 1) {
      this.clock.advance(100);
      await Promise.resolve();
    }
    if (this.attempts !== until) throw new Error(`Expected ${until} attempts`);
    await Promise.resolve();
  }

  /** The connection in use breaks. */
  breaks(): void {
    this.#link?.onClose(1006, "");
  }

  #dial(events: LinkEvents) {
    this.attempts += 1;
    this.#link = events;
    const { links } = this;
    queueMicrotask(() => {
      if (links === "refuse") events.onClose(1006, "refused");
      else if (links === "open") events.onOpen();
    });
    return { bufferedBytes: 0, send: () => {}, close: () => {} };
  }
}

const UNANSWERED = "info the directory does not answer; trying again";
const STILL = "debug the directory still does not answer";

it.each(["refuse", "hang"] as const)(
  "a directory that is not there yet is told once, however often the node tries (links: %s)",
  async (links) => {
    const node = new LonelyNode();
    node.links = links;
    await node.tries(6);
    expect(node.lines.slice(0, 2)).toEqual([UNANSWERED, STILL]);
    expect(new Set(node.lines.slice(1))).toEqual(new Set([STILL]));
    expect(node.lines.length).toBeGreaterThanOrEqual(5);
  },
);

it("that it is away is told again after a link has opened", async () => {
  const node = new LonelyNode();
  await node.tries(3);
  node.links = "open";
  await node.tries(1);
  node.lines.length = 0;
  node.links = "refuse";
  node.breaks();
  await node.tries(3);
  expect(node.lines).toEqual(["info link to the directory closed", UNANSWERED, STILL, STILL]);
});

it("a link that opens and is then silent is told every time", async () => {
  const node = new LonelyNode();
  node.links = "open";
  await node.tries(3);
  const given = "warn link to the directory given up";
  expect(node.lines).toEqual([UNANSWERED, given, given]);
});
