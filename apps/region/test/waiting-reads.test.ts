/** Reads over a WebSocket that wait for the position of their session. */
import { formatPosition, parsePosition } from "@meridian/protocol";
import type { SOCKET_TONGUES } from "@meridian/testkit";
import { expect, it } from "vitest";

import {
  levelOf,
  openForTest,
  serveSockets,
  SocketClient,
  until,
  type Told,
} from "./socket-client.ts";

const TONGUES = ["json", "binary"] as const;

const { region, port, client } = await serveSockets({ valueBytesMax: 200_000 });

const another = (tongue?: keyof typeof SOCKET_TONGUES): Promise<SocketClient> =>
  openForTest(port, tongue);

/** The position of this region after its next write. */
async function nextPosition(asker: SocketClient): Promise<string> {
  await asker.result({ type: "set", key: "w", value: "before" });
  const { position } = await asker.ask({ type: "ping" });
  const { outboxPosition, ...rest } = parsePosition(String(position));
  return formatPosition({ ...rest, outboxPosition: outboxPosition + 1 });
}

it.each(TONGUES)(
  "reads that wait for a position hold up no other request, and are all answered then (%s)",
  async (tongue) => {
    const other = await another(tongue);
    const position = await nextPosition(other);
    const waitMs = 10_000;
    const ids = Array.from({ length: 60 }, (_, n) =>
      n % 2 === 0
        ? other.send({ type: "get", key: "w", position, waitMs })
        : other.send({ type: "getMany", keys: ["w"], position, waitMs }),
    );
    await until(() => levelOf(region, "webSocketRequests") === ids.length);
    expect(await other.result({ type: "get", key: "w" })).toMatchObject({ value: "before" });
    expect(await other.code({ type: "entries" })).toBe("ok");
    await other.result({ type: "set", key: "w", value: "after" });
    for (const id of ids) {
      const { result } = (await other.take((told) => told["id"] === id)) as {
        readonly result: Told & { readonly entries?: readonly Told[] };
      };
      expect((result.entries?.[0] ?? result)["value"]).toBe("after");
    }
    expect(levelOf(region, "webSocketRequests")).toBe(0);
  },
);

it("reads that wait are at most as many as other requests, and go with their connection", async () => {
  const before = levelOf(region, "webSockets");
  const other = await SocketClient.open(port);
  const position = await nextPosition(other);
  for (let n = 0; n < 200; n += 1) {
    other.send({ type: "get", key: "w", position, waitMs: 10_000 });
  }
  await until(() => levelOf(region, "webSocketRequests") === 128);
  expect(await client.code({ type: "get", key: "w" })).toBe("ok");
  expect(levelOf(region, "webSocketRequests")).toBe(128);
  other.close();
  await until(() => levelOf(region, "webSockets") === before);
  await client.result({ type: "set", key: "w", value: "after" });
  await until(() => levelOf(region, "webSocketRequests") === 0);
});

it("reads that waited fill no memory when all of them are answered to a client that does not read", async () => {
  const other = await another();
  await other.result({ type: "set", key: "w:large", value: "v".repeat(200_000) });
  const position = await nextPosition(other);
  for (let n = 0; n < 100; n += 1) {
    other.send({ type: "get", key: "w:large", position, waitMs: 10_000 });
  }
  await until(() => levelOf(region, "webSocketRequests") === 100);
  other.socket.pause();
  await client.result({ type: "set", key: "w", value: "after" });
  await until(() => levelOf(region, "webSocketBytes") > 1024 * 1024);
  expect(await client.code({ type: "ping" })).toBe("ok");
  expect(levelOf(region, "webSocketBytes")).toBeLessThan(2 * 1024 * 1024);
  other.socket.resume();
  for (let n = 0; n < 100; n += 1) expect(await other.take()).toMatchObject({ type: "result" });
});
