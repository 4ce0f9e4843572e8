import type { DirectoryMessage } from "@meridian/protocol";
import { isForFollower, isForNode } from "@meridian/replication/source/link/link-messages";
import { expect, it } from "vitest";

type Type = DirectoryMessage["type"];

/** For whom each message of a directory is, once a link is up. */
const IS_FOR: Readonly<Record<Type, readonly ("node" | "follower")[]>> = {
  welcome: [],
  standing: [],
  echo: ["node", "follower"],
  "reconcile-begin": ["node", "follower"],
  compared: ["node", "follower"],
  wanted: ["node", "follower"],
  acknowledge: ["node"],
  refuse: ["node"],
  "applied-by": ["node"],
  located: ["node"],
  members: ["node"],
  "members-changed": ["node"],
  "heat-elsewhere": ["node"],
  decided: ["node"],
  registry: ["follower"],
};

it.each(Object.entries(IS_FOR))("`%s` is for %j", (type, parties) => {
  const message = { type } as DirectoryMessage;
  expect([isForNode(message), isForFollower(message)]).toEqual([
    parties.includes("node"),
    parties.includes("follower"),
  ]);
});
