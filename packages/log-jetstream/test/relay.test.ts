import { createHash, randomBytes } from "node:crypto";

import type { FeedStart, Link, LinkEvents, UplinkLink } from "@meridian/ports";
import { silentLogger } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { RelayClient } from "../src/relay-client.ts";
import { RelayHost } from "../src/relay-host.ts";
import { encodePacket, PACKET } from "../src/relay-packets.ts";
import { LOST_CODE } from "../src/relay-link.ts";
import { writerAddress, type RelayWire } from "../src/relay-wire.ts";

type OnPacket = (packet: Uint8Array, from: string) => void;

/** Delivers at once, and loses what it is told to lose. */
class MemoryWire implements RelayWire {
  readonly #listeners = new Map<string, OnPacket>();
  /** Whether a packet of that kind is lost. */
  loses: (kind: number) => boolean = () => false;
  isCut = false;

  send(to: string, packet: Uint8Array, from: string): void {
    if (this.isCut || this.loses(packet[0] ?? 0)) return;
    this.#listeners.get(to)?.(packet.slice(), from);
  }

  listen(address: string, onPacket: OnPacket): () => void {
    this.#listeners.set(address, onPacket);
    return () => void this.#listeners.delete(address);
  }
}

/** One end of a link: what it heard. */
class End {
  readonly heard: (string | Uint8Array)[] = [];
  readonly feeds: FeedStart[] = [];
  readonly committed = new Set<number>();
  parts = 0;
  drains = 0;
  closed: { readonly code: number; readonly isLost?: boolean } | undefined;
}

/** A link that the directory that writes has taken in. */
interface Accepted {
  readonly link: Link;
  readonly address: string;
  readonly feed: (start: FeedStart) => void;
  readonly end: End;
}

/** A directory that writes in epoch 5, and one that passes links on to it. */
class Rig {
  readonly clock = new ManualClock();
  readonly wire = new MemoryWire();
  readonly ups: boolean[] = [];
  readonly registries: string[] = [];
  readonly accepted: Accepted[] = [];
  registry = "{}";
  readonly client: RelayClient;
  host: RelayHost;

  constructor() {
    const { clock, wire } = this;
    const committedThrough = (): number => 9;
    this.client = new RelayClient({ wire, id: 77, clock, logger: silentLogger, committedThrough });
    this.host = this.startHost(5);
    this.client.start({
      onUp: (isUp) => this.ups.push(isUp),
      onCommitted: () => {},
      onRegistry: (text) => this.registries.push(text),
    });
    this.client.writerIs(5);
  }

  startHost(epoch: number): RelayHost {
    const { clock, wire } = this;
    this.host = new RelayHost({
      wire,
      epoch,
      clock,
      logger: silentLogger,
      committedThrough: () => 12,
      registry: () => this.registry,
      ask: async (question) => `${question}: done`,
      accept: (link, address, feed): LinkEvents => {
        const end = new End();
        this.accepted.push({ link, address, feed, end });
        return {
          onOpen: () => {},
          onMessage: (message) => void end.heard.push(message),
          onPart: () => void (end.parts += 1),
          onDrain: () => void (end.drains += 1),
          onClose: (code) => {
            end.closed = { code };
          },
        };
      },
    });
    this.host.start();
    return this.host;
  }

  open(): { readonly link: UplinkLink; readonly end: End; readonly far: Accepted } {
    const end = new End();
    const link = this.client.open(
      {
        onMessage: (message, committedThrough) => {
          end.heard.push(message);
          end.committed.add(committedThrough);
        },
        onFeed: (start) => void end.feeds.push(start),
        onClose: (code, _, isLost) => {
          end.closed = { code, isLost };
        },
      },
      "10.0.0.9",
    );
    const far = this.accepted.at(-1);
    if (far === undefined) throw new Error("Expected the writer to take the link in");
    return { link, end, far };
  }
}

