import {
  carrierOfIncoming,
  Exchange,
  limitAddresses,
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

const NEAREST = "/nearest?";

/**
 * From a server to the app, and past it for `GET /nearest`: nearly every request is one, and the same answer without
 * the app's request and response objects takes a fifth less of the processor. `upgrades` takes WebSockets, by path.
 * With an `authenticator`, requests and links need tokens.
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
    shortRoute: "/nearest",
    immediate: (incoming, outgoing) => {
      const { method, url = "" } = incoming;
      if (method !== "GET" || !url.startsWith(NEAREST)) return false;
      const exchange = new Exchange(style, carrierOfIncoming(incoming));
      send(outgoing, answerNearest(service, exchange));
      return true;
    },
  });
  const refuse: Refuse = (error) => refusalOf(style, error);
  if (authenticator === undefined) {
    return { request: limitAddresses(request, parts), upgrades, refuse };
  }
  const gate = directoryGate(authenticator, parts);
  const links = Object.entries(upgrades).map(([path, take]) => [path, gate.guardLink(take)]);
  return { request: gate.guard(request), upgrades: Object.fromEntries(links), refuse };
}
