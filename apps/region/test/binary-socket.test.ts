import { BINARY_REQUESTS } from "@meridian/protocol/binary-socket-api";
import { SOCKET_TONGUES } from "@meridian/testkit";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";

import { testNode, type TestNode } from "./harness.ts";
import { SocketClient, type Told } from "./socket-client.ts";

let region: TestNode;
let port: number;
beforeAll(async () => {
  region = await testNode({ valueBytesMax: 200_000 });
  port = await region.serve();
});
afterAll(() => region.close());

async function opened(tongue: keyof typeof SOCKET_TONGUES): Promise<SocketClient> {
  const client = await SocketClient.open(port, {}, SOCKET_TONGUES[tongue]());
  onTestFinished(() => client.close());
  return client;
}

describe("binary messages", () => {
  it("that are no request, or none that can be, are told so, and the connection goes on", async () => {
    const other = await opened("binary");
    const { code } = BINARY_REQUESTS.set;
    const told = async (message: string | Uint8Array): Promise<unknown> => {
      other.socket.send(message);
      const { id, error } = await other.take();
      return [id, (error as Told)["code"]];
    };
    expect(await told('{"type":"ping","id":1}')).toEqual([null, "MALFORMED_MESSAGE"]);
    expect(await told(Uint8Array.of())).toEqual([null, "MALFORMED_MESSAGE"]);
    expect(await told(Uint8Array.of(2, 0, 0, 0))).toEqual([null, "MALFORMED_MESSAGE"]);
    expect(await told(Uint8Array.of(99, 0, 0, 0, 5, 0, 0))).toEqual([5, "MALFORMED_MESSAGE"]);
    expect(await told(Uint8Array.of(2, 0, 0, 0, 5, 0, 1))).toEqual([5, "UNKNOWN_OPTION"]);
    const huge = Uint8Array.of(code, 0, 0, 0, 5, 0, 0, 0, 1, 97, 255, 255, 255, 255);
    expect(await told(huge)).toEqual([5, "MALFORMED_MESSAGE"]);
    expect(await other.code({ type: "set", key: "b", value: "v".repeat(200_001) })).toBe(
      "VALUE_TOO_LARGE",
    );
    expect(await other.code({ type: "ping" })).toBe("ok");
    other.socket.send(Buffer.alloc(3 * 1024 * 1024));
    expect(await other.closed).toMatchObject({ code: 1009 });
  });

  it("carry changes with their values as bytes", async () => {
    const [watching, writing] = [await opened("binary"), await opened("json")];
    await watching.result({ id: 901, type: "watch", prefix: "bin:", values: true });
    await writing.result({ type: "set", key: "bin:a", value: "AP8=", encoding: "base64" });
    expect(await watching.take()).toMatchObject({
      id: 901,
      type: "changes",
      changes: [{ event: "set", key: "bin:a", value: "AP8=", encoding: "base64" }],
    });
    await writing.result({ type: "delete", key: "bin:a" });
    const told = await watching.take();
    expect(told).toMatchObject({ changes: [{ event: "delete", key: "bin:a" }] });
  });
});

it("requests are measured by operation and outcome", async () => {
  const client = await opened("json");
  for (const request of [{ type: "get", key: "none" }, { type: "ping" }]) await client.ask(request);
  const answer = await region.request("/metrics");
  const text = await answer.text();
  expect(text).toMatch(
    /meridian_websocket_request_seconds_count\{operation="get",code="KEY_NOT_FOUND"\} [1-9]/,
  );
  expect(text).toMatch(
    /meridian_websocket_request_seconds_count\{operation="ping",code="ok"\} [1-9]/,
  );
});
