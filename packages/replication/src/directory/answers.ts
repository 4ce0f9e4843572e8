/** Makes the messages of a directory that describe its log. */
import type { Agreement, Capabilities, DirectoryMessage, OutboxMark } from "@meridian/protocol";
import { agree } from "@meridian/protocol";

import type { Resume } from "./resume.ts";
import type { SessionHost } from "./session-host.ts";

/** The answer to a greeting. `mark` is what the log has of the node's outbox. */
export function welcomeOf(
  host: SessionHost,
  agreement: Agreement,
  resume: Resume,
  mark: OutboxMark | undefined,
): DirectoryMessage {
  const { sequencer, log, limits, horizon } = host;
  return {
    type: "welcome",
    ...agreement,
    nowMs: host.clock.nowMs(),
    logId: log.logId,
    epoch: log.epoch,
    head: sequencer.head,
    committedThrough: sequencer.committedThrough,
    epochs: log.epochs.map(([epoch, after]) => [epoch, after]),
    ...resume,
    followed: [...log.followed],
    outboxThrough: mark?.position ?? 0,
    outboxTime: mark?.highestTime ?? 0,
    horizon: horizon.horizon,
    horizonMs: limits.horizonMs,
    heartbeatMs: limits.heartbeatMs,
    leaseMs: limits.leaseMs,
    maxClockDriftMs: limits.maxClockDriftMs,
    holdBack: log.stall !== undefined,
    clock: host.clocks.word,
    ...(host.sharesLog && { shared: true }),
  };
}

/** The answer to a probe. */
export function standingOf(host: SessionHost, capabilities: Capabilities): DirectoryMessage {
  const { sequencer, log, peers } = host;
  return {
    type: "standing",
    ...agree(capabilities),
    nowMs: host.clock.nowMs(),
    ready: !peers.isSyncing && log.stall === undefined,
    logId: log.logId,
    epoch: log.epoch,
    head: sequencer.head,
    followed: [...log.followed],
  };
}
