import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

import { afterEach, describe, expect, it } from "vitest";

import { LinkProxy } from "../src/link-proxy.ts";
import { skewedClock } from "../src/skewed-clock.ts";

const toClose: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of toClose.splice(0).toReversed()) await close();
});

/** A server that sends everything back, behind a proxy. */
async function echo(): Promise<LinkProxy> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  toClose.push(() => server.close());
  const proxy = await LinkProxy.listen();
  toClose.push(() => proxy.close());
  proxy.target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return proxy;
}

/** A client, connected or already closed; `heard` resolves to what it has received once that is so long. */
async function client(proxy: LinkProxy): Promise<{
  readonly socket: Socket;
  readonly heard: (length: number) => Promise<string>;
  readonly closed: Promise<unknown>;
}> {
  const socket = connect({ port: Number(new URL(proxy.url).port), host: "127.0.0.1" });
  socket.on("error", () => {});
  const closed = new Promise((resolve) => socket.once("close", resolve));
  await Promise.race([new Promise((resolve) => socket.once("connect", resolve)), closed]);
  let text = "";
  socket.on("data", (data) => (text += String(data)));
  const heard = async (length: number): Promise<string> => {
    while (text.length < length) await once(socket, "data");
    return text;
  };
  return { socket, heard, closed };
}

describe("the link of a drill", () => {
  it("resets what goes over it when it is cut, and lets new connections through when it is healed", async () => {
    const proxy = await echo();
    const { socket, heard, closed } = await client(proxy);
    socket.write("one");
    expect(await heard(3)).toBe("one");
    proxy.cut();
    await closed;
    const refused = await client(proxy);
    await refused.closed;
    proxy.heal();
    const again = await client(proxy);
    again.socket.end("two");
    expect(await again.heard(3)).toBe("two");
    await again.closed;
  });

  it("lets nothing through a black hole, and everything that waited once it is healed", async () => {
    const proxy = await echo();
    const old = await client(proxy);
    old.socket.write("a");
    await old.heard(1);
    proxy.blackHole();
    const young = await client(proxy);
    old.socket.write("b");
    young.socket.write("c");
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    expect(await Promise.all([old.heard(1), young.heard(0)])).toEqual(["a", ""]);
    proxy.heal();
    expect(await Promise.all([old.heard(2), young.heard(1)])).toEqual(["ab", "c"]);
  });

  it("lets nothing through one way, and all that flows the other way", async () => {
    const proxy = await echo();
    const { socket, heard } = await client(proxy);
    socket.write("a");
    await heard(1);
    proxy.blackHole("from-directory");
    socket.write("b");
    while (proxy.carried.toDirectory < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(await heard(0)).toBe("a");
    proxy.heal();
    expect(await heard(2)).toBe("ab");
    expect(proxy.carried).toEqual({ toDirectory: 2, fromDirectory: 2 });
  });
});

describe("a skewed clock", () => {
  it("is off by so much in every way of asking, and leaves given dates as they are", () => {
    const code = "console.log(Date.now(), new Date().getTime(), new Date(5).getTime())";
    // A clock that stands still, under the skewed one.
    const still = "data:text/javascript,Date.now = () => 1000";
    const imports = [still, skewedClock(3_600_000)].flatMap((module) => ["--import", module]);
    const argv = [...imports, "--input-type=module", "-e", code];
    const told = String(execFileSync(process.execPath, argv)).trim().split(" ").map(Number);
    expect(told).toEqual([3_601_000, 3_601_000, 5]);
  });
});
