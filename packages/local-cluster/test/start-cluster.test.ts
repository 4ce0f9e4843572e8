import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

import { expect, it } from "vitest";

import { startCluster } from "../src/start-cluster.ts";

const README = readFileSync(new URL("../README.md", import.meta.url), "utf8");

it("the program of the README starts a cluster, uses it, and leaves nothing behind", async () => {
  const code = /^```ts start\n(.*?)^```/ms.exec(README)?.[1] ?? "";
  const flags = ["--conditions=@meridian/source", "--import=tsx", "--input-type=module"];
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const argv = [...flags, "--eval", code];
  const { stdout } = await promisify(execFile)(process.execPath, argv, { cwd });
  expect(stdout).toMatch(/^http:.*:\d+ says hello\nThe nearest is frankfurt\n$/);
  const [url = ""] = stdout.split(" ");
  await expect(fetch(`${url}/healthz`)).rejects.toThrow("fetch failed");
});

it.each([0, 13, 1.5])("%s regions are refused", async (regions) => {
  await expect(startCluster({ regions })).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
});
