import * as v from "valibot";

import { digest, digestPage, entryPage, health, RANGE, readiness } from "./elements.ts";
import { absentNode, directoryStatus, nearest, node, nodes } from "./directory-api.ts";
import { BYTES, type ApiRoute } from "./route.ts";

/** Every request that a directory takes. `HEAD` goes wherever `GET` does. */
export const DIRECTORY_ROUTES: readonly ApiRoute[] = [
  {
    method: "GET",
    path: "/nearest",
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
  {
    method: "GET",
    path: "/nodes",
    summary: "Every node that the directory knows.",
    answer: nodes,
    errors: [],
  },
  {
    method: "GET",
    path: "/nodes/{id}",
    summary: "One node.",
    answer: node,
    errors: ["NODE_NOT_FOUND"],
  },
  {
    method: "DELETE",
    path: "/nodes/{id}",
    summary: "Forgets a node that is gone.",
    answer: absentNode,
    errors: ["NODE_NOT_FOUND", "NODE_PRESENT"],
  },
  {
    method: "GET",
    path: "/digest",
    summary: "The digest of everything in the log, or of the first entries of a part of the keys.",
    query: [...RANGE, { name: "limit", description: "How many entries, 65 536 or fewer." }],
    answer: v.union([digestPage, digest]),
    errors: ["OVERLOADED"],
  },
  {
    method: "GET",
    path: "/entries",
    summary: "The entries of a part of the keys, tombstones and expired ones too.",
    query: [
      ...RANGE,
      { name: "limit", description: "How many at most, 1 000 or fewer; 100 by default." },
    ],
    answer: entryPage,
    errors: [],
  },
  {
    method: "GET",
    path: "/status",
    summary: "The directory in numbers.",
    answer: directoryStatus,
    errors: [],
  },
  {
    method: "GET",
    path: "/metrics",
    summary: "The numbers that Prometheus collects, in its text format 0.0.4.",
    answer: BYTES,
    errors: [],
  },
  {
    method: "GET",
    path: "/healthz",
    summary: "Whether the process takes turns.",
    answer: health,
    errors: [],
  },
  {
    method: "GET",
    path: "/readyz",
    summary: "Whether the directory serves.",
    answer: readiness,
    errors: ["DIRECTORY_SYNCING", "STORE_FULL", "STORE_CORRUPT"],
  },
];
