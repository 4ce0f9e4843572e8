import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { Doorway, type Place } from "../src/doorway.ts";

/** How many connections of one address may be in the doorway at a time. */
const PLACES = 64;

/** A connection that comes to the doorway. */
class Guest {
  place: Place | undefined;
  isRefused = false;
  isAskedForRoom = false;

  enter(place: Place): void {
    this.place = place;
  }

  makeRoom(): void {
    this.isAskedForRoom = true;
    this.place?.onGone();
  }

  refuse(): void {
    this.isRefused = true;
  }
}

class House {
  readonly clock = new ManualClock();
  readonly door = new Doorway(this.clock);

  come(count: number, address = "10.0.0.1"): Guest[] {
    return Array.from({ length: count }, () => {
      const guest = new Guest();
      this.door.come(address, guest);
      return guest;
    });
  }

  /** Resolves once all guests have entered for whom there is a place. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 3 * PLACES; turn += 1) {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

function entered(guests: readonly Guest[]): number {
  return guests.filter(({ place }) => place !== undefined).length;
}

it("lets one guest in each turn, from one address after the other", async () => {
  const house = new House();
  const many = house.come(10, "10.0.0.1");
  const [one] = house.come(1, "10.0.0.2");
  for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  expect(one?.place).toBeDefined();
  expect(entered(many)).toBeLessThanOrEqual(3);
});

it("lets in everyone who makes itself known, at once", async () => {
  const house = new House();
  const guests = house.come(10 * PLACES);
  for (let round = 0; round < 10; round += 1) {
    await house.settle();
    for (const { place } of guests) place?.free();
  }
  expect(entered(guests)).toBe(10 * PLACES);
});

it("keeps the place of one that is gone unknown for a second, and that of one that was no good", async () => {
  const house = new House();
  const strangers = house.come(PLACES);
  await house.settle();
  expect(entered(strangers)).toBe(PLACES);
  const next = house.come(2 * PLACES);
  for (const { place } of strangers) place?.onGone();
  await house.settle();
  expect(entered(next)).toBe(0);
  const [other] = house.come(1, "10.0.0.2");
  await house.settle();
  expect(other?.place).toBeDefined();
  house.clock.advance(1_000);
  await house.settle();
  expect(entered(next)).toBe(PLACES);
  for (const { place } of next) {
    place?.free();
    place?.takeAgain();
    place?.onGone();
  }
  await house.settle();
  expect(entered(next)).toBe(PLACES);
  house.clock.advance(1_000);
  await house.settle();
  expect(entered(next)).toBe(2 * PLACES);
});

it("asks guests that have been silent for a second to make room, if others wait", async () => {
  const house = new House();
  const silent = house.come(PLACES);
  await house.settle();
  house.clock.advance(10_000);
  expect(silent.some(({ isAskedForRoom }) => isAskedForRoom)).toBe(false);
  const next = house.come(3);
  await house.settle();
  house.clock.advance(100);
  await house.settle();
  expect(silent.filter(({ isAskedForRoom }) => isAskedForRoom)).toHaveLength(3);
  expect(entered(next)).toBe(3);
});

it("refuses the oldest guest of a full line, guests that have waited for too long, and all once it closes", async () => {
  const house = new House();
  house.come(PLACES);
  await house.settle();
  const waiting = house.come(4_096);
  const [beyond] = house.come(1);
  expect(beyond?.isRefused).toBe(false);
  expect(waiting.filter(({ isRefused }) => isRefused)).toEqual([waiting[0]]);
  house.clock.standStill(6_000);
  await house.settle();
  expect(waiting[1]?.isRefused).toBe(true);
  expect(entered(waiting)).toBe(0);
  house.door.close();
  expect(waiting.every(({ isRefused }) => isRefused)).toBe(true);
  expect(house.door.waiting.now).toBe(0);
});

it("lets in guests that come after thousands of strangers, and the strangers by turns with them", async () => {
  const house = new House();
  house.come(PLACES);
  await house.settle();
  const strangers = house.come(8_192);
  house.clock.advance(100);
  const nodes = house.come(3);
  house.clock.advance(1_000);
  await house.settle();
  expect(entered(nodes)).toBe(3);
  expect(entered(strangers)).toBeGreaterThan(PLACES / 2);
  // A full line has refused its oldest guests. Of the others, the oldest come in first.
  expect(strangers.findIndex(({ place }) => place !== undefined)).toBe(8_192 + 3 - 4_096);
});

it("refuses a guest of an address with several waiting guests, for a guest of an address with none", async () => {
  const house = new House();
  const addresses = ["10.0.0.1", "10.0.0.2", "10.0.0.3"];
  house.come(PLACES, "10.0.1.1");
  for (const address of addresses) house.come(2_700, address);
  for (let round = 0; round < 2; round += 1) await house.settle();
  const before = house.door.waiting;
  house.come(before.max - before.now, addresses[0]);
  expect(house.door.waiting.now).toBe(before.max);
  const [node] = house.come(1, "10.0.1.1");
  await house.settle();
  expect(node?.isRefused).toBe(false);
  expect(house.door.waiting.now).toBe(before.max);
});

it("forgets a guest that leaves while it waits", async () => {
  const house = new House();
  house.come(PLACES);
  await house.settle();
  const guest = new Guest();
  const leave = house.door.come("10.0.0.1", guest);
  expect(house.door.waiting.now).toBe(1);
  leave();
  leave();
  expect(house.door.waiting.now).toBe(0);
  house.clock.advance(2_000);
  await house.settle();
  expect(guest.place).toBeUndefined();
});
