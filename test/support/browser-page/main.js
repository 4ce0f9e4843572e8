/** What a page does with the client: writes, reads, watches and keeps values. The title of the page tells when it is over. */
import { connect } from "@meridian/client";

/** Repeats until it is so. */
async function until(isSo) {
  for (let turn = 0; turn < 2_000; turn += 1) {
    if (await isSo()) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`Expected ${isSo}`);
}

async function use(region) {
  const cache = await connect({ nodes: [region] });
  await cache.set("page:a", { name: "Ada" }, { ttl: "1m" });
  await until(async () => {
    await cache.get("page:a");
    return cache.status().nodes[0]?.transport === "websocket";
  });
  const bytes = new Uint8Array([0, 255]);
  await cache.setMany([{ key: "page:b", value: bytes }]);
  const found = await Promise.all([
    cache.get("page:a"),
    cache.get("page:b"),
    cache.get("page:none"),
  ]);
  const told = [];
  const watched = (async () => {
    for await (const { event, key, value } of cache.watch({ prefix: "page:", values: true })) {
      told.push({ event, key, value });
      if (event === "delete") return;
    }
  })();
  await until(async () => {
    await cache.set("page:c", "seen");
    return told.length > 0;
  });
  await cache.delete("page:c");
  await watched;
  const near = await connect({ nodes: [region], near: { maxEntries: 10 } });
  await until(async () => {
    await near.get("page:a");
    return (near.status().near?.hits ?? 0) > 0;
  });
  await cache.set("page:a", { name: "Grace" });
  await until(async () => (await near.get("page:a")).name === "Grace");
  const transports = [cache, near].map((client) => client.status().nodes[0]?.transport);
  cache.close();
  near.close();
  const last = told.at(-1);
  return { found: [found[0], [...found[1]], found[2] ?? null], seen: told[0], last, transports };
}

use(new URLSearchParams(location.search).get("region")).then(
  (result) => {
    document.body.textContent = JSON.stringify(result);
    document.title = "done";
  },
  (error) => {
    document.body.textContent = String(error?.stack ?? error);
    document.title = "failed";
  },
);
