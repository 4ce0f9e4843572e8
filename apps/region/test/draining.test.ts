import type { Dial } from "@meridian/ports";
import { connect } from "node:net";

import {
  agree,
  decodeNodeMessage,
  encodeMessage,
  type Hello,
  type NodeMessage,
  type Welcome,
} from "@meridian/protocol";
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
      if (message.type === "hello") events.onMessage(encodeMessage(welcomeTo(message)));
    };
    return { bufferedBytes: 0, send, close: () => {} };
  };
}

function welcomeTo({ nowMs, ...capabilities }: Hello): Welcome {
  return {
    type: "welcome",
    ...agree(capabilities),
    nowMs,
    logId: 5,
    epoch: 1,
    head: 0,
    committedThrough: 0,
    epochs: [[1, 0]],
    resume: "feed",
    resumeAfter: 0,
    homeThrough: 0,
    followed: [],
    outboxThrough: 0,
    outboxTime: 0,
    horizon: 0,
    horizonMs: 604_800_000,
    heartbeatMs: 500,
    leaseMs: 1_500,
    maxClockDriftMs: 10_000,
    holdBack: false,
    clock: { aheadMs: 0, agreeing: 2, members: 2 },
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
