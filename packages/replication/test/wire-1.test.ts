/** The recorded conversation of version 1, spoken again: nodes and a follower of that version with the directory of today. */
import { readFileSync } from "node:fs";

import { expect, it } from "vitest";

import { DirectoryRig, TestLink } from "./rig.ts";

/** A message as text, or a frame. */
interface Said {
  readonly text?: string;
  readonly hex?: string;
}

type Line =
  | { readonly commit: true }
  | (Said & { readonly from: string })
  | (Said & { readonly to: string });

const { conversation } = JSON.parse(
  readFileSync(new URL("../../protocol/test/wire-1.json", import.meta.url), "utf8"),
) as { readonly conversation: readonly Line[] };

/** A node of version 1, which keeps what it is sent as it came. */
class RecordedNode extends TestLink {
  readonly heard: (string | Uint8Array)[] = [];

  override send(message: string | Uint8Array): void {
    this.heard.push(typeof message === "string" ? message : message.slice());
  }
}

/** What was said, as a value to compare: a later directory may say more in a message, but not in a frame. */
function meaningOf({ text, hex = "" }: Said): unknown {
  return text === undefined ? hex : JSON.parse(text);
}

function saidOf(message: string | Uint8Array = ""): Said {
  return typeof message === "string"
    ? { text: message }
    : { hex: Buffer.from(message).toString("hex") };
}

it("a directory of today answers nodes of version 1 as theirs did, frames to the byte", () => {
  const rig = new DirectoryRig();
  const nodes = new Map<string, RecordedNode>();
  const nodeOf = (name: string): RecordedNode => {
    const known = nodes.get(name);
    if (known !== undefined) return known;
    const node = new RecordedNode();
    node.events = rig.directory.accept(node, "10.0.0.9");
    nodes.set(name, node);
    return node;
  };
  const heard: unknown[] = [];
  const meant: unknown[] = [];
  for (const line of conversation) {
    if ("commit" in line) rig.commit();
    else if ("from" in line) {
      const said = line.text ?? Uint8Array.from(Buffer.from(line.hex ?? "", "hex"));
      nodeOf(line.from).events?.onMessage(said);
    } else {
      heard.push(meaningOf(saidOf(nodeOf(line.to).heard.shift())));
      meant.push(meaningOf(line));
    }
  }
  expect(meant.length).toBeGreaterThan(15);
  expect(heard).toMatchObject(meant);
  expect([...nodes.values()].flatMap((node) => node.heard)).toEqual([]);
  expect([...nodes.values()].map(({ closed }) => closed?.code)).toEqual([
    1001,
    undefined,
    undefined,
    undefined,
  ]);
});
