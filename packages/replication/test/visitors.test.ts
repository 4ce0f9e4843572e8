/** A node that stands in another log than the one at the other end of its link, because its disk is full or its outbox gets new stamps. */
import { expect, it } from "vitest";

import { codeOf, set } from "./node-rig.ts";
import { entryOf, nameOf } from "./numbered-entries.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const NEXT_EPOCH = { epoch: 2, resumeAfter: 2 };

/** A node with a write of its own and what the log has through 3. */
async function atThree(): Promise<ScriptedDirectory> {
  const script = new ScriptedDirectory();
  script.welcome(0);
  const written = script.replica.write([set("own")]);
  await script.settle();
  await written;
  const entries = [entryOf(1, 1), entryOf(2, 2), entryOf(3, 3)];
  script.feed({ after: 0, through: 3, committedThrough: 2 }, entries);
  await script.settle();
  return script;
}

function reportsOf({ texts }: ScriptedDirectory, from: number): readonly number[] {
  return texts.slice(from).flatMap((text) => {
    if (text.type === "applied") return [text.through];
    return text.type === "heartbeat" ? [text.appliedThrough] : [];
  });
}

it("says of nothing that it is applied which the log that it left had brought, once the disk has room for that", async () => {
  const script = await atThree();
  script.store.full = true;
  const refused = script.replica.write([set("k")]).catch(codeOf);
  await script.settle();
  expect(await refused).toBe("STORE_FULL");
  script.feed({ after: 3, through: 4, committedThrough: 2, reportApplied: true }, [entryOf(4, 4)]);
  script.reconnect();
  const from = script.texts.length;
  script.welcome(2, NEXT_EPOCH);
  script.store.full = false;
  await script.settle();
  expect(script.store.get(nameOf(4))).toBeDefined();
  expect(reportsOf(script, from)).toEqual([0, 0]);
});

it("takes in nothing of a log that finds it to be a restored copy, before its outbox has new stamps", async () => {
  const script = await atThree();
  const { incarnation } = script.disk;
  script.reconnect();
  const from = script.texts.length;
  // The log has another write at that position of the outbox.
  script.welcome(9, { ...NEXT_EPOCH, outboxThrough: 1, outboxTime: 1 });
  script.feed({ after: 2, through: 9, committedThrough: 9, reportApplied: true }, [entryOf(9, 9)]);
  await script.settle();
  expect(script.disk.incarnation).not.toBe(incarnation);
  expect([script.store.get(nameOf(9)), script.replica.position()]).toMatchObject([
    undefined,
    { epoch: 1, sequence: 3 },
  ]);
  expect(reportsOf(script, from).filter((through) => through > 0)).toEqual([]);
  expect(script.closed).toBeDefined();
});
