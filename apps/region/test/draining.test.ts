import type { Dial } from "@meridian/ports";
import { connect } from "node:net";

import { decodeNodeMessage, encodeMessage, type NodeMessage } from "@meridian/protocol";
import { welcomeWith } from "@meridian/testkit";
import { expect, it } from "vitest";

import { testNode } from "./harness.ts";

/** A directory that takes every node in and answers nothing more; what it was told is in `heard`. */
function directoryLink(heard: NodeMessage[]): Dial {
  return (events) => {
    queueMicrotask(() => events.onOpen());
    const send = (sent: string | Uint8Array): void => {
      if (typeof sent !== "string") return;
      const message = decodeNodeMessage(sent);
      heard.push(message);
      if (message.type !== "hello") return;
      events.onMessage(encodeMessage(welcomeWith({ nowMs: message.nowMs, logId: 5 })));
    };
    return { bufferedBytes: 0, send, close: () => {} };
  };
}

it("a node that stops says so to the directory before the requests under way are finished", async () => {
  const heard: NodeMessage[] = [];
  const region = await testNode({ dial: directoryLink(heard), joining: true });
  await new Promise((resolve) => setImmediate(resolve));
  expect(region.node.status).toBe("ready");
  const upload = connect(await region.serve(), "127.0.0.1");
  const answered = new Promise<string>((resolve) => {
    upload.once("data", (bytes: Buffer) => resolve(bytes.toString()));
  });
  upload.write("PUT /cache/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nha");
  for (let turn = 0; turn < 10_000 && region.requests === 0; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(region.requests).toBe(1);
  heard.length = 0;
  const stopped = region.node.stop(5_000);
  expect(heard).toMatchObject([{ type: "heartbeat", status: "draining" }]);
  upload.write("lf");
  expect(await answered).toContain("HTTP/1.1 200");
  upload.destroy();
  await region.settle(stopped);
  await region.close();
});
