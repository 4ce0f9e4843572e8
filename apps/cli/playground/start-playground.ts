/**
 * Serves the console of a development cluster with what changes the cluster itself:
 *
 *   /dev/watch            how it stands, as server-sent events
 *   /dev/cut, /dev/heal   cut a region's connections to its directories, and heal them
 *   /dev/drill            start a drill, and stop it
 *   /dev/at/<id>/…        some requests of a region, which answers them also while it is cut off
 *   anything else         the directory's own answer; its page gets the token for all these
 *
 * The token is made anew at each start. It stands in the page that this server sends, and so in no URL, no history and no log.
 */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";

import { asMeridianError, MeridianError, toProblem } from "@meridian/protocol";

import type {
  PlaygroundOptions,
  PlaygroundRegion,
  RunningPlayground,
} from "../src/dev/playground.ts";
import { RegionCuts } from "./cuts.ts";
import { Drills } from "./drills.ts";
import { checkOrigin, checkToken } from "./guard.ts";
import { handOn } from "./hand-on.ts";
import { Watchers } from "./watchers.ts";

const CONNECTIONS_MAX = 128;

/** The requests of a region that are handed on: those that a page needs which writes to it and compares it. */
const AT_REGION = /^(GET \/(entry|cache|digest|status|watch)|POST \/cache|DELETE \/cache\/[^/]+)$/;

/** Starts a playground. Rejects if its port is taken. */
export async function startPlayground(options: PlaygroundOptions): Promise<RunningPlayground> {
  const playground = new Playground(options);
  const url = await playground.listen(options.port);
  return { url, stop: () => playground.stop() };
}

/** Whether a page is asked for that a window of a browser, or a program, shows: nothing that another page has within it. */
function isForWindow({ accept, "sec-fetch-dest": destination = "document" }: IncomingHttpHeaders) {
  return accept?.includes("text/html") === true && destination === "document";
}

class Playground {
  readonly #options: PlaygroundOptions;
  readonly #token = randomBytes(32).toString("base64url");
  readonly #server: Server;
  readonly #cuts: RegionCuts;
  readonly #drills: Drills;
  readonly #watchers: Watchers;
  #port = 0;

  constructor(options: PlaygroundOptions) {
    this.#options = options;
    const { regions, clock, say } = options;
    this.#cuts = new RegionCuts({
      regions,
      clock,
      onChange: (what) => {
        say(what);
        this.#watchers.tell();
      },
    });
    this.#watchers = new Watchers({
      clock,
      state: () => ({
        regions: regions.map((region) => this.#standingOf(region)),
        drills: this.#drills.list,
        drill: this.#drills.state,
      }),
      onEnter: () => this.#cuts.enter(),
    });
    this.#drills = new Drills({
      ...options,
      cuts: this.#cuts,
      onChange: () => this.#watchers.tell(),
    });
    this.#server = createServer((request, response) => void this.#take(request, response));
    this.#server.maxConnections = CONNECTIONS_MAX;
  }

  async listen(port: number): Promise<string> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
    return `http://127.0.0.1:${this.#port}`;
  }

  async stop(): Promise<void> {
    await this.#drills.stop();
    this.#cuts.stop();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #standingOf({ id, url, lat, lon }: PlaygroundRegion) {
    return { id, url, lat, lon, healsAtMs: this.#cuts.healsAtMs(id) };
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      checkOrigin(request.headers, this.#port);
      const target = request.url ?? "/";
      if (!/^\/dev(\/|$)/.test(target)) await this.#handOn(request, response, target);
      else {
        checkToken(request.headers, this.#token);
        await this.#act(request, response, target);
      }
    } catch (cause) {
      const problem = toProblem(asMeridianError(cause));
      if (response.headersSent) return void response.destroy();
      response.writeHead(problem.status, { "content-type": "application/problem+json" });
      response.end(JSON.stringify(problem));
    }
  }

  /** What the directory answers. Its page gets the token. */
  #handOn(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
    const { directoryUrl: origin } = this.#options;
    const isPage = target === "/" && isForWindow(request.headers);
    if (!isPage) return handOn(request, response, { origin, target });
    const meta = `<meta name="meridian-dev" content="${this.#token}" />`;
    const page = (text: string): string => text.replace("<head>", `<head>${meta}`);
    return handOn(request, response, { origin, target, rewrite: { page } });
  }

  async #act(request: IncomingMessage, response: ServerResponse, target: string): Promise<void> {
    const { pathname, searchParams, search } = new URL(target, "http://playground");
    const asked = `${request.method} ${pathname}`;
    const [, id = "", path = ""] = /^\/dev\/at\/([^/]+)(\/.+)$/.exec(pathname) ?? [];
    if (path !== "") return this.#askRegion(request, response, { id, path, search });
    if (asked === "GET /dev/watch") {
      if (!this.#watchers.isFull) return this.#watchers.add(response);
      throw new MeridianError(
        "OVERLOADED",
        "Expected fewer pages of this playground, got one more",
      );
    }
    const region = searchParams.get("region") ?? "";
    if (asked === "POST /dev/cut") {
      if (this.#drills.isRunning) {
        throw new MeridianError("OVERLOADED", "Expected no other cut while a drill runs, got one");
      }
      this.#cuts.cut(region);
    } else if (asked === "POST /dev/heal") this.#cuts.heal(region);
    else if (asked === "POST /dev/drill") this.#drills.start(searchParams.get("name") ?? "");
    else if (asked === "DELETE /dev/drill") await this.#drills.stop();
    else
      throw new MeridianError(
        "ROUTE_NOT_FOUND",
        `Expected a request of the playground, got ${asked}`,
      );
    response.writeHead(200, { "content-type": "application/json" });
    response.end("{}");
  }

  #askRegion(
    request: IncomingMessage,
    response: ServerResponse,
    { id, path, search }: { id: string; path: string; search: string },
  ): Promise<void> {
    const region = this.#options.regions.find((each) => each.id === id);
    if (region === undefined || !AT_REGION.test(`${request.method} ${path}`)) {
      const said = `Expected a request that a region of the playground takes, got ${request.method} ${path.slice(0, 100)} of \`${id.slice(0, 100)}\``;
      throw new MeridianError("ROUTE_NOT_FOUND", said);
    }
    return handOn(request, response, { origin: region.url, target: path + search });
  }
}
