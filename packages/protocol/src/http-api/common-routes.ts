import { health } from "./elements.ts";
import { BYTES, type ApiTable } from "./route.ts";

/** What both programs are asked alike. */
export const COMMON_API = {
  "/metrics": {
    GET: {
      access: { scope: "any" },
      summary: "The numbers that Prometheus collects, in its text format 0.0.4.",
      answer: BYTES,
      errors: [],
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
