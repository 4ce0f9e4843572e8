/** What is in memory is answered on a short path of its own, which asks the same questions of the node. */
import type { Dial } from "@meridian/ports";
import { decodeNodeMessage, encodeMessage, MeridianError, parsePosition } from "@meridian/protocol";
import { welcomeWith } from "@meridian/testkit";
import { expect, it } from "vitest";

import { testNode, type TestNode } from "./harness.ts";

/** A directory that is away until it `comes`, and whose log then is far ahead of the node. */
class LateDirectory {
  comes = false;

  readonly dial: Dial = (events) => {
    queueMicrotask(() => (this.comes ? events.onOpen() : events.onClose(1006, "nobody there")));
    const send = (sent: string | Uint8Array): void => {
      const message = typeof sent === "string" ? decodeNodeMessage(sent) : undefined;
      if (message?.type !== "hello") return;
      const { nowMs } = message;
      const far = { head: 1_000_000, committedThrough: 1_000_000 };
      events.onMessage(encodeMessage(welcomeWith({ nowMs, ...far })));
    };
    return { bufferedBytes: 0, send, close: () => {} };
  };
}

/** States of a node, how it gets there, and what it answers to a read of what it has, and to one with `stale`. */
const STATES: readonly (readonly [
  state: string,
  enter: (region: TestNode, directory: LateDirectory) => Promise<void> | void,
  answer: string,
  stale: string,
])[] = [
  ["standalone", () => {}, "200 v", "200 v"],
  [
    "syncing",
    (region, directory) => {
      directory.comes = true;
      return region.settle(until(() => region.node.status === "syncing"));
    },
    "503 NODE_SYNCING",
    "200 v",
  ],
  [
    "draining",
    ({ node }) => node.service.admission.drain(),
    "503 NODE_DRAINING",
    "503 NODE_DRAINING",
  ],
  [
    "damaged",
    ({ node }) => node.service.admission.fail(new MeridianError("STORE_FAILED", "torn page")),
    "503 NODE_DRAINING",
    "503 NODE_DRAINING",
  ],
];

it.each(STATES)(
  "a value in memory is answered alike on every path of a node that is %s",
  async (state, enter, answer, stale) => {
    const directory = new LateDirectory();
    const region = await testNode({ dial: directory.dial });
    // The paths of bytes, of requests that node:http has read, and of the app.
    const ports = [
      await region.serve(),
      await region.serve(false, false),
      await region.serve(true),
    ];
    const urls = ports.flatMap((port) =>
      ["/cache/k?", "/cache?key=k&"].map((path) => `http://127.0.0.1:${port}${path}`),
    );
    const [url = ""] = urls;
    expect((await fetch(url, { method: "PUT", body: "v" })).status).toBe(200);
    for (const each of urls) expect(await said(each.slice(0, -1))).toBe("200 v");
    await enter(region, directory);
    expect(region.node.status).toBe(state === "syncing" ? "syncing" : "standalone");
    for (const each of urls) {
      expect(await said(each.slice(0, -1)), `${each}`).toBe(answer);
      expect(await said(`${each}stale=true`), `${each}stale`).toBe(stale);
    }
    await region.close();
  },
);

/** Resolves when `is` holds, or after many turns. */
async function until(is: () => boolean): Promise<void> {
  for (let turn = 0; turn < 10_000 && !is(); turn += 1) await new Promise(setImmediate);
}

/** The status of an answer with its value, or with the code of its problem. */
async function said(url: string): Promise<string> {
  const answer = await fetch(url);
  const body = await answer.text();
  if (!body.startsWith("{")) return `${answer.status} ${body}`;
  const { value, code } = JSON.parse(body) as { readonly value?: string; readonly code?: string };
  return `${answer.status} ${value ?? code}`;
}

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
