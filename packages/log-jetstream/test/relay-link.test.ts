import { expect, it } from "vitest";

import { LOST_CODE, RelayLink } from "../src/relay-link.ts";
import { PACKET } from "../src/relay-packets.ts";

it("a link that has no numbers left for its packets is lost at both ends", async () => {
  const sent: number[] = [];
  const closed: (readonly [end: string, code: number, isLost: boolean])[] = [];
  const hears = {
    message: () => {},
    part: () => {},
    drain: () => {},
    feed: () => {},
  };
  const make = (end: string, send: ConstructorParameters<typeof RelayLink>[0]["send"]): RelayLink =>
    new RelayLink({
      send,
      onOver: () => {},
      hears: { ...hears, close: (code, _, isLost) => closed.push([end, code, isLost]) },
      packetsMax: 3,
    });
  const far = make("far", () => {});
  const near = make("near", (packet) => {
    sent.push(packet.kind);
    far.receive({ ...packet, link: 1, committedThrough: 0 });
  });
  for (let count = 0; count < 5; count += 1) near.alive();
  await Promise.resolve();
  expect(sent).toEqual([PACKET.alive, PACKET.alive, PACKET.alive, PACKET.close]);
  expect(closed).toEqual([
    ["far", LOST_CODE, true],
    ["near", LOST_CODE, true],
  ]);
});
