/**
 * The shortest way to the commonest answer: a plain `GET /nearest` is answered below node:http, exactly as the app would, header for
 * header. It takes a request only if it is sure of that; all others go to the app.
 */
import { HeadText, type AnswerStyle, type PlainReader } from "@meridian/http";

import type { DirectoryService } from "./directory-service.ts";
import { nearestBody, readPlainNearest } from "./nearest.ts";

const PREFIX = "/nearest?";

/** The place of the length in the list of headers. */
const LENGTH_AT = 3;

/** Answers plain requests for the nearest nodes. */
export function nearestReads(service: DirectoryService, style: AnswerStyle): PlainReader {
  const top = ["Content-Type", "application/json", "Content-Length", ""];
  const headers = [...top, ...style.headers(), ...style.origins.unnamed];
  const text = new HeadText(200, headers);
  return ({ path }) => {
    if (!path.startsWith(PREFIX)) return undefined;
    const question = readPlainNearest(path.slice(PREFIX.length));
    if (question === undefined || service.notReady() !== undefined) return undefined;
    const body = nearestBody(service.registry, service.lag.maxMs, question);
    headers[LENGTH_AT] = String(body.length);
    return { head: text.of(headers), body };
  };
}
