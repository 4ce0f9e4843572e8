import { request } from "@meridian/harness";
/** The requests of an attack: one for each route that the program itself lists, with the largest answer or body of that route. */

const KIBIBYTE = 1024;
/** The keys of the values with the longest answers: JSON needs six bytes for each NUL. */
export const LARGE_KEYS: readonly string[] = Array.from(
  { length: 16 },
  (_, index) => `nul/${index}`,
);
/** The keys that a batch deletes. */
export const DOOMED_KEYS: readonly string[] = Array.from(
  { length: 8 },
  (_, index) => `nul/doomed/${index}`,
);
export const LARGE_VALUE: string = "\0".repeat(1024 * KIBIBYTE);

/** How a route is asked: a target and, if it takes one, a body. */
interface Asking {
  readonly target: string;
  readonly body?: string;
}

const KEYS_BODY = JSON.stringify({ keys: LARGE_KEYS });
const SET_BODY = JSON.stringify({
  entries: LARGE_KEYS.map((_, index) => ({
    key: `set/${index}`,
    value: "v".repeat(900 * KIBIBYTE),
  })),
});

/** Targets and bodies for the routes with a body or a parameter in the path. Every such route must be here. */
const ASKINGS: Readonly<Record<string, Asking>> = {
  "GET /cache": { target: "/cache?key=nul/0" },
  "POST /cache": { target: `/cache?key=short&value=${"v".repeat(8 * KIBIBYTE)}` },
  "GET /cache/{key}": { target: "/cache/nul/0" },
  "PUT /cache/{key}": { target: "/cache/put", body: "v".repeat(1024 * KIBIBYTE) },
  "DELETE /cache/{key}": { target: "/cache/deleted" },
  "POST /batch/get": { target: "/batch/get", body: KEYS_BODY },
  "POST /batch/set": { target: "/batch/set", body: SET_BODY },
  "POST /batch/has": { target: "/batch/has", body: KEYS_BODY },
  "POST /batch/delete": { target: "/batch/delete", body: JSON.stringify({ keys: DOOMED_KEYS }) },
  "POST /touch": { target: "/touch?key=put&ttl=1h" },
  "POST /pull": { target: "/pull?key=deleted" },
  "POST /lease": { target: "/lease?key=filled&ttl=1s&wait=1s" },
  "DELETE /lease": { target: "/lease?key=filled&lease=none" },
  "GET /quarantine/{id}": { target: "/quarantine/1" },
  "DELETE /quarantine/{id}": { target: "/quarantine/1" },
  "POST /quarantine/{id}/replay": { target: "/quarantine/1/replay" },
  "POST /backup": { target: "/backup" },
  "DELETE /backup": { target: "/backup" },
  "GET /revocations": { target: "/revocations?limit=1000" },
  "PUT /revocations/{id}": { target: "/revocations/1?ttl=1h" },
  "GET /nearest": { target: "/nearest?lat=1&lon=2&limit=100" },
  "GET /nodes/{id}": { target: "/nodes/paris" },
  "DELETE /nodes/{id}": { target: "/nodes/nobody" },
  "DELETE /conditions/doubt": { target: "/conditions/doubt" },
  "GET /keys": { target: "/keys?limit=1000&values=true" },
  "GET /entries": { target: "/entries?limit=1000" },
  "GET /watch": { target: "/watch?prefix=&values=true" },
  "POST /watch/tickets": { target: "/watch/tickets?prefix=" },
  "GET /quarantine": { target: "/quarantine?limit=1000" },
  "GET /entry": { target: "/entry?key=nul/0" },
  "GET /console/{file}": { target: "/console/none.js" },
  "GET /directory/view/nearest": { target: "/directory/view/nearest?lat=1&lon=2&limit=100" },
  "GET /directory/view/peers/{peer}/view/status": {
    target: "/directory/view/peers/nobody/view/status",
  },
  "GET /peers/{peer}/view/status": { target: "/peers/nobody/view/status" },
  "GET /peers/{peer}/view/digest": { target: "/peers/nobody/view/digest" },
  "GET /peers/{peer}/view/entries": { target: "/peers/nobody/view/entries" },
  "GET /nodes/{id}/view/digest": { target: "/nodes/paris/view/digest?limit=65536" },
  "GET /nodes/{id}/view/entries": { target: "/nodes/paris/view/entries?limit=1000" },
  "GET /nodes/{id}/view/status": { target: "/nodes/paris/view/status" },
  "GET /nodes/{id}/view/history": { target: "/nodes/paris/view/history" },
  "GET /nodes/{id}/view/history/watch": { target: "/nodes/paris/view/history/watch" },
  "GET /nodes/{id}/view/keys": { target: "/nodes/paris/view/keys?limit=1000" },
  "GET /nodes/{id}/view/entry": { target: "/nodes/paris/view/entry?key=nul/0" },
  "GET /nodes/{id}/view/cache": { target: "/nodes/paris/view/cache?key=nul/0" },
  "POST /nodes/{id}/view/cache": {
    target: "/nodes/paris/view/cache?key=viewed",
    body: "v".repeat(64 * KIBIBYTE),
  },
  "DELETE /nodes/{id}/view/cache/{key}": { target: "/nodes/paris/view/cache/viewed" },
  "POST /nodes/{id}/view/touch": { target: "/nodes/paris/view/touch?key=viewed&ttl=1h" },
  "GET /nodes/{id}/view/watch": { target: "/nodes/paris/view/watch?key=viewed" },
  "GET /nodes/{id}/view/quarantine": { target: "/nodes/paris/view/quarantine?limit=1000" },
  "GET /nodes/{id}/view/quarantine/{entry}": { target: "/nodes/paris/view/quarantine/1" },
  "DELETE /nodes/{id}/view/quarantine/{entry}": { target: "/nodes/paris/view/quarantine/1" },
  "POST /nodes/{id}/view/quarantine/{entry}/replay": {
    target: "/nodes/paris/view/quarantine/1/replay",
  },
};