/** A text as it is, and what stands for bytes. */
function hash(message: string | Uint8Array): string {
  if (typeof message === "string") return message;
  return createHash("sha256").update(message).digest("hex");
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe("what an operator asks of a directory that passes links on", () => {
  it("is answered by the writer", async () => {
    const rig = new Rig();
    const questions = [rig.client.ask("one"), rig.client.ask("two")];
    expect(await Promise.all(questions)).toEqual(["one: done", "two: done"]);
  });

  it("fails if no directory writes, or the answer does not come", async () => {
    const rig = new Rig();
    rig.wire.loses = (kind) => kind === PACKET.answer;
    const failing = (question: string): Promise<string> => rig.client.ask(question).catch(String);
    const lost = failing("lost");
    rig.clock.advance(3_000);
    const cut = failing("cut");
    rig.client.writerIsGone();
    for (const said of [await lost, await cut, await failing("nobody")]) {
      expect(said).toContain("does not answer this one");
    }
  });
});

describe("a link that is passed on", () => {
  it("carries messages of all sizes in both directions, where the feed starts, and how it ends", async () => {
    const rig = new Rig();
    const { link, end, far } = rig.open();
    expect(far.address).toBe("10.0.0.9");
    const large = new Uint8Array(randomBytes(300_000));
    for (const message of ["", "text é", large, new Uint8Array(0)]) {
      link.send(message);
      far.link.send(message);
    }
    const said = ["", "text é", hash(large), hash(new Uint8Array(0))];
    expect([far.end.heard.map(hash), end.heard.map(hash)]).toEqual([said, said]);
    link.alive();
    expect(far.end.parts).toBe(3);
    const start = { after: 2 ** 53 - 1, incarnation: 2 ** 48 - 1, takesTraces: true };
    far.feed(start);
    expect(end.feeds).toEqual([start]);
    expect([...end.committed]).toEqual([12]);
    far.link.close(4412, "a reason that is longer than may be said, ".repeat(9));
    await turn();
    expect([end.closed, far.end.closed]).toEqual([{ code: 4412, isLost: false }, { code: 4412 }]);
  });

  it("counts what the other end has not taken as buffered, and says when there is room again", () => {
    const rig = new Rig();
    const { link, far } = rig.open();
    link.pause(true);
    far.link.send(new Uint8Array(2_000_000));
    link.send("a word that says nothing of what is taken");
    expect(far.link.bufferedBytes).toBeGreaterThan(2_000_000);
    expect(far.end.drains).toBe(0);
    link.pause(false);
    expect(far.link.bufferedBytes).toBe(0);
    expect(far.end.drains).toBe(1);
  });

  it("is closed as overloaded where its other end takes nothing", async () => {
    const rig = new Rig();
    const { link, end, far } = rig.open();
    link.pause(true);
    const large = new Uint8Array(8 * 1024 * 1024);
    for (let each = 0; each < 12; each += 1) far.link.send(large);
    await turn();
    expect([far.end.closed?.code, end.closed]).toEqual([4413, { code: 4413, isLost: false }]);
  });

  it("is lost at both ends when a packet of it is lost", async () => {
    const rig = new Rig();
    const { link, end, far } = rig.open();
    const other = rig.open();
    rig.wire.loses = (kind) => kind === PACKET.text;
    link.send("lost");
    rig.wire.loses = () => false;
    link.send("behind it");
    await turn();
    expect(far.end.heard).toEqual([]);
    expect(end.closed).toEqual({ code: LOST_CODE, isLost: true });
    expect(far.end.closed).toEqual({ code: LOST_CODE });
    expect(other.end.closed).toBeUndefined();
  });
});

describe("links that are passed on", () => {
  it("are lost at both ends once one of the two directories has been silent for three seconds", () => {
    const rig = new Rig();
    const { end, far } = rig.open();
    rig.clock.advance(2_500);
    expect([end.closed, far.end.closed, rig.ups]).toEqual([undefined, undefined, [true]]);
    rig.wire.isCut = true;
    rig.clock.advance(4_000);
    expect(end.closed).toEqual({ code: LOST_CODE, isLost: true });
    expect(far.end.closed).toEqual({ code: LOST_CODE });
    expect(rig.ups).toEqual([true, false]);
    expect(rig.client.isUp).toBe(false);
    rig.wire.isCut = false;
    rig.client.writerIs(5);
    expect(rig.client.isUp).toBe(true);
  });

  it("are lost when another directory writes, which gets those that are opened from then on", () => {
    const rig = new Rig();
    const { end } = rig.open();
    rig.startHost(6);
    rig.client.writerIs(6);
    expect(end.closed).toEqual({ code: LOST_CODE, isLost: true });
    expect(rig.ups).toEqual([true, false, true]);
    const { link, far } = rig.open();
    link.send("to the new one");
    expect(far.end.heard).toEqual(["to the new one"]);
    expect(rig.client.epoch).toBe(6);
  });

  it("are lost as soon as they are used where the writer does not know them any more", () => {
    const rig = new Rig();
    const { link, end } = rig.open();
    rig.host.stop();
    rig.startHost(5);
    link.send("to nobody");
    expect(end.closed).toEqual({ code: LOST_CODE, isLost: true });
  });

  it("end when their directory stops", () => {
    const rig = new Rig();
    const { end, far } = rig.open();
    rig.client.stop();
    expect(end.closed).toEqual({ code: LOST_CODE, isLost: true });
    rig.clock.advance(4_000);
    expect(far.end.closed).toEqual({ code: LOST_CODE });
    expect(rig.host.servers).toBe(0);
  });
});

describe("the registry", () => {
  it("comes once a second, in parts, and not at all where a part is lost", () => {
    const rig = new Rig();
    rig.registry = "é".repeat(200_000);
    rig.clock.advance(1_000);
    expect(rig.registries).toEqual(["{}", rig.registry]);
    let parts = 0;
    rig.wire.loses = (kind) => kind === PACKET.part && (parts += 1) === 2;
    rig.clock.advance(1_000);
    expect(rig.registries).toHaveLength(2);
    rig.clock.advance(1_000);
    expect(rig.registries).toHaveLength(3);
  });
});

describe("the directory that writes", () => {
  const packet = {
    kind: PACKET.open,
    link: 1,
    number: 1,
    taken: 0,
    committedThrough: 0,
    data: Buffer.from("10.0.0.9"),
  };
  const encoded = encodePacket(packet);
  const wrong: readonly (readonly [string, Uint8Array])[] = [
    ["no bytes", new Uint8Array(0)],
    ["less than a head", encoded.subarray(0, 20)],
    ["a kind that is none", Uint8Array.of(13, ...encoded.subarray(1))],
    ["a sequence beyond 2^53", encoded.with(13, 1)],
    ["more data than a packet has", new Uint8Array(21 + 128 * 1024 + 1).fill(1)],
  ];

  it.each(wrong)("drops %s", (_, bytes) => {
    const rig = new Rig();
    rig.wire.send(writerAddress(5), bytes, "server-x");
    expect([rig.accepted.length, rig.host.servers]).toEqual([0, 1]);
  });

  it.each(["no address", "", "10.0.0.9".repeat(20)])("refuses a link of %j", async (address) => {
    const rig = new Rig();
    const data = Buffer.from(address);
    rig.wire.send(writerAddress(5), encodePacket({ ...packet, data }), "server-x");
    await turn();
    expect(rig.accepted).toEqual([]);
  });

  it("takes links of 64 directories", () => {
    const rig = new Rig();
    for (let each = 0; each < 70; each += 1) {
      rig.wire.send(writerAddress(5), encodePacket({ ...packet, link: 1 }), `server-${each}`);
    }
    expect(rig.host.servers).toBe(64);
  });
});
