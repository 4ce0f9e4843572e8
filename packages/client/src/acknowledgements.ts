import type { Acknowledgement } from "@meridian/protocol";

/** The acknowledgement of a call that had nothing to write. */
export const NOTHING_TO_WRITE: Acknowledgement = {
  level: "local",
  reached: true,
  local: true,
  directory: false,
  nodes: [],
  ready: [],
};

/** The acknowledgement that holds for both of two writes. */
export function narrower(
  first: Acknowledgement | undefined,
  second: Acknowledgement,
): Acknowledgement {
  if (first === undefined) return second;
  const nodes = first.nodes.filter((node) => second.nodes.includes(node));
  return { ...second, directory: first.directory && second.directory, nodes };
}
