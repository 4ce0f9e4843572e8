/** The playground of a development cluster: what it cuts, for how long, and whom it obeys. */
import { once } from "node:events";
import { createServer, request, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

import { seededRandom } from "@meridian/runtime";
import { ManualClock } from "@meridian/testkit";
import { expect, onTestFinished, test } from "vitest";

import { RegionCuts } from "../playground/cuts.ts";
import { startPlayground } from "../playground/start-playground.ts";
import { loadPlayground } from "../src/dev/playground.ts";

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;

const PARTS = {
  directoryName: "directory",
  signal: () => {},
  random: seededRandom(1),
  say: () => {},
};

/** A region whose lines note what is done to them. */
function regionOf(id: string) {
  const line = {
    isCut: false,
    cut: () => void (line.isCut = true),
    heal: () => void (line.isCut = false),
  };
  return { region: { id, lat: 1, lon: 2, url: "http://127.0.0.1:1", lines: [line] }, line };
}

function cutsOf() {
  const clock = new ManualClock();
  const said: string[] = [];
  const [oslo, rome] = [regionOf("oslo"), regionOf("rome")];
  const regions = [oslo.region, rome.region];
  const cuts = new RegionCuts({ regions, clock, onChange: (what) => said.push(what) });
  return { clock, said, cuts, oslo: oslo.line, rome: rome.line };
}

test("a cut lasts until it is healed, and ten minutes at most", () => {
  const { clock, said, cuts, oslo, rome } = cutsOf();
  cuts.enter();
  cuts.cut("oslo");
  expect([oslo.isCut, rome.isCut]).toEqual([true, false]);
  expect(cuts.healsAtMs("oslo")).toBe(clock.nowMs() + 10 * MINUTE_MS);
  cuts.heal("oslo");
  expect([oslo.isCut, cuts.healsAtMs("oslo")]).toEqual([false, null]);
  cuts.cut("rome");
  clock.advance(9 * MINUTE_MS);
  cuts.cut("rome");
  clock.advance(9 * MINUTE_MS);
  expect(rome.isCut).toBe(true);
  clock.advance(MINUTE_MS);
  expect(rome.isCut).toBe(false);
  expect(said.at(-1)).toBe("rome is healed after ten minutes");
  expect(() => cuts.cut("paris")).toThrow("Expected a region out of `oslo`, `rome`, got `paris`");
});

test("what is cut heals when the last page has gone, unless one comes back soon", () => {
  const { clock, cuts, oslo } = cutsOf();
  const [leaveFirst, leaveSecond] = [cuts.enter(), cuts.enter()];
  cuts.cut("oslo");
  leaveFirst();
  leaveFirst();
  clock.advance(MINUTE_MS);
  expect(oslo.isCut).toBe(true);
  leaveSecond();
  clock.advance(10 * SECOND_MS);
  const leaveAgain = cuts.enter();
  clock.advance(MINUTE_MS);
  expect(oslo.isCut).toBe(true);
  leaveAgain();
  clock.advance(15 * SECOND_MS);
  expect(oslo.isCut).toBe(false);
  cuts.cut("oslo");
  clock.advance(15 * SECOND_MS);
  expect(oslo.isCut).toBe(false);
});

test("everything is healed when the playground stops, and nothing waits any more", () => {
  const { clock, cuts, oslo, rome } = cutsOf();
  cuts.cut("oslo");
  cuts.cut("rome");
  cuts.stop();
  expect([oslo.isCut, rome.isCut, clock.timers]).toEqual([false, false, 0]);
});

interface Told {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** Sends a request with exactly these headers: `fetch` sets some of them itself. */
async function send(url: string, path: string, method = "GET", headers = {}): Promise<Told> {
  const sent = request(url, { path, method, headers, agent: false }).end();
  const [answer] = (await once(sent, "response")) as [IncomingMessage];
  let text = "";
  for await (const chunk of answer) text += String(chunk);
  return { status: answer.statusCode ?? 0, headers: answer.headers, text };
}

/** A playground over a program that answers with a page, or with what it was asked. */
async function playgroundOf() {
  const seen: string[] = [];
  const program: Server = createServer((asked, response) => {
    const { origin = "none", "x-meridian-dev": token = "none" } = asked.headers;
    seen.push(`${asked.method} ${asked.url} ${origin} ${String(token)}`);
    const isPage = asked.headers.accept === "text/html";
    response.setHeader("content-type", isPage ? "text/html" : "application/json");
    response.setHeader("content-security-policy", "default-src 'none'");
    response.end(isPage ? "<html><head></head></html>" : "{}");
  }).listen(0, "127.0.0.1");
  await once(program, "listening");
  const origin = `http://127.0.0.1:${(program.address() as AddressInfo).port}`;
  const { region, line } = regionOf("oslo");
  const clock = new ManualClock();
  const regions = [{ ...region, url: origin }];
  const playground = await startPlayground({
    port: 0,
    directoryUrl: origin,
    regions,
    clock,
    ...PARTS,
  });
  onTestFinished(async () => {
    await playground.stop();
    program.closeAllConnections();
    program.close();
  });
  const page = await send(playground.url, "/", "GET", { accept: "text/html" });
  const [, token = ""] = / name="meridian-dev" content="([^"]+)"/.exec(page.text) ?? [];
  return { url: playground.url, seen, line, page, token };
}

