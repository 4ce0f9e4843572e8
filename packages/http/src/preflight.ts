/** What a browser is answered that asks whether a page may send a request. */
import type { HeaderList } from "./answer.ts";

/** What pages send with a read. */
const READ_HEADERS = "If-None-Match, Meridian-Position, Meridian-Wait-Ms";

/** What pages send with a write, or with a read that has a body. */
const WRITE_HEADERS = `Content-Type, If-Match, ${READ_HEADERS}`;

/** The answer on a path that takes `methods`, to a page that may write or not. */
export function preflightHeaders(methods: readonly string[], mayWrite: boolean): HeaderList {
  const open = mayWrite ? methods : methods.filter(isRead);
  const headers = ["Allow", methods.join(", "), "Vary", "Origin"];
  if (open.length === 0) return headers;
  return [
    ...headers,
    "Access-Control-Allow-Methods",
    open.join(", "),
    "Access-Control-Allow-Headers",
    open.every(isRead) ? READ_HEADERS : WRITE_HEADERS,
    "Access-Control-Max-Age",
    "86400",
  ];
}

function isRead(method: string): boolean {
  return method === "GET" || method === "HEAD";
}
