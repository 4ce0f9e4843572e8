import { backupReport, health } from "./elements.ts";
import { BYTES, type ApiTable } from "./route.ts";

/** What both programs are asked alike. */
export const COMMON_API = {
  "/metrics": {
    GET: {
      access: { scope: "any" },
      summary:
        "The numbers that Prometheus collects, in its text format 0.0.4, or as OpenMetrics 1.0 where `Accept` asks for that.",
      answer: BYTES,
      errors: [],
    },
  },
  "/backup": {
    POST: {
      access: { scope: "admin" },
      summary: "Begins a backup of everything that is durable now.",
      answer: backupReport,
      errors: ["OVERLOADED"],
    },
    GET: {
      access: { scope: "admin" },
      summary:
        "How the backup stands. It is dropped when nobody has fetched of it for ten minutes.",
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
  "/backup/content": {
    GET: {
      access: { scope: "admin" },
      summary: "A piece of the backup's database: up to 1 MiB, nothing at its end.",
      query: [
        { name: "id", description: "Of the backup.", required: true },
        { name: "from", description: "How many bytes lie before the piece.", required: true },
      ],
      answer: BYTES,
      errors: ["BACKUP_NOT_FOUND", "OVERLOADED"],
    },
  },
  "/healthz": {
    GET: {
      access: { scope: "public" },
      summary: "Whether the process takes turns.",
      answer: health,
      errors: [],
    },
  },
} as const satisfies ApiTable;
