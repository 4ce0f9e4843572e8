import type { Acknowledgement } from "@meridian/protocol";

/** What is true of no write at all. */
export const NOTHING_TO_WRITE: Acknowledgement = {
  level: "local",
  reached: true,
  local: true,
  directory: false,
  nodes: [],
  ready: [],
};

/** What is true of both. */
export function narrower(
  first: Acknowledgement | undefined,
  second: Acknowledgement,
): Acknowledgement {
  if (first === undefined) return second;
  const nodes = first.nodes.filter((node) => second.nodes.includes(node));
  return { ...second, directory: first.directory && second.directory, nodes };
}
