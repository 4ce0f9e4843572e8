import type { DirectoryLog, LogDoubt } from "@meridian/ports";
import {
  encodeBlock,
  highestTimeOf,
  type Entry,
  type HorizonState,
  type LogFrame,
  type RememberedMember,
} from "@meridian/protocol";

/** Appends a frame; resolves when it is durable. */
export function append(log: DirectoryLog, each: LogFrame): Promise<void> {
  return new Promise((resolve, reject) => {
    log.append(each, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** Saves the state of the horizon; resolves when it is durable. */
export function saveHorizon(log: DirectoryLog, state: HorizonState): Promise<void> {
  return new Promise((resolve, reject) => {
    log.saveHorizon(state, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** Saves a doubt about the log, or that it is over; resolves when that is durable. */
export function saveDoubt(log: DirectoryLog, doubt: LogDoubt | null): Promise<void> {
  return new Promise((resolve, reject) => {
    log.saveDoubt(doubt, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** Makes a log admit stamps; resolves when that is durable. */
export function admit(log: DirectoryLog, time: number): Promise<void> {
  return new Promise((resolve, reject) => {
    log.admit(time, (failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** Resolves when the log is settled. */
export function settle(log: DirectoryLog): Promise<void> {
  return new Promise((resolve, reject) => {
    log.settle((failure) => (failure === undefined ? resolve() : reject(failure)));
  });
}

/** A frame of the log. */
export function frame(
  after: number,
  entries: readonly Entry[],
  incarnation: number,
  position: number,
): LogFrame {
  return {
    after,
    through: after + entries.length,
    count: entries.length,
    highestTime: highestTimeOf(entries),
    incarnation,
    position,
    block: encodeBlock(entries),
  };
}

/** Makes a log remember nodes and drop others. Resolves when that is durable. */
export function remember(
  log: DirectoryLog,
  members: readonly RememberedMember[],
  dropped: readonly string[] = [],
): Promise<void> {
  return new Promise((resolve, reject) => {
    log.remember(members, dropped, (failure) =>
      failure === undefined ? resolve() : reject(failure),
    );
  });
}

/** A node as a log remembers it. */
export function member(id: string, generation: number): RememberedMember {
  const url = `http://${id}.example:7401`;
  const place = { region: "eu-west", url, ip: "10.0.0.1", port: 7_401, lat: 52.52, lon: -13.4 };
  return { id, ...place, generation, seenAtMs: 1_767_225_600_123.5 };
}
