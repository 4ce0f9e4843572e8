import {
  carrierOfIncoming,
  Exchange,
  limitAddresses,
  limitReads,
  readListener,
  refusalOf,
  requestListener,
  RequestTimes,
  send,
  type Authenticator,
  type HttpHandlers,
  type Refuse,
  type UpgradeListener,
} from "@meridian/http";

import { answerNearest, createApp, directoryGate, directoryStyle } from "./app.ts";
import type { DirectoryService } from "./directory-service.ts";
import { nearestReads } from "./nearest-reads.ts";

const NEAREST = "/nearest?";
const SHORT_ROUTE = "/nearest";

/**
 * Passes requests from a server to the app. `GET /nearest`, which nearly every request is, goes past the app. Most are answered before node:http has
 * made requests of them, and the others without the app's request and response objects. `upgrades` takes WebSockets, by path. With an
 * `authenticator`, requests and links need tokens.
 */
export function directoryHandlers(
  service: DirectoryService,
  upgrades: Readonly<Record<string, UpgradeListener>> = {},
  authenticator?: Authenticator,
): HttpHandlers {
  const { limit, limits, slow, clock, logger, metrics } = service;
  const style = directoryStyle(service);
  const parts = { style, limit, limits, times: new RequestTimes(clock, metrics), clock, logger };
  const request = requestListener({
    ...parts,
    slow,
    app: createApp(service),
    shortRoute: SHORT_ROUTE,
    immediate: (incoming, outgoing) => {
      const { method, url = "" } = incoming;
      if (method !== "GET" || !url.startsWith(NEAREST)) return false;
      const exchange = new Exchange(style, carrierOfIncoming(incoming));
      send(outgoing, answerNearest(service, exchange));
      return true;
    },
  });
  const read = readListener(nearestReads(service, style), {
    ...parts,
    slow,
    shortRoute: SHORT_ROUTE,
  });
  const refuse: Refuse = (error) => refusalOf(style, error);
  if (authenticator === undefined) {
    const limited = { request: limitAddresses(request, parts), read: limitReads(read, limits) };
    return { ...limited, upgrades, refuse };
  }
  const gate = directoryGate(authenticator, parts);
  const links = Object.entries(upgrades).map(([path, take]) => [path, gate.guardLink(take)]);
  const guarded = { request: gate.guard(request), read: gate.guardReads(read) };
  return { ...guarded, upgrades: Object.fromEntries(links), refuse };
}
