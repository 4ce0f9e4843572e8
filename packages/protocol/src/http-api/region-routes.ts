import { digest, digestPage, entryPage, RANGE, readiness } from "./elements.ts";
import {
  batchDeleteBody,
  batchDeleted,
  batchFound,
  batchGetBody,
  batchPresence,
  batchSetBody,
  batchWritten,
  deleted,
  entryReport,
  dropped,
  found,
  keyPage,
  lease,
  quarantined,
  quarantinePage,
  regionStatus,
  released,
  replayed,
  revocationPage,
  revoked,
  saved,
  watchTicket,
  written,
} from "./region-api.ts";
import { COMMON_API } from "./common-routes.ts";
import { DIRECTORY_VIEW_API } from "./directory-view-routes.ts";
import {
  ACK,
  CONDITIONS,
  DEADLINE,
  KEY,
  LIMIT,
  READING,
  SCOPE,
  SCOPED,
  SESSION,
  SETTING,
  STALE,
  TTL,
  WRITE_HEADERS,
  WRITING,
} from "./region-parameters.ts";
import { BYTES, EVENTS, type ApiTable } from "./route.ts";
import * as v from "valibot";

/** Every request that a region takes. `HEAD` goes wherever `GET` does. */
export const REGION_API = {
  "/cache/{key}": {
    GET: {
      access: { scope: "read", keys: "path" },
      summary: "Reads a value: the bytes as they were stored.",
      query: [
        STALE,
        SCOPE,
        { name: "timeout", description: "With `scope`: how long to wait, at most 60 s." },
      ],
      headers: [
        ...SESSION,
        { name: "If-None-Match", description: "Answer 304 if the value has this ETag." },
      ],
      answer: BYTES,
      errors: ["INVALID_KEY", "KEY_NOT_FOUND", "CONDITIONS_UNAVAILABLE", ...READING],
    },
    PUT: {
      access: { scope: "write", keys: "path" },
      summary: "Stores the body under the key.",
      query: [TTL, ...ACK, SCOPE],
      headers: [...WRITE_HEADERS, ...CONDITIONS],
      body: BYTES,
      answer: written,
      errors: [
        "INVALID_KEY",
        "INVALID_TTL",
        "INVALID_BODY",
        "VALUE_TOO_LARGE",
        "PRECONDITION_FAILED",
        ...SCOPED,
        ...READING,
        ...WRITING,
      ],
    },
    DELETE: {
      access: { scope: "write", keys: "path" },
      summary: "Deletes the key everywhere.",
      query: [...ACK, SCOPE],
      headers: [...WRITE_HEADERS, ...CONDITIONS],
      answer: deleted,
      errors: ["INVALID_KEY", "PRECONDITION_FAILED", ...SCOPED, ...READING, ...WRITING],
    },
  },
  "/cache": {
    GET: {
      access: { scope: "read", keys: "query" },
      summary: "Reads a value as JSON.",
      query: [KEY, STALE],
      headers: SESSION,
      answer: found,
      errors: ["INVALID_KEY", "KEY_NOT_FOUND", ...READING],
    },
    POST: {
      access: { scope: "write", keys: "query" },
      summary: "Stores a text of the query, or the body, and answers with what is stored.",
      query: [
        KEY,
        { name: "value", description: "The text; without it, the body is the value." },
        { name: "minutes", description: "How long the value lives; instead of `ttl`." },
        {
          name: "due",
          description:
            "When it expires, instead of `ttl`: milliseconds since the Unix epoch, an instant such as `2030-01-31T12:00:00Z`, or `never`.",
        },
        TTL,
        ...ACK,
      ],
      headers: WRITE_HEADERS,
      body: BYTES,
      bodyOptional: true,
      answer: saved,
      errors: SETTING,
    },
  },
  "/batch/get": {
    POST: {
      access: { scope: "read", keys: "body" },
      summary: "Reads up to 1 000 values.",
      headers: SESSION,
      body: batchGetBody,
      answer: batchFound,
      errors: ["INVALID_KEY", "INVALID_BODY", ...READING],
    },
  },
  "/batch/set": {
    POST: {
      access: { scope: "write", keys: "body" },
      summary: "Stores up to 1 000 values in one commit, all of them or none.",
      headers: WRITE_HEADERS,
      body: batchSetBody,
      answer: batchWritten,
      errors: SETTING,
    },
  },
  "/batch/has": {
    POST: {
      access: { scope: "read", keys: "body" },
      summary: "Says which of up to 1 000 keys have a live value.",
      headers: SESSION,
      body: batchGetBody,
      answer: batchPresence,
      errors: ["INVALID_KEY", "INVALID_BODY", ...READING],
    },
  },
  "/batch/delete": {
    POST: {
      access: { scope: "write", keys: "body" },
      summary: "Deletes up to 1 000 keys everywhere, in one commit.",
      headers: WRITE_HEADERS,
      body: batchDeleteBody,
      answer: batchDeleted,
      errors: ["INVALID_KEY", "INVALID_BODY", ...READING, ...WRITING],
    },
  },
  "/touch": {
    POST: {
      access: { scope: "write", keys: "query" },
      summary: "Changes when a value expires, without sending the value again.",
      query: [
        KEY,
        { ...TTL, description: `${TTL.description} Counted from now.` },
        {
          name: "expiresAt",
          description:
            "Until when, instead of `ttl`: milliseconds since the Unix epoch, an instant such as `2030-01-31T12:00:00Z`, or `never`.",
        },
        ...ACK,
      ],
      headers: WRITE_HEADERS,
      answer: written,
      errors: ["INVALID_KEY", "INVALID_TTL", "KEY_NOT_FOUND", ...READING, ...WRITING],
    },
  },
  "/pull": {
    POST: {
      access: { scope: "write", keys: "query" },
      summary: "Reads a value and deletes its key in one atomic step on this region.",
      query: [KEY],
      headers: WRITE_HEADERS,
      answer: found,
      errors: ["INVALID_KEY", "KEY_NOT_FOUND", ...READING, ...WRITING],
    },
  },
  "/lease": {
    POST: {
      access: { scope: "write", keys: "query" },
      summary: "Asks for the lease of a key: the right to be the one client that loads its value.",
      query: [
        KEY,
        {
          name: "ttl",
          description: "How long until the lease ends by itself: 10 s by default, at most 600 s.",
        },
        {
          name: "wait",
          description:
            "How long to wait while another client holds the lease, at most 10 s; 0 by default.",
        },
      ],
      headers: WRITE_HEADERS,
      answer: lease,
      errors: ["INVALID_KEY", "OVERLOADED", "DEADLINE_PASSED", ...READING],
    },
    DELETE: {
      access: { scope: "write", keys: "query" },
      summary: "Gives a lease back. The clients that wait for it are answered.",
      query: [KEY, { name: "lease", description: "The id of the lease.", required: true }],
      headers: [DEADLINE],
      answer: released,
      errors: ["INVALID_KEY", "DEADLINE_PASSED"],
    },
  },
  "/keys": {
    GET: {
      access: { scope: "read", keys: "prefix" },
      summary: "Lists live keys in key order. Does not count as a use of the entries for eviction.",
      query: [
        { name: "prefix", description: "Only keys that begin with this." },
        { name: "after", description: "Only keys after this one." },
        LIMIT,
        {
          name: "values",
          description: "`true`: with the values; a page then ends after about 1 MiB.",
        },
      ],
      headers: SESSION,
      answer: keyPage,
      errors: READING,
    },
  },
  "/entry": {
    GET: {
      access: { scope: "read", keys: "query" },
      summary:
        "What the region knows of a key beside its value: its newest entry, deleted and expired ones too, where it is, and its last changes. Does not count as a use of it.",
      query: [KEY],
      headers: SESSION,
      answer: entryReport,
      errors: ["INVALID_KEY", ...READING],
    },
  },
  "/watch": {
    GET: {
      access: { scope: "read", keys: "watch" },
      summary:
        "Tells what becomes of a key, or of all keys with a prefix, as server-sent events: `set`, `delete`, `expire`, or `reload` where some have been missed.",
      query: [
        { name: "key", description: "The key to watch." },
        { name: "prefix", description: "Watch all keys that begin with this; instead of `key`." },
        { name: "values", description: "`true`: with the values that are set." },
        {
          name: "positions",
          description:
            "`true`: with `position` events, each of which says through which position everything has been told.",
        },
        { name: "ticket", description: "A ticket, for who can show no token." },
      ],
      headers: [
        ...SESSION,
        { name: "Last-Event-ID", description: "Go on after the event that had this id." },
      ],
      answer: EVENTS,
      errors: ["INVALID_KEY", ...READING],
    },
  },
  "/watch/tickets": {
    POST: {
      access: { scope: "read", keys: "watch" },
      summary:
        "Makes a ticket with which `EventSource`, which can show no token, watches a key or a prefix: good once, for 30 seconds.",
      query: [
        { name: "key", description: "The key to watch." },
        { name: "prefix", description: "The beginning of the keys to watch; instead of `key`." },
      ],
      headers: SESSION,
      answer: watchTicket,
      errors: ["INVALID_KEY", ...READING],
    },
  },
  "/digest": {
    GET: {
      access: { scope: "read", keys: "all" },
      summary: "The digest of everything, or of the first entries of a part of the keys.",
      query: [...RANGE, { name: "limit", description: "How many entries, 65 536 or fewer." }],
      answer: v.union([digestPage, digest]),
      errors: [],
    },
  },
  "/entries": {
    GET: {
      access: { scope: "read", keys: "all" },
      summary: "The entries of a part of the keys, tombstones and expired ones too.",
      query: [...RANGE, LIMIT],
      answer: entryPage,
      errors: [],
    },
  },
  "/quarantine": {
    GET: {
      access: { scope: "admin" },
      summary: "Lists the entries that the cluster deleted while the region was away.",
      query: [{ name: "after", description: "Only ids above this one." }, LIMIT],
      answer: quarantinePage,
      errors: [],
    },
  },
  "/quarantine/{id}": {
    GET: {
      access: { scope: "admin" },
      summary: "A quarantined entry with its value.",
      answer: quarantined,
      errors: ["QUARANTINED_NOT_FOUND"],
    },
    DELETE: {
      access: { scope: "admin" },
      summary: "Drops a quarantined entry for good.",
      headers: [DEADLINE],
      answer: dropped,
      errors: ["QUARANTINED_NOT_FOUND", ...WRITING],
    },
  },
  "/quarantine/{id}/replay": {
    POST: {
      access: { scope: "admin" },
      summary: "Writes a quarantined entry anew, and keeps its expiry.",
      query: ACK,
      headers: [DEADLINE, ...CONDITIONS],
      answer: replayed,
      errors: ["QUARANTINED_NOT_FOUND", "QUARANTINED_EXPIRED", "PRECONDITION_FAILED", ...WRITING],
    },
  },
  "/revocations": {
    GET: {
      access: { scope: "admin" },
      summary: "Lists the tokens that have been revoked and would not have expired yet.",
      query: [{ name: "after", description: "Only ids after this one." }, LIMIT],
      answer: revocationPage,
      errors: [],
    },
  },
  "/revocations/{id}": {
    PUT: {
      access: { scope: "admin" },
      summary: "Revokes the token of that id, everywhere.",
      query: [
        {
          name: "ttl",
          description:
            "How long to keep the revocation: at least as long as the token is valid. For ever by default.",
        },
        ...ACK,
      ],
      headers: [DEADLINE],
      answer: revoked,
      errors: ["INVALID_TTL", ...READING, ...WRITING],
    },
  },
  "/status": {
    GET: {
      access: { scope: "any" },
      summary: "The region in numbers.",
      answer: regionStatus,
      errors: [],
    },
  },
  ...DIRECTORY_VIEW_API,
  ...COMMON_API,
  "/readyz": {
    GET: {
      access: { scope: "public" },
      summary: "Whether the region serves.",
      answer: readiness,
      errors: [
        "NODE_SYNCING",
        "NODE_DRAINING",
        "NODE_REFUSED",
        "NODE_NOT_ADMITTED",
        "STORE_FULL",
        "STORE_CORRUPT",
      ],
    },
  },
} as const satisfies ApiTable;
