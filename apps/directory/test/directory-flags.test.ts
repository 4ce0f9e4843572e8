import { expect, it } from "vitest";

import { parseFlags } from "@meridian/cluster-file";
import { start } from "./running.ts";

const parsePeers = (peer: string): unknown =>
  parseFlags("directory", { argv: ["--data", "d", "--peer", peer], env: {} });

it("--peer takes the URLs of the other directories, each once", () => {
  expect(parsePeers("http://a:7400/, https://b")).toMatchObject({
    values: { peer: ["http://a:7400", "https://b"] },
  });
  for (const odd of ["", "a:7400", "http://a,", "http://a,http://a/"]) {
    expect(() => parsePeers(odd)).toThrow(/--peer/);
  }
});

it("--horizon is two seconds at least", () => {
  const parse = (horizon: string): unknown =>
    parseFlags("directory", { argv: ["--data", "d", "--horizon", horizon], env: {} });
  expect(parse("2s")).toMatchObject({ values: { horizon: 2_000 } });
  for (const short of ["1999ms", "1", "0s"]) expect(() => parse(short)).toThrow(/--horizon/);
});

it("a directory whose peer is its own address does not start", async () => {
  const running = await start();
  await running.stop();
  const port = Number(new URL(running.url).port);
  await expect(start({ port, peer: [running.url] })).rejects.toMatchObject({
    code: "INVALID_CONFIG",
  });
});

it("a directory has a place of two numbers, or none", async () => {
  const directory = await start({ id: "primary", lat: -33.87, lon: 0 });
  const answer = await fetch(`${directory.url}/status`);
  expect(await answer.json()).toMatchObject({ id: "primary", lat: -33.87, lon: 0 });
  for (const half of [{ lat: 1 }, { lon: 1 }]) {
    await expect(start(half)).rejects.toMatchObject({
      code: "INVALID_CONFIG",
      message: expect.stringMatching(/beside `--l(at|on)`/) as string,
    });
  }
});
