export { openStreamLog, type StreamLogOptions } from "./open-stream-log.ts";
export type { SnapshotNews } from "./snapshot-keeper.ts";
export { StreamLog } from "./stream-log.ts";
