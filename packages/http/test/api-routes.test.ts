import { BYTES, type ApiTable } from "@meridian/protocol/http-api";
import { silentLogger } from "@meridian/runtime";
import * as v from "valibot";
import { expect, it } from "vitest";

import { Exchange, OriginPolicy, routedApp, type ApiRoutes } from "@meridian/http";

const API = {
  "/count": {
    GET: {
      summary: "",
      access: { scope: "any" },
      answer: v.object({ count: v.number() }),
      errors: [],
    },
    DELETE: {
      summary: "",
      access: { scope: "any" },
      answer: v.object({ kind: v.literal("none") }),
      errors: [],
    },
  },
  "/{name}": { GET: { summary: "", access: { scope: "any" }, answer: BYTES, errors: [] } },
} as const satisfies ApiTable;

type Routes = ApiRoutes<typeof API, Exchange>;

const bytes: Routes["/{name}"] = { GET: (exchange) => exchange.plain(200, null, []) };
const count: Routes["/count"] = {
  GET: (exchange) => exchange.json(200, { count: 1 }),
  DELETE: async (exchange) => exchange.json(200, { kind: "none" }),
};
const right: Routes = { "/count": count, "/{name}": bytes };

/** What each of these does wrong is for the compiler to find: where it does not, the comment is the error. */
const wrong: readonly unknown[] = [
  // @ts-expect-error A route is missing.
  { "/count": count } satisfies Routes,
  // @ts-expect-error A method is missing.
  { "/count": { GET: count.GET }, "/{name}": bytes } satisfies Routes,
  // @ts-expect-error A member has another type.
  { GET: (exchange) => exchange.json(200, { count: "1" }) } satisfies Pick<Routes["/count"], "GET">,
  // @ts-expect-error A member is missing.
  { GET: (exchange) => exchange.json(200, {}) } satisfies Pick<Routes["/count"], "GET">,
  // @ts-expect-error The answer is no JSON.
  { GET: (exchange) => exchange.plain(200, null, []) } satisfies Pick<Routes["/count"], "GET">,
];

it("routes of an API are found under the paths that it names", async () => {
  expect(wrong).not.toHaveLength(0);
  const style = { origins: new OriginPolicy([]), headers: () => [] };
  const app = routedApp({
    routes: right,
    routeOf: (path) => (path === "/count" ? path : "/{name}"),
    style,
    exchange: (carrier) => new Exchange(style, carrier),
    logger: silentLogger,
  });
  expect(await (await app.request("/count")).json()).toEqual({ count: 1 });
  expect(await (await app.request("/count", { method: "DELETE" })).json()).toEqual({
    kind: "none",
  });
  expect((await app.request("/anything")).status).toBe(200);
  expect((await app.request("/anything", { method: "DELETE" })).status).toBe(405);
});