/** A request as its bytes. */
export interface RouteRequest {
  readonly route: string;
  readonly bytes: Buffer;
}

/** One request for each route and method of a program. Throws for a route that is missing in `ASKINGS`. */
export async function requestsOf(url: string): Promise<readonly RouteRequest[]> {
  const paths = pathsIn(await detailOf(`${url}/no/such/route`));
  const routes = await Promise.all(
    paths.map(async (path) => {
      // A method that no route has is answered with those that it has.
      const { headers } = await request(`${url}${path.replace(/\{\w+\}/, "1")}`, {
        method: "PATCH",
      });
      const methods = (headers.get("allow") ?? "")
        .split(", ")
        .filter((method) => method !== "HEAD");
      return methods.map((method) => requestOf(`${method} ${path}`));
    }),
  );
  return routes.flat();
}

function requestOf(route: string): RouteRequest {
  const [method = "", path = ""] = route.split(" ");
  const known =
    ASKINGS[route] ?? (method === "GET" && !path.includes("{") ? { target: path } : undefined);
  if (known === undefined) {
    throw new Error(`Expected test/attacks/requests.ts to say how \`${route}\` is asked for most`);
  }
  const { target, body } = known;
  const length = body === undefined ? "" : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
  // Without a body there is none: plain reads are answered below node:http.
  const type = body === undefined ? "" : "Content-Type: application/json\r\n";
  return {
    route,
    bytes: Buffer.from(
      `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${type}${length}\r\n${body ?? ""}`,
    ),
  };
}

async function detailOf(url: string): Promise<string> {
  const { detail } = (await (await request(url)).json()) as { readonly detail: string };
  return detail;
}

/** The paths that a program names where it is asked for another. */
function pathsIn(detail: string): string[] {
  const [named = ""] = detail.split(", got ");
  return [...named.matchAll(/`(\/[^`]*)`/g)].map(([, path = ""]) => path);
}
