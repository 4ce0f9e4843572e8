import { once } from "node:events";

import { OriginPolicy } from "@meridian/http";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";

import { createApp } from "../src/http/app.ts";
import { start } from "./running.ts";
import { CITIES, PARIS, serviceOf } from "./service.ts";

const APP = "https://app.example.com";
const STRANGERS = ["https://evil.example.com", "null", "", `${APP}.evil.com`];

const targets: Readonly<Record<string, string>> = {
  "/nearest": `/nearest?${PARIS}`,
  "/nodes/": "/nodes/tokyo",
};

const listing = createApp(serviceOf(CITIES, { origins: new OriginPolicy([APP]) }));
const open = createApp(serviceOf(CITIES, { origins: new OriginPolicy("*") }));
const closed = createApp(serviceOf(CITIES));
const routes = closed.routes.map(({ method, path }) => [method, targets[path] ?? path] as const);

describe.each(routes)("%s %s", (method, target) => {
  it("refuses pages that are not allowed, and they learn nothing but that", async () => {
    for (const app of [listing, closed]) {
      for (const origin of STRANGERS) {
        const answer = await app.request(target, { method, headers: { origin } });
        expect(answer.status).toBe(403);
        expect(answer.headers.get("access-control-allow-origin")).toBe("*");
        expect(await answer.json()).toMatchObject({ code: "ORIGIN_NOT_ALLOWED" });
      }
    }
  });

  it("answers the others", async () => {
    for (const [app, origin, named] of [
      [listing, APP, APP],
      [listing, undefined, null],
      [closed, undefined, null],
      [open, STRANGERS[0], "*"],
      [open, undefined, "*"],
    ] as const) {
      const headers = origin === undefined ? {} : { origin };
      const answer = await app.request(target, { method, headers });
      expect(answer.status).not.toBe(403);
      expect(answer.headers.get("access-control-allow-origin")).toBe(named);
      const vary = (answer.headers.get("vary") ?? "").split(", ");
      expect(vary.includes("Origin")).toBe(app === listing);
    }
  });
});

describe("a link that a page opens", () => {
  it("is refused whatever its origin, and that of a program is not", async () => {
    const { url } = await start({ allowOrigin: "*" });
    for (const origin of [APP, url, "null"]) {
      const socket = new WebSocket(`${url}/replicate`, { headers: { origin } });
      const [error] = (await once(socket, "error")) as [Error];
      expect(error.message).toBe("Unexpected server response: 403");
    }
    const socket = new WebSocket(`${url}/replicate`);
    await once(socket, "open");
    socket.terminate();
  });
});
