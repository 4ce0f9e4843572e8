import * as v from "valibot";

import { digest, digestPage, entryPage, RANGE, readiness } from "./elements.ts";
import { absentNode, doubtEnded, node, nodes } from "./directory-api.ts";
import { COMMON_API } from "./common-routes.ts";
import { MAP_API } from "./map-routes.ts";
import type { ApiTable } from "./route.ts";
import { VIEW_API } from "./view-routes.ts";

/** Every request that a directory takes. `HEAD` goes wherever `GET` does. */
export const DIRECTORY_API = {
  "/nearest": MAP_API["/nearest"],
  "/nodes": {
    GET: {
      access: { scope: "any" },
      summary: "Every node that the directory knows.",
      answer: nodes,
      errors: [],
    },
  },
  "/nodes/watch": MAP_API["/nodes/watch"],
  "/nodes/{id}": {
    GET: {
      access: { scope: "any" },
      summary: "One node.",
      answer: node,
      errors: ["NODE_NOT_FOUND"],
    },
    DELETE: {
      access: { scope: "admin" },
      summary: "Forgets a node that is gone.",
      answer: absentNode,
      errors: ["NODE_NOT_FOUND", "NODE_PRESENT", "DIRECTORY_UNREACHABLE"],
    },
  },
  "/conditions/doubt": {
    DELETE: {
      access: { scope: "admin" },
      summary:
        "Has conditions of `scope=cluster` decided again although the log may have lost something. Answers what had shown that.",
      answer: doubtEnded,
      errors: ["DIRECTORY_UNREACHABLE"],
    },
  },
  ...VIEW_API,
  "/digest": {
    GET: {
      access: { scope: "read", keys: "all" },
      summary:
        "The digest of everything in the log, or of the first entries of a part of the keys.",
      query: [...RANGE, { name: "limit", description: "How many entries, 65 536 or fewer." }],
      answer: v.union([digestPage, digest]),
      errors: ["OVERLOADED"],
    },
  },
  "/entries": {
    GET: {
      access: { scope: "read", keys: "all" },
      summary: "The entries of a part of the keys, tombstones and expired ones too.",
      query: [
        ...RANGE,
        { name: "limit", description: "How many at most, 1 000 or fewer; 100 by default." },
      ],
      answer: entryPage,
      errors: [],
    },
  },
  "/status": MAP_API["/status"],
  ...COMMON_API,
  "/readyz": {
    GET: {
      access: { scope: "public" },
      summary: "Whether the directory serves.",
      answer: readiness,
      errors: [
        "DIRECTORY_SYNCING",
        "DIRECTORY_UNREACHABLE",
        "STORE_FULL",
        "STORE_FAILED",
        "STORE_CORRUPT",
      ],
    },
  },
} as const satisfies ApiTable;
