import type { IncomingMessage } from "node:http";

import { silentLogger } from "@meridian/runtime";
import { afterEach, expect, it, vi } from "vitest";

import { Exchange, OriginPolicy, routedApp } from "@meridian/http";

import { askApp } from "../src/routed-app.ts";

afterEach(() => {
  vi.unstubAllGlobals();
});

const STYLE = { origins: new OriginPolicy([]), headers: () => [] };

const REQUESTS: readonly (readonly [string, string, number])[] = [
  ["GET", "/known", 200],
  ["HEAD", "/known", 200],
  ["OPTIONS", "/known", 204],
  ["POST", "/known", 405],
  ["GET", "/unknown", 404],
  ["GET", "/failing", 500],
];

it.each(REQUESTS)(
  "answers %s %s at a server with no response of `fetch`, of which Node.js would load all in a turn of the first request",
  async (method, url, status) => {
    vi.stubGlobal(
      "Response",
      class {
        constructor() {
          throw new Error("Expected no response");
        }
      },
    );
    const app = routedApp({
      routes: {
        "/known": { GET: (exchange) => exchange.plain(200, null, []) },
        "/failing": {
          GET: () => {
            throw new Error("broken");
          },
        },
      },
      style: STYLE,
      exchange: (carrier) => new Exchange(STYLE, carrier),
      logger: silentLogger,
    });
    const incoming = { method, url, headers: {} } as IncomingMessage;
    expect((await askApp(app, incoming)).answer.status).toBe(status);
  },
);
