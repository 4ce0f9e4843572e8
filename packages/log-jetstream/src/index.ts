export { openStreamLog, type StreamLogOptions } from "./open-stream-log.ts";
export { StreamLog } from "./stream-log.ts";
