import { backupReport, health, history, trouble } from "./elements.ts";
import { BYTES, EVENTS, type ApiTable } from "./route.ts";

/** The routes that regions and directories have in common. */
export const COMMON_API = {
  "/metrics": {
    GET: {
      access: { scope: "any" },
      summary:
        "The metrics for Prometheus, in its text format 0.0.4, or as OpenMetrics 1.0 if `Accept` asks for that.",
      answer: BYTES,
      errors: [],
    },
  },
  "/trouble": {
    GET: {
      access: { scope: "any" },
      summary:
        "What is wrong and what to do about it, as `meridian doctor` says it: on a directory, of the whole cluster, whose programs it asks under the token of who asks; on a region, of itself.",
      answer: trouble,
      errors: ["OVERLOADED"],
    },
  },
  "/history": {
    GET: {
      access: { scope: "any" },
      summary: "How the numbers of the program went in the last hour.",
      answer: history,
      errors: [],
    },
  },
  "/history/watch": {
    GET: {
      access: { scope: "any" },
      summary:
        "Tells of them as server-sent events: first `history`, as `/history` answers; then a `point` with `atMs` and `values` by name, as often as `everyMs` says.",
      answer: EVENTS,
      errors: ["OVERLOADED"],
    },
  },
  "/backup": {
    POST: {
      access: { scope: "admin" },
      summary: "Starts a backup of everything that is durable now.",
      answer: backupReport,
      errors: ["OVERLOADED"],
    },
    GET: {
      access: { scope: "admin" },
      summary:
        "The state of the backup. A backup from which nobody has fetched for ten minutes is dropped.",
      answer: backupReport,
      errors: ["BACKUP_NOT_FOUND"],
    },
    DELETE: {
      access: { scope: "admin" },
      summary: "Drops the backup.",
      answer: backupReport,
      errors: ["BACKUP_NOT_FOUND"],
    },
  },
  "/backup/hold": {
    GET: {
      access: { scope: "admin" },
      summary:
        "An answer that does not end, as server-sent events without any event: the backup is being fetched as long as it goes on. Once all such answers have ended, another backup may be started at once.",
      query: [{ name: "id", description: "The id of the backup.", required: true }],
      answer: EVENTS,
      errors: ["BACKUP_NOT_FOUND", "OVERLOADED"],
    },
  },
  "/backup/content": {
    GET: {
      access: { scope: "admin" },
      summary: "A piece of the backup's database: up to 1 MiB, and no bytes at its end.",
      query: [
        { name: "id", description: "The id of the backup.", required: true },
        { name: "from", description: "The offset of the piece, in bytes.", required: true },
      ],
      answer: BYTES,
      errors: ["BACKUP_NOT_FOUND", "OVERLOADED"],
    },
  },
  "/healthz": {
    GET: {
      access: { scope: "public" },
      summary: "Answers 200 while the event loop of the process runs.",
      answer: health,
      errors: [],
    },
  },
} as const satisfies ApiTable;
