import { PeerTimes } from "@meridian/replication/source/follow/peer-times";
import { expect, it } from "vitest";

it("knows nothing before the other log has been followed through where something was said of it", () => {
  const times = new PeerTimes();
  expect(times.lowestTime(100)).toBe(0);
  times.hear(10, 50);
  expect(times.lowestTime(9)).toBe(0);
  expect(times.lowestTime(10)).toBe(50);
});

it("rises only where the log has been followed through, and falls at once", () => {
  const times = new PeerTimes();
  times.hear(10, 50);
  expect(times.lowestTime(10)).toBe(50);
  times.hear(20, 60);
  expect(times.lowestTime(19)).toBe(50);
  times.hear(22, 5);
  expect(times.lowestTime(19)).toBe(5);
  expect(times.lowestTime(22)).toBe(5);
  times.hear(30, 70);
  expect(times.lowestTime(30)).toBe(70);
});

it("forgets no low time that was said between places, however many there are", () => {
  const times = new PeerTimes();
  times.hear(10, 50);
  for (let head = 11; head < 100; head += 1) times.hear(head, head === 40 ? 3 : 60);
  expect(times.lowestTime(9)).toBe(0);
  expect(times.lowestTime(98)).toBe(3);
  expect(times.lowestTime(99)).toBe(3);
  times.hear(100, 60);
  expect(times.lowestTime(100)).toBe(60);
});
