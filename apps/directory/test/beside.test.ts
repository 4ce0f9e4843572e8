import type { RelayWire } from "@meridian/log-jetstream";
import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { DirectoriesBeside, type DirectoryWord } from "../src/beside.ts";

/** Carries packets to all who listen, the sender included. */
class Wire implements RelayWire {
  readonly #listeners = new Map<(packet: Uint8Array, from: string) => void, string>();

  send(to: string, packet: Uint8Array, from: string): void {
    for (const [onPacket, address] of this.#listeners) if (address === to) onPacket(packet, from);
  }

  listen(address: string, onPacket: (packet: Uint8Array, from: string) => void): () => void {
    this.#listeners.set(onPacket, address);
    return () => this.#listeners.delete(onPacket);
  }

  say(text: string): void {
    this.send("directories", Buffer.from(text), "directories");
  }
}

const LISBON = { id: "lisbon", url: "https://lisbon.example", lat: 38.7, lon: -9.1 };
const OSLO = { id: null, url: "http://oslo.example:7400", lat: null, lon: null };

function started(wire: Wire, clock: ManualClock, own: DirectoryWord | undefined) {
  const beside = new DirectoriesBeside(own, clock);
  beside.start(wire);
  return beside;
}

it("directories of one stream know each other within seconds, and themselves not", () => {
  const [wire, clock] = [new Wire(), new ManualClock()];
  const lisbon = started(wire, clock, LISBON);
  const oslo = started(wire, clock, OSLO);
  const nameless = started(wire, clock, undefined);
  clock.advance(5_000);
  expect(lisbon.known).toEqual([OSLO]);
  expect(oslo.known).toEqual([LISBON]);
  expect(nameless.known).toEqual([OSLO, LISBON]);
});

it("one that stops is not named any more after 20 seconds, and says nothing more", () => {
  const [wire, clock] = [new Wire(), new ManualClock()];
  const lisbon = started(wire, clock, LISBON);
  const oslo = started(wire, clock, OSLO);
  clock.advance(5_000);
  oslo.stop();
  clock.advance(19_000);
  expect(lisbon.known).toEqual([OSLO]);
  clock.advance(2_000);
  expect(lisbon.known).toEqual([]);
  expect(oslo.known).toEqual([]);
});

it("nothing that it hears is more than it can hold, or ends it", () => {
  const [wire, clock] = [new Wire(), new ManualClock()];
  const lisbon = started(wire, clock, LISBON);
  const bad = [
    "",
    "null",
    "[]",
    "{}",
    "{",
    JSON.stringify({ ...OSLO, url: "javascript:alert(1)" }),
    JSON.stringify({ ...OSLO, url: "http://user:secret@oslo.example" }),
    JSON.stringify({ ...OSLO, lat: 91, lon: 0 }),
    JSON.stringify({ ...OSLO, id: 5 }),
    JSON.stringify({ ...OSLO, id: "x".repeat(1_000) }),
  ];
  for (const text of bad) wire.say(text);
  expect(lisbon.known).toEqual([]);
  for (let index = 0; index < 100; index += 1) {
    wire.say(JSON.stringify({ ...OSLO, url: `http://10.0.0.${index}` }));
  }
  expect(lisbon.known).toHaveLength(31);
});
