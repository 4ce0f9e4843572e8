/**
 * The shortest way to the commonest answer: a plain `GET /nearest` is answered below node:http, exactly as the app would, header for
 * header. It takes a request only if it is sure of that; all others go to the app.
 */
import { HeadText, type AnswerStyle, type PlainReader } from "@meridian/http";

import type { DirectoryService } from "./directory-service.ts";
import { nearestBody } from "./nearest.ts";

/** What clients send: decimal degrees in this order, and perhaps a limit. */
const PLAIN_QUERY = /^\/nearest\?lat=(-?[\d.]{1,24})&lon=(-?[\d.]{1,24})(?:&limit=(\d{1,3}))?$/;

/** The place of the length in the list of headers. */
const LENGTH_AT = 3;

/** Answers plain requests for the nearest nodes. */
export function nearestReads(service: DirectoryService, style: AnswerStyle): PlainReader {
  const top = ["Content-Type", "application/json", "Content-Length", ""];
  const headers = [...top, ...style.headers(), ...style.origins.unnamed];
  const text = new HeadText(200, headers);
  return ({ path }) => {
    const asked = PLAIN_QUERY.exec(path);
    if (asked === null || service.notReady() !== undefined) return undefined;
    const [, lat, lon, limit] = asked;
    const query = { ...(lat && { lat }), ...(lon && { lon }), ...(limit && { limit }) };
    const body = Buffer.from(nearestBody(service.registry, service.lag.maxMs, query));
    headers[LENGTH_AT] = String(body.byteLength);
    return { head: text.of(headers), body };
  };
}
