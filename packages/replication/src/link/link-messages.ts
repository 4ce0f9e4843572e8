import type { DirectoryMessage } from "@meridian/protocol";

type OfType<Type extends DirectoryMessage["type"]> = Extract<DirectoryMessage, { type: Type }>;
type ForBoth = "echo" | "reconcile-begin" | "compared" | "wanted";

/** What a directory tells a node that it has taken in. */
export type NodeLinkMessage = OfType<
  | ForBoth
  | "acknowledge"
  | "refuse"
  | "applied-by"
  | "located"
  | "members"
  | "members-changed"
  | "heat-elsewhere"
  | "decided"
>;

/** What a directory tells another one that follows it. */
export type FollowerLinkMessage = OfType<ForBoth | "registry">;

/** Whether the party at this end of a link acts on a message. It ignores all others. */
export type IsForParty<Message extends DirectoryMessage> = (
  message: DirectoryMessage,
) => message is Message;

const FOR_NODES: Readonly<Record<NodeLinkMessage["type"], true>> = {
  echo: true,
  "reconcile-begin": true,
  compared: true,
  wanted: true,
  acknowledge: true,
  refuse: true,
  "applied-by": true,
  located: true,
  members: true,
  "members-changed": true,
  "heat-elsewhere": true,
  decided: true,
};

const FOR_FOLLOWERS: Readonly<Record<FollowerLinkMessage["type"], true>> = {
  echo: true,
  "reconcile-begin": true,
  compared: true,
  wanted: true,
  registry: true,
};

/** Whether a node acts on `message`. */
export function isForNode(message: DirectoryMessage): message is NodeLinkMessage {
  return message.type in FOR_NODES;
}

/** Whether a directory that follows another one acts on `message`. */
export function isForFollower(message: DirectoryMessage): message is FollowerLinkMessage {
  return message.type in FOR_FOLLOWERS;
}
