import { decodeNodeMessage, type NodeMessage } from "@meridian/protocol";
import { expect, it } from "vitest";

import { Reconciler } from "../src/reconcile/reconciler.ts";
import { ALL_RULES } from "../src/rules.ts";

const OWN = { key: "k", stamp: { time: 5, origin: 1 } };

it.each([
  ["at once", (done: () => void) => done()],
  ["later", (done: () => void) => queueMicrotask(done)],
])("a reconciliation is over once where what is wanted is given %s", async (_, give) => {
  const sent: NodeMessage[] = [];
  let over = 0;
  const reconciler = new Reconciler({
    store: { summaryPage: () => ({ summaries: [OWN], next: null }) },
    rules: ALL_RULES,
    limits: { rangeEntries: 10, windowEntries: 100 },
    send: (message) => void sent.push(decodeNodeMessage(message)),
    later: queueMicrotask,
    ownMs: () => 1,
    giveAgain: (_keys, done) => give(done),
    onDone: () => (over += 1),
  });
  const idOf = (): number => {
    const last = sent.at(-1);
    return last !== undefined && "id" in last && typeof last.id === "number" ? last.id : 0;
  };
  reconciler.begin(0);
  reconciler.onCompared({ type: "compared", nowMs: 1, id: idOf(), differing: [0] });
  expect(sent.map(({ type }) => type)).toEqual(["compare", "offer"]);
  reconciler.onWanted({ type: "wanted", nowMs: 1, id: idOf(), donated: 0, keys: ["k"] });
  await Promise.resolve();
  expect(over).toBe(1);
});
