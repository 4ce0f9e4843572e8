/** Decides by the greeting of a link whether the directory takes the peer in, and where in the log the peer goes on. */
import {
  agree,
  MeridianError,
  type DirectoryMessage,
  type Follow,
  type Hello,
  type OutboxMark,
} from "@meridian/protocol";

import { welcomeOf } from "./answers.ts";
import { checkCursors, checkPlaces, checkReachable, type OwnLog } from "./claims.ts";
import { resumeOfFollower, resumeOfNode, type Resume } from "./resume.ts";
import type { SessionHost } from "./session-host.ts";

/** What is at the other end of a link: nobody yet, a node, or a directory that follows this one. */
export type Introduction =
  | { readonly kind: "none" }
  /** `features`: those that were agreed on with it. */
  | { readonly kind: "node"; readonly hello: Hello; readonly features: readonly string[] }
  | { readonly kind: "follower"; readonly follow: Follow; readonly features: readonly string[] };

/** The incarnation or epoch whose frames the peer has already, because it made them. */
export function outboxOf(introduction: Introduction): number {
  if (introduction.kind === "node") return introduction.hello.incarnation;
  return introduction.kind === "follower" ? introduction.follow.epoch : 0;
}

/** Where a peer that is taken in goes on, and the `welcome` that tells it so. */
export interface TakenIn {
  readonly resume: Resume;
  readonly welcome: DirectoryMessage;
}

/** Throws `WRONG_CLUSTER` for a peer of another cluster. */
export function checkCluster(host: SessionHost, cluster: string): void {
  if (cluster === host.cluster) return;
  throw new MeridianError(
    "WRONG_CLUSTER",
    `Expected a node of cluster \`${host.cluster}\`, got one of \`${cluster}\``,
  );
}

/** Checks a `hello` before anything is changed, and throws what is wrong with it. Returns what the log has of the node's outbox. */
export function checkHello(
  host: SessionHost,
  hello: Hello,
  remoteAddress: string,
): OutboxMark | undefined {
  const { sequencer, peers } = host;
  checkCluster(host, hello.cluster);
  checkPlaces(hello, ownLog(host));
  checkReachable(hello, remoteAddress);
  if (peers.isSyncing) {
    throw new MeridianError("DIRECTORY_SYNCING", "The directory is catching up with the others");
  }
  const mark = sequencer.mark(hello.incarnation);
  if (mark !== undefined && hello.outboxThrough < mark.position) {
    throw new MeridianError(
      "INCARNATION_REUSED",
      `Expected an outbox that has reached position ${mark.position}, got one at ${hello.outboxThrough}`,
    );
  }
  sequencer.checkClaim(hello.admittedTime);
  return mark;
}

/** Takes in a node that has been checked. `mark` is what the log has of its outbox. */
export function takeInNode(host: SessionHost, hello: Hello, mark: OutboxMark | undefined): TakenIn {
  const { log, sequencer, horizon } = host;
  const { isLoss, ...resume } = resumeOfNode(
    log,
    sequencer.ordered,
    mark?.position,
    horizon.horizon,
    hello,
  );
  if (isLoss) {
    horizon.onLoss();
    host.conditions.doubt("a node has seen what this log does not have");
  }
  const { home } = hello;
  if (home !== null && home.logId !== 0 && home.logId !== log.logId) {
    host.conditions.doubt(
      "a node has come from another log, and this one may not have all of that",
    );
  }
  sequencer.expectAfter(hello.incarnation, hello.outboxAcknowledged);
  sequencer.observe(hello.admittedTime);
  return { resume, welcome: welcomeOf(host, agree(hello), resume, mark) };
}

/** Through where a node has this log by what it says of its home; 0 if its home is another log or epoch, of which it may have more than this one. */
export function homeIn({ logId, epoch }: Pick<OwnLog, "logId" | "epoch">, hello: Hello): number {
  const { home } = hello;
  return home?.logId === logId && home.epoch === epoch ? home.sequence : 0;
}

/** Checks the `follow` of another directory, and throws what is wrong with it. */
export function checkFollow(host: SessionHost, follow: Follow): void {
  const { log } = host;
  checkCluster(host, follow.cluster);
  checkCursors(follow, ownLog(host));
  if (follow.logId !== log.logId) return;
  const said =
    follow.epoch === log.epoch
      ? "Expected another directory, got this one: leave its own URL out of --peer"
      : "Expected a directory with a log of its own, got a copy of this one's: start it on an empty folder";
  throw new MeridianError("SAME_LOG", said);
}

/** Takes in a directory that has been checked. */
export function takeInFollower(host: SessionHost, follow: Follow): TakenIn {
  const resume = resumeOfFollower(host.log, follow.cursors, follow.head === 0);
  return { resume, welcome: welcomeOf(host, agree(follow), resume, undefined) };
}

function ownLog({ log, sequencer }: SessionHost): OwnLog {
  const { logId, epoch } = log;
  const { ordered, committedThrough } = sequencer;
  return { logId, epoch, ordered, committedThrough };
}
