import { Events } from "@meridian/replication/source/events";
import { expect, it } from "vitest";

it("are heard by who connects, and by nobody before that", () => {
  const events = new Events<{ told(word: string): void }>();
  expect(() => events.emit.told("early")).toThrow("connected first");
  const heard: string[] = [];
  events.connect({ told: (word) => heard.push(word) });
  events.emit.told("now");
  expect(heard).toEqual(["now"]);
});
