/** Which keys are used: what a node tells, and what the directory tells the others. */
import {
  agree,
  capabilities,
  HEAT,
  OWN_FRAMES,
  HEAT_READS_MAX,
  type KeyHeat,
} from "@meridian/protocol";
import { emptyReplicaDisk } from "@meridian/testkit";
import { describe, expect, it } from "vitest";

import { DirectoryRig, type TestLink } from "./rig.ts";
import { ScriptedDirectory } from "./scripted-directory.ts";

const nowMs = 0;

function tell(link: TestLink, ...keys: KeyHeat[]): void {
  link.say({ type: "heat", nowMs, keys });
}

/** What nodes have heard since they were last asked, each at a heartbeat after a while. */
function hearing(rig: DirectoryRig, ...links: readonly TestLink[]): KeyHeat[][] {
  rig.clock.advance(1_000);
  return links.map((link) => {
    rig.beat(link);
    const heard = link.of("heat-elsewhere").flatMap(({ keys }) => keys);
    link.texts.splice(0);
    return heard;
  });
}

describe("a directory", () => {
  it("tells each node once what the others use, and not what only the node itself uses", () => {
    const rig = new DirectoryRig();
    const [a, b, c] = [rig.join("a", 1), rig.join("b", 2), rig.join("c", 3)];
    tell(a, ["both", 100], ["mine", 1]);
    tell(b, ["both", 28]);
    const both = ["both", 78];
    expect(hearing(rig, a, b, c)).toEqual([[both], [both, ["mine", 1]], [both, ["mine", 1]]]);
    expect(hearing(rig, a, b, c)).toEqual([[], [], []]);
    tell(b, ["mine", 4]);
    expect(hearing(rig, a, b, c)).toEqual([[["mine", 4]], [["mine", 4]], [["mine", 4]]]);
  });

  it("tells the hottest first, in about one message a second of bounded size", () => {
    const rig = new DirectoryRig();
    const [a, b] = [rig.join("a", 1), rig.join("b", 2)];
    const keys = Array.from({ length: 8 }, (_, n): KeyHeat => [String(n).repeat(900), 2 ** n]);
    tell(a, ...keys);
    tell(a, ["cold", 1], ["hot", HEAT_READS_MAX]);
    rig.clock.advance(1_000);
    for (let beat = 0; beat < 5; beat += 1) rig.beat(b);
    const heard = b.of("heat-elsewhere");
    expect(heard.length).toBe(1);
    expect(heard[0]?.keys.slice(0, 2)).toEqual([["hot", HEAT_READS_MAX], keys[7]]);
    tell(a, ["next", 1]);
    rig.beat(b);
    expect(b.of("heat-elsewhere").length).toBe(1);
    expect(hearing(rig, b)[0]?.at(-1)).toEqual(["next", 1]);
  });

  it("tells a node that comes what was used within a minute", () => {
    const rig = new DirectoryRig();
    const a = rig.join("a", 1);
    tell(a, ["long ago", 1]);
    for (let beat = 0; beat < 60; beat += 1) hearing(rig, a);
    tell(a, ["lately", 1]);
    hearing(rig, a);
    expect(hearing(rig, rig.join("b", 2))).toEqual([[["lately", 1]]]);
  });
});

