import { expect, it } from "vitest";

import type { SetOptions } from "../src/call-options.ts";
import { setRequest } from "../src/requests.ts";

const VALUE = { bytes: new Uint8Array(1), contentType: "text/plain" };

it.each<[string, SetOptions, number]>([
  ["for the whole cluster", { ifAbsent: true, scope: "cluster" }, 16_000],
  ["for the directory", { ack: "directory" }, 6_000],
  ["for its node", {}, 1_000],
])("a write %s may take as long as the node waits", (_, options, expectedMs) => {
  expect(setRequest("k", VALUE, options, 1_000).limits.deadlineMs).toBe(expectedMs);
});
