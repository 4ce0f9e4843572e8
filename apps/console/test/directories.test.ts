import { describe, expect, it } from "vitest";

import {
  arrangementOf,
  directoriesOf,
  linkedTo,
  type DirectoryFacts,
} from "../page/pages/map/directories.ts";
import type { Nodes, ShownNode } from "../page/pages/map/nodes.ts";
import { DIRECTORY_LOOKS, STATUS_LOOKS } from "../page/pages/map/shapes.ts";

const OWN = "http://10.0.0.1:7400";
const PEER = "http://10.0.0.2:7400";

/** What a directory says, as far as the map reads it. */
function factsOf(given: Partial<DirectoryFacts>): DirectoryFacts {
  return { version: "1.0.0", peers: [], ...given } as DirectoryFacts;
}

const peerOf = (connected: boolean): DirectoryFacts["peers"][number] => ({
  name: PEER,
  connected,
  logId: 1,
  epoch: 1,
  applied: 0,
  behind: 0,
  lagMs: 0,
  reconciling: false,
  members: 0,
});

describe("the directories of the map", () => {
  it("are the one that tells of the cluster, and those that it follows, each where it says", () => {
    const own = factsOf({ id: "primary", lat: 0, lon: -9, peers: [peerOf(true)] });
    const facts = new Map([[PEER, factsOf({ id: "secondary", lat: 22, lon: 114 })]]);
    expect(directoriesOf(own, facts, OWN)).toMatchObject([
      { name: "primary", peer: null, url: OWN, standing: "here", place: { lat: 0, lon: -9 } },
      {
        name: "secondary",
        peer: PEER,
        url: PEER,
        standing: "followed",
        place: { lat: 22, lon: 114 },
      },
    ]);
  });

  it("have a name where they say none, and no place where they say none or cannot be asked", () => {
    const shown = directoriesOf(factsOf({ peers: [peerOf(false)] }), new Map(), OWN);
    expect(shown).toMatchObject([
      { name: "directory", place: undefined },
      { name: "10.0.0.2:7400", place: undefined, standing: "unreached" },
    ]);
    expect(new Set(shown.map(({ key }) => key)).size).toBe(2);
  });

  it("have the nodes that are linked to them, and are asked again when those move", () => {
    const nodeOf = (id: string, status: string, peer: string | null): ShownNode =>
      ({ id, status, peer }) as ShownNode;
    const nodesOf = (...nodes: readonly ShownNode[]): Nodes =>
      new Map(nodes.map((node) => [node.id, node]));
    const before = nodesOf(
      nodeOf("oslo", "ready", null),
      nodeOf("rome", "ready", PEER),
      nodeOf("bonn", "gone", null),
    );
    const [own, followed] = directoriesOf(factsOf({ peers: [peerOf(true)] }), new Map(), OWN);
    expect([own, followed].map((each) => each && linkedTo(each, before))).toEqual([1, 1]);
    const after = nodesOf(
      ...[...before.values()].map((node) => ({ ...node, lagMs: 9 }) as ShownNode),
    );
    expect(arrangementOf(after)).toBe(arrangementOf(before));
    expect(arrangementOf(nodesOf(nodeOf("oslo", "ready", PEER)))).not.toBe(arrangementOf(before));
  });

  it("look like no node, and each standing like no other", () => {
    const shapes = [STATUS_LOOKS, DIRECTORY_LOOKS].flatMap((looks) =>
      Object.values(looks).map(({ shape }) => shape),
    );
    expect(new Set(shapes).size).toBe(shapes.length);
  });
});