test("the page gets a token, which nothing else tells, and the policy of the page stays", async () => {
  const { url, page, token, seen } = await playgroundOf();
  expect(token).toMatch(/^[\w-]{43}$/);
  expect(page.headers["content-security-policy"]).toBe("default-src 'none'");
  expect(page.headers["cache-control"]).toBe("no-store");
  expect((await send(url, "/status")).text).toBe("{}");
  expect(seen).toEqual(["GET / none none", "GET /status none none"]);
  const { token: another } = await playgroundOf();
  expect(another).not.toBe(token);
});

test("only who has the token, and comes from the page itself, cuts anything", async () => {
  const { url, line, token } = await playgroundOf();
  const mine = { "x-meridian-dev": token };
  const cut = "/dev/cut?region=oslo";
  const { host } = new URL(url);
  for (const headers of [{}, { "x-meridian-dev": "" }, { "x-meridian-dev": `${token}x` }]) {
    expect((await send(url, cut, "POST", headers)).status).toBe(401);
  }
  const others = [{ origin: "http://evil.example" }, { origin: "null" }, { host: "evil.example" }];
  for (const headers of others) {
    expect((await send(url, cut, "POST", { ...mine, ...headers })).status).toBe(403);
    expect((await send(url, "/", "GET", { accept: "text/html", ...headers })).status).toBe(403);
  }
  expect((await send(url, cut, "GET", mine)).status).toBe(404);
  expect((await send(url, "/dev/cut?region=paris", "POST", mine)).status).toBe(404);
  expect(line.isCut).toBe(false);
  const own = { ...mine, origin: `http://${host}` };
  expect((await send(url, cut, "POST", own)).status).toBe(200);
  expect(line.isCut).toBe(true);
  expect((await send(url, "/dev/heal?region=oslo", "POST", own)).status).toBe(200);
  expect(line.isCut).toBe(false);
});

test("what a page of another site shows within it has neither the token nor an answer", async () => {
  const { url, seen } = await playgroundOf();
  const html = { accept: "text/html" };
  seen.length = 0;
  for (const site of ["cross-site", "same-site"]) {
    for (const mode of ["no-cors", "cors"]) {
      const headers = { ...html, "sec-fetch-site": site, "sec-fetch-mode": mode };
      expect((await send(url, "/", "GET", headers)).status).toBe(403);
      expect((await send(url, "/nodes", "GET", headers)).status).toBe(403);
    }
    const framed = { "sec-fetch-site": site, "sec-fetch-mode": "navigate" };
    const inFrame = { ...html, ...framed, "sec-fetch-dest": "iframe" };
    expect((await send(url, "/", "GET", inFrame)).text).not.toContain("meridian-dev");
    const inWindow = { ...html, ...framed, "sec-fetch-dest": "document" };
    expect((await send(url, "/", "GET", inWindow)).text).toContain("meridian-dev");
  }
  expect(seen).toHaveLength(4);
});

test("a region is asked for what the page needs, and for nothing else, without the token", async () => {
  const { url, seen, token } = await playgroundOf();
  const mine = { "x-meridian-dev": token };
  seen.length = 0;
  expect((await send(url, "/dev/at/oslo/entry?key=a%2Fb", "GET", mine)).status).toBe(200);
  expect((await send(url, "/dev/at/oslo/cache/a%2Fb", "DELETE", mine)).status).toBe(200);
  for (const path of [
    "/dev/at/oslo/backup",
    "/dev/at/oslo/cache/a/b",
    "/dev/at/rome/entry",
    "/dev",
  ]) {
    expect((await send(url, path, "DELETE", mine)).status).toBe(404);
  }
  expect((await send(url, "/dev/at/oslo/entry")).status).toBe(401);
  expect(seen).toEqual(["GET /entry?key=a%2Fb none none", "DELETE /cache/a%2Fb none none"]);
});

test("a program that does not answer is told of, and the playground goes on", async () => {
  const { region } = regionOf("oslo");
  const parts = { port: 0, regions: [region], clock: new ManualClock(), ...PARTS };
  const playground = await startPlayground({ ...parts, directoryUrl: region.url });
  onTestFinished(() => playground.stop());
  const told = await send(playground.url, "/status");
  expect([told.status, JSON.parse(told.text)]).toMatchObject([504, { code: "NODE_UNREACHABLE" }]);
});

test("a playground is there where Meridian runs from its sources", async () => {
  expect(await loadPlayground()).toBeTypeOf("function");
});
