/**
 * The interfaces through which the replication machines reach the world; implementations name them with `implements`. The machines are
 * pure: they hold no socket, file, timer or clock of their own, and act only when they are called. The apps plug in WebSockets and SQLite;
 * the simulator plugs in a network that loses messages and disks that forget.
 *
 * Reads are synchronous (an embedded database, the page cache); commits are not, because they belong on
 * another thread. A `done` callback is called exactly once, in the order of the calls, never from inside
 * the call itself, and never after `close`.
 */
export type { DirectoryLog } from "./directory-log.ts";
export type { Done } from "./done.ts";
export type { EntryMark } from "./entry-mark.ts";
export type { LogDoubt } from "./log-doubt.ts";
export type { LogRecord } from "./log-record.ts";
export { PART_BYTES, type Dial, type Link, type LinkEvents } from "./link.ts";
export type { ReplicaStore } from "./replica-store.ts";
export type { SummaryPage } from "./summary-page.ts";
export type { FeedStart, Uplink, UplinkEvents, UplinkLink } from "./uplink.ts";
