import { NODE_STATUSES } from "@meridian/protocol";
import { nearest, node } from "@meridian/protocol/http-api";
import * as v from "valibot";
import { expect, it } from "vitest";

const place = { id: "a", region: "eu", url: "http://a", ip: "::1", port: 1, lat: 0, lon: 0 };
const quiet = {
  goneSinceMs: null,
  lagMs: 0,
  appliedThrough: 0,
  outboxPending: 0,
  skewMs: 0,
  peer: null,
  connectedAtMs: 1,
  bufferedBytes: 0,
  unsent: 0,
};
const load = { entries: 0, bytes: 0, requestsPerSecond: 0 };

it.each(NODE_STATUSES)("a node that is %s is one that a directory may tell of", (status) => {
  const told = { ...place, ...quiet, status, load };
  expect(v.parse(node, told)).toEqual(told);
  const near = { nodes: [{ ...place, status, load, distanceMeters: 1, lagMs: 0 }] };
  expect(v.parse(nearest, near)).toEqual(near);
});
