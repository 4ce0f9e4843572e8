import * as v from "valibot";

import { digest, digestPage, entryPage, RANGE, readiness } from "./elements.ts";
import { absentNode, directoryStatus, nearest, node, nodes } from "./directory-api.ts";
import { COMMON_API } from "./common-routes.ts";
import { EVENTS, type ApiTable } from "./route.ts";
import { VIEW_API } from "./view-routes.ts";

/** Every request that a directory takes. `HEAD` goes wherever `GET` does. */
export const DIRECTORY_API = {
  "/nearest": {
    GET: {
      access: { scope: "any" },
      summary: "The ready regions nearest to a place, by great-circle distance.",
      query: [
        { name: "lat", description: "Decimal degrees, north positive.", required: true },
        { name: "lon", description: "Decimal degrees, east positive.", required: true },
        { name: "limit", description: "How many, 1 to 100; 3 by default." },
        { name: "exclude", description: "Ids to leave out, with commas." },
      ],
      answer: nearest,
      errors: ["INVALID_COORDINATES", "NO_READY_NODE", "DIRECTORY_SYNCING"],
    },
  },
  "/nodes": {
    GET: {
      access: { scope: "any" },
      summary: "Every node that the directory knows.",
      answer: nodes,
      errors: [],
    },
  },
  "/nodes/watch": {
    GET: {
      access: { scope: "any" },
      summary:
        "Tells of the coming and going of nodes as server-sent events: first `nodes`, as `/nodes` answers; then a `node` for each that comes, goes, moves or changes its status, and `forgotten` with its id. With `progress`, also `progress`, with what changes all the time of the nodes for which it has changed, and `frames`: how many frames of the log have come from and left to which nodes.",
      query: [{ name: "progress", description: "`true`: tell of progress and frames, too." }],
      answer: EVENTS,
      errors: ["OVERLOADED"],
    },
  },
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
      errors: ["NODE_NOT_FOUND", "NODE_PRESENT"],
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
  "/status": {
    GET: {
      access: { scope: "any" },
      summary: "The directory in numbers.",
      answer: directoryStatus,
      errors: [],
    },
  },
  ...COMMON_API,
  "/readyz": {
    GET: {
      access: { scope: "public" },
      summary: "Whether the directory serves.",
      answer: readiness,
      errors: ["DIRECTORY_SYNCING", "STORE_FULL", "STORE_CORRUPT"],
    },
  },
} as const satisfies ApiTable;
