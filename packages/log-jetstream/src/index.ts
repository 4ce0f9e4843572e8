export { openStreamLog, type StreamLogOptions } from "./open-stream-log.ts";
export type { SnapshotNews } from "./snapshot-keeper.ts";
export { StreamLog } from "./stream-log.ts";
export type { RelayHostEvents } from "./relay-host.ts";
export type { RelayWire } from "./relay-wire.ts";
export type { FollowedLog, StandbyServer } from "./standby.ts";
