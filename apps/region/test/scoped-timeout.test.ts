import { expect, it } from "vitest";

import { readAck } from "../src/listeners/api/arguments.ts";

it("a request for the whole cluster waits for longer than another directory takes to take over, if it does not say for how long", () => {
  expect(readAck(undefined, undefined, true).timeoutMs).toBe(15_000);
  expect(readAck(undefined, undefined).timeoutMs).toBe(5_000);
  expect(readAck(undefined, "2s", true).timeoutMs).toBe(2_000);
});
