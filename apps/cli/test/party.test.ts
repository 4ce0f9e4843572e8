import { createServer } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { expect, it, onTestFinished } from "vitest";

import { Party } from "@meridian/doctor";

import { askParty } from "../src/verify/ask-party.ts";
import { regionStatusOf } from "./answers.ts";

it("who answers at the address of a node is asked nothing unless it is that node", async () => {
  const server = createServer((_, response) => {
    response.setHeader("Content-Type", "application/json");
    response.end(JSON.stringify(regionStatusOf({ id: "rome" })));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  expect(await new Party({ name: "rome", url }, askParty).nodeProgress()).toHaveProperty("applied");
  await expect(new Party({ name: "oslo", url }, askParty).nodeProgress()).rejects.toMatchObject({
    code: "NO_READY_NODE",
    message: `Expected the node \`oslo\` at ${url}, got \`rome\``,
  });
});
