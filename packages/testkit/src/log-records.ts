import type { DirectoryLog } from "@meridian/ports";
import {
  encodeBlock,
  highestTimeOf,
  type Entry,
  type HorizonState,
  type LogFrame,
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