describe("a directory that hears of keys in use", () => {
  it("tells nothing to a node without the feature, to a follower, and over a link without room", () => {
    const rig = new DirectoryRig();
    const a = rig.join("a", 1);
    const old = rig.join("old", 2, capabilities(HEAT));
    const slow = rig.join("slow", 3);
    const follower = rig.connect();
    const place = { logId: 99, epoch: 98, head: 0, cursors: [] };
    follower.say({ type: "follow", ...capabilities(), cluster: "test", nowMs, ...place });
    slow.bufferedBytes = 1e9;
    tell(a, ["k", 1]);
    expect(hearing(rig, old, follower, slow)).toEqual([[], [], []]);
    slow.bufferedBytes = 0;
    expect(hearing(rig, slow)).toEqual([[["k", 1]]]);
  });

  it("closes the link of a party that tells without the feature, follows, or tells without end", () => {
    const rig = new DirectoryRig();
    const old = rig.join("old", 2, capabilities(HEAT));
    const follower = rig.connect();
    const place = { logId: 99, epoch: 98, head: 0, cursors: [] };
    follower.say({ type: "follow", ...capabilities(), cluster: "test", nowMs, ...place });
    const eager = rig.join("eager", 3);
    const well = rig.join("well", 4);
    for (const link of [old, follower]) tell(link, ["k", 1]);
    for (let times = 0; times < 40; times += 1) tell(eager, ["k", 1]);
    for (let times = 0; times < 40; times += 1) {
      rig.clock.advance(1_000);
      rig.beat(well);
      tell(well, ["k", 1]);
    }
    expect([old, follower, eager, well].map(({ closed }) => closed?.code)).toEqual([
      4400,
      4400,
      4400,
      undefined,
    ]);
  });

  it("holds a bounded number of bytes, and what was told last", () => {
    const rig = new DirectoryRig();
    const [a, b] = [rig.join("a", 1), rig.join("b", 2)];
    for (let second = 0; second < 200; second += 1) {
      rig.clock.advance(250);
      if (second % 4 === 0) rig.beat(a);
      tell(
        a,
        ...Array.from({ length: 8 }, (_, n): KeyHeat => [`${second * 8 + n} `.padEnd(900), 1]),
      );
    }
    const level = rig.metrics.levels().find(({ name }) => name === "heatBytes");
    expect(level?.now).toBeGreaterThan((level?.max ?? NaN) / 2);
    expect(level?.now).toBeLessThanOrEqual(level?.max ?? NaN);
    tell(a, ["last", 9]);
    expect(hearing(rig, rig.join("c", 3))[0]?.[0]).toEqual(["last", 9]);
    expect(b.closed).toBeDefined();
  });
});

describe("a node", () => {
  const scripted = (heard?: KeyHeat[][]): ScriptedDirectory =>
    new ScriptedDirectory(1, emptyReplicaDisk(1), {
      ...(heard && { onHeat: (keys) => void heard.push([...keys]) }),
    });
  const told = ({ texts }: ScriptedDirectory): KeyHeat[][] =>
    texts.flatMap((message) => (message.type === "heat" ? [message.keys] : []));
  const used: KeyHeat[] = [["k", 1]];

  it("announces the feature only where it shares", () => {
    const features = (script: ScriptedDirectory): unknown => script.texts[0];
    expect(features(scripted([]))).toMatchObject({ features: capabilities(OWN_FRAMES).features });
    expect(features(scripted())).toMatchObject({
      features: capabilities(HEAT, OWN_FRAMES).features,
    });
  });

  it("tells a directory that has the feature, and hears from it", () => {
    const heard: KeyHeat[][] = [];
    const script = scripted(heard);
    expect(script.replica.heat.tell(() => used)).toBe(0);
    script.welcome(0, agree(capabilities(OWN_FRAMES)));
    expect(script.replica.heat.tell(() => [])).toBe(0);
    expect(script.replica.heat.tell(() => used)).toBe(1);
    script.say({ type: "heat-elsewhere", nowMs, keys: [["e", 3]] });
    expect([told(script), heard]).toEqual([[used], [[["e", 3]]]]);
    script.reconnect();
    expect(script.replica.heat.tell(() => used)).toBe(0);
  });

  it("tells and hears nothing with a directory that has not, which is not even asked for", () => {
    const heard: KeyHeat[][] = [];
    const script = scripted(heard);
    script.welcome(0, agree(capabilities(HEAT, OWN_FRAMES)));
    const asked = (): KeyHeat[] => {
      throw new Error("Expected not to be asked");
    };
    expect(script.replica.heat.tell(asked)).toBe(0);
    script.say({ type: "heat-elsewhere", nowMs, keys: used });
    expect([told(script), heard]).toEqual([[], []]);
  });

  it("leaves a directory that has agreed on the feature without having been offered it", () => {
    const script = scripted();
    script.welcome(0, agree(capabilities(OWN_FRAMES)));
    expect(script.closed).toBe(4426);
  });
});
