import type { Logger } from "@meridian/runtime";

import { isMajority, type ClockVote } from "../time/clock-vote.ts";

/** A clock that shows another time than most of them. */
export interface DeviantClock {
  /** The member's id, the URL of a directory, or `this directory`. */
  readonly id: string;
  /** How far it is ahead of the cluster's time; negative for behind. */
  readonly aheadMs: number;
}

/** Whose clocks agree, and whose do not. */
export interface ClocksInfo {
  /** How far this directory's own clock is ahead of the cluster's time. */
  readonly aheadMs: number;
  /** How many members' clocks agree on the cluster's time, … */
  readonly agreeing: number;
  /** … of how many members, heard or not. */
  readonly members: number;
  /** Whether those are a majority. While they are not, nothing that has expired is emptied, and deletes are not forgotten. */
  readonly confirmed: boolean;
  /** The clocks that do not agree, the furthest ahead first; not more than a hundred of them. */
  readonly deviant: readonly DeviantClock[];
}

/** How many clocks are named in one line of the log, and in a status. */
const NAMED_MAX = 10;
const DEVIANT_MAX = 100;

/** What a vote means to an operator. `ownOffsetMs` is by how much this directory's wall time is ahead of elapsed time. */
export function describeClocks(vote: ClockVote, ownOffsetMs: number): ClocksInfo {
  const { agreeing, members } = vote;
  const offsetMs = vote.offsetMs ?? ownOffsetMs;
  const deviant = vote.others.map(({ id, offsetMs: each }) => ({
    id,
    aheadMs: Math.round(each - offsetMs),
  }));
  return {
    aheadMs: Math.round(ownOffsetMs - offsetMs),
    agreeing,
    members,
    confirmed: isMajority(vote),
    deviant: deviant.toSorted((a, b) => b.aheadMs - a.aheadMs).slice(0, DEVIANT_MAX),
  };
}

/** Logs who disagrees with whom, whenever that has changed. */
export function sayClocks(logger: Logger, before: ClocksInfo, now: ClocksInfo): void {
  const names = ({ deviant }: ClocksInfo): string => deviant.map(({ id }) => id).join();
  if (names(before) === names(now) && before.confirmed === now.confirmed) return;
  const { agreeing, members, deviant } = now;
  const fields = { agreeing, members, deviant: listed(deviant) };
  if (now.confirmed && deviant.length === 0) {
    if (before.deviant.length > 0) logger.info("all clocks that are heard agree", fields);
  } else if (now.confirmed) {
    logger.warn("clocks are wrong; the time that most members agree on is used", fields);
  } else if (deviant.length > 0) {
    const said = "no majority of the members' clocks agrees";
    logger.error(`${said}; nothing that has expired is emptied, and deletes are kept`, fields);
  } else {
    const said =
      "half of the members or more are gone; nothing that has expired is emptied, and deletes are kept";
    logger.warn(`${said}, until they are back or those that never will be are forgotten`, fields);
  }
}

function listed(deviant: readonly DeviantClock[]): string {
  const named = deviant.slice(0, NAMED_MAX).map(({ id, aheadMs }) => `${id} ${signed(aheadMs)} ms`);
  const more = deviant.length - named.length;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

function signed(ms: number): string {
  return ms > 0 ? `+${ms}` : String(ms);
}
