/** What is in memory is answered on a short path of its own, which asks the same questions of the node. */
import { expect, it } from "vitest";

import { parsePosition } from "@meridian/protocol";

import { testNode } from "./harness.ts";

it("a value in memory is served by no node that drains", async () => {
  const region = await testNode();
  const url = `http://127.0.0.1:${await region.serve()}/cache/k`;
  expect((await fetch(url, { method: "PUT", body: "v" })).status).toBe(200);
  for (let read = 0; read < 2; read += 1) expect(await (await fetch(url)).text()).toBe("v");
  region.node.service.admission.drain();
  const answer = await fetch(url);
  expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
    503,
    "NODE_DRAINING",
  ]);
  await region.close();
});

it("a batch is one commit: one place in the outbox, all of it or nothing", async () => {
  const region = await testNode();
  const post = (entries: readonly object[]): Promise<Response> =>
    region.request("/batch/set", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ entries }),
    });
  const placeOf = (answer: Response): number =>
    parsePosition(answer.headers.get("meridian-position") ?? "").outboxPosition;
  const first = placeOf(await post([{ key: "a", value: "1" }]));
  const three = ["b", "c", "d"].map((key) => ({ key, value: "1" }));
  expect(placeOf(await post(three))).toBe(first + 1);
  const refused = await post([...three.map((each) => ({ ...each, value: "2" })), { key: "" }]);
  expect(refused.status).toBe(400);
  for (const key of ["b", "c", "d"]) {
    expect(await (await region.request(`/cache/${key}`)).text()).toBe("1");
  }
  expect(placeOf(await post([{ key: "a", value: "3" }]))).toBe(first + 2);
  await region.close();
});
