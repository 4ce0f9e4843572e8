import type { LinkEvents } from "@meridian/ports";
import { ManualClock } from "@meridian/testkit";
import { expect, it } from "vitest";

import { throttledDial } from "../src/throttled-dial.ts";

/** A link whose reading can be watched, behind a disk on which `backlog.bytes` wait. */
function throttled() {
  const clock = new ManualClock();
  const backlog = { bytes: 0 };
  const said: string[] = [];
  let far: LinkEvents | undefined;
  const dial = throttledDial({
    dial: (events) => {
      far = events;
      return {
        bufferedBytes: 0,
        send: () => {},
        close: () => {},
        pause: () => said.push("pause"),
        resume: () => said.push("resume"),
      };
    },
    clock,
    backlogBytes: () => backlog.bytes,
    backlogBytesMax: 100,
  });
  const heard: string[] = [];
  dial(
    {
      onOpen: () => heard.push("open"),
      onMessage: (message) => heard.push(String(message)),
      onPart: () => heard.push("part"),
      onDrain: () => heard.push("drain"),
      onClose: (code) => heard.push(`close ${code}`),
    },
    0,
  );
  if (far === undefined) throw new Error("Expected a link to be dialled");
  return { clock, backlog, said, heard, far };
}

it("a link is read while the disk keeps up, paused beyond the bound, and read again at half of it", () => {
  const { clock, backlog, said, heard, far } = throttled();
  far.onOpen();
  backlog.bytes = 100;
  far.onMessage("a");
  expect(said).toEqual([]);
  backlog.bytes = 101;
  far.onMessage("b");
  // What had arrived already is still heard, and pauses nothing twice.
  far.onMessage("c");
  far.onPart();
  expect(said).toEqual(["pause"]);
  backlog.bytes = 51;
  clock.advance(1_000);
  expect(said).toEqual(["pause"]);
  backlog.bytes = 50;
  clock.advance(20);
  expect(said).toEqual(["pause", "resume"]);
  backlog.bytes = 101;
  far.onMessage("d");
  backlog.bytes = 0;
  clock.advance(20);
  expect(said).toEqual(["pause", "resume", "pause", "resume"]);
  expect(heard).toEqual(["open", "a", "b", "c", "part", "d"]);
});

it("a link that is closed while it is paused is looked after no more", () => {
  const { clock, backlog, said, heard, far } = throttled();
  backlog.bytes = 101;
  far.onMessage("a");
  far.onClose(1006, "");
  backlog.bytes = 0;
  clock.advance(1_000);
  expect(said).toEqual(["pause"]);
  expect(heard).toEqual(["a", "close 1006"]);
});
