/** The cache handler of Next.js by the interface that Next.js documents: `get`, `set`, `revalidateTag`, `resetRequestCache`. */
import type { MeridianClient } from "@meridian/client";
import { TestCluster } from "@meridian/client/testing";
import * as nextCache from "@meridian/next-cache";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

import { runReadme } from "../support/readme-example.ts";

const { nextCacheHandler } = nextCache;
type Data = nextCache.CachedData & Readonly<Record<string, unknown>>;

let cluster: TestCluster;
let client: MeridianClient;
let errors: unknown[];
beforeEach(async () => {
  cluster = new TestCluster({ nodes: 2 });
  client = await cluster.connect({ deadlineMs: 1_000 });
  errors = [];
});
afterEach(() => cluster.close());

/** A handler as Next.js makes one for a request. */
function makeHandler(
  context: nextCache.HandlerContext = {},
  of: MeridianClient = client,
): nextCache.CacheHandler {
  const options = { clock: cluster.clock, onError: (error: unknown) => errors.push(error) };
  const Handler = nextCacheHandler(of, options);
  return new Handler(context);
}

const page = (tags = "", more: object = {}): Data => ({
  kind: "APP_PAGE",
  html: "<p>hello</p>",
  rscData: Buffer.from([1, 128]),
  segmentData: new Map([["/_tree", Buffer.from("tree")]]),
  postponed: undefined,
  status: 200,
  headers: { "x-next-cache-tags": tags },
  ...more,
});
const fetched = (tags: string[] = []): Data => ({
  kind: "FETCH",
  data: { headers: { etag: "1" }, body: "{}", url: "http://api.test", status: 200 },
  revalidate: 60,
  tags,
});

it("the README's example runs", async () => {
  const modules = {
    "@meridian/client": { connect: () => cluster.connect() },
    "@meridian/next-cache": nextCache,
  };
  expect(await runReadme("packages/next-cache", modules)).toBe(0);
});

describe("get and set", () => {
  it.each<readonly [string, Data | null]>([
    ["a page", page()],
    [
      "the answer of a route",
      { kind: "APP_ROUTE", body: Buffer.from([0, 255]), status: 200, headers: {} },
    ],
    [
      "a page of the pages router",
      {
        kind: "PAGES",
        html: "<p>",
        pageData: { props: { n: [1, null] } },
        headers: undefined,
        status: undefined,
      },
    ],
    ["a redirect", { kind: "REDIRECT", props: { pageProps: { to: "/" } } }],
    [
      "an image",
      {
        kind: "IMAGE",
        buffer: Buffer.from([1]),
        etag: "e",
        upstreamEtag: "u",
        extension: "png",
        revalidate: 60,
      },
    ],
    ["a fetch", fetched()],
    ["that there is nothing", null],
  ])("%s comes back as it was set, with Buffers and its lifetime", async (_, data) => {
    const key = "/route-cache/APP_PAGE/0f/$/blog/[slug]";
    expect(await makeHandler().get(key, { kind: "APP_PAGE" })).toBe(null);
    const cacheControl = { revalidate: 60, expire: 3_600 };
    await makeHandler().set(key, data, { cacheControl });
    const got = await makeHandler().get(key, { kind: "APP_PAGE" });
    expect(got).toEqual({ lastModified: cluster.clock.nowMs(), value: data, cacheControl });
    const bytes = Object.values(got?.value ?? {}).filter((value) => value instanceof Uint8Array);
    expect(bytes.filter((value) => !Buffer.isBuffer(value))).toEqual([]);
    expect(errors).toEqual([]);
  });

  it("an entry lives as long as Next.js may use it, at most as long as the handler says", async () => {
    const handler = makeHandler();
    await handler.set("short", page(), { cacheControl: { revalidate: 1, expire: 60 } });
    await handler.set("long", page(), { cacheControl: { revalidate: false } });
    expect(await client.ttl("next:data:short")).toBe(60_000);
    expect(await client.ttl("next:data:long")).toBe(30 * 24 * 3_600_000);
    await cluster.clock.advance("61s");
    expect([await handler.get("short"), (await handler.get("long"))?.value]).toEqual([
      null,
      page(),
    ]);
    expect(handler.resetRequestCache()).toBe(undefined);
  });
});

describe("revalidateTag", () => {
  const all = async (handler: nextCache.CacheHandler): Promise<unknown[]> => [
    (await handler.get("page"))?.lastModified,
    (await handler.get("fetch", { kind: "FETCH", tags: ["a"] }))?.lastModified,
  ];
  const setAll = async (handler: nextCache.CacheHandler): Promise<void> => {
    await handler.set("page", page("a"));
    await handler.set("fetch", fetched(["a"]), { tags: ["a"] });
  };

  it("makes what has the tag out of date, for all handlers, and nothing else", async () => {
    const handler = makeHandler();
    await handler.set("one", page("a,b"));
    await handler.set("two", page("c"));
    await handler.set("three", fetched(["a"]), { tags: ["a"] });
    await makeHandler().revalidateTag("a");
    const other = makeHandler({}, await cluster.connect());
    expect(await other.get("one")).toBe(null);
    expect(await other.get("three", { kind: "FETCH", tags: ["a"] })).toBe(null);
    expect((await other.get("two"))?.value).toEqual(page("c"));
    await handler.set("one", page("a,b"));
    expect((await other.get("one"))?.value).toEqual(page("a,b"));
    await handler.revalidateTag(["x", "b"]);
    expect(await other.get("one")).toBe(null);
    await handler.revalidateTag([]);
  });

  it("reaches a fetch by the path that uses it, which the fetch does not know", async () => {
    const handler = makeHandler();
    const context = { kind: "FETCH", tags: ["a"], softTags: ["_N_T_/blog"] };
    await handler.set("one", fetched(["a"]), { tags: ["a"] });
    expect((await handler.get("one", context))?.value).toEqual(fetched(["a"]));
    await cluster.clock.advance("1s");
    await handler.revalidateTag("_N_T_/blog");
    expect(await handler.get("one", context)).toBe(null);
    expect((await handler.get("one", { ...context, softTags: ["_N_T_/"] }))?.value).toEqual(
      fetched(["a"]),
    );
    await cluster.clock.advance("1s");
    await handler.set("one", fetched(["a"]), { tags: ["a"] });
    expect((await handler.get("one", context))?.value).toEqual(fetched(["a"]));
  });

  it("with a profile lets old data be used, until they expire or the tag is revalidated at once", async () => {
    const handler = makeHandler();
    await setAll(handler);
    await handler.revalidateTag("a", { expire: 60 });
    expect(await all(handler)).toEqual([-1, -Number.MAX_SAFE_INTEGER]);
    await cluster.clock.advance("61s");
    expect(await all(handler)).toEqual([undefined, undefined]);
    await setAll(handler);
    await handler.revalidateTag("a", {});
    await cluster.clock.advance("1d");
    expect(await all(handler)).toEqual([-1, -Number.MAX_SAFE_INTEGER]);
    await handler.revalidateTag("a");
    expect(await all(handler)).toEqual([undefined, undefined]);
    await handler.revalidateTag("a", { expire: 60 });
    expect(await all(handler)).toEqual([undefined, undefined]);
  });
});

describe("a revalidation", () => {
  it("wins over a page that was made before and is stored after it", async () => {
    const late = new Proxy(client, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (name !== "set") return typeof member === "function" ? member.bind(target) : member;
        return async (...call: Parameters<MeridianClient["set"]>) => {
          await makeHandler().revalidateTag("a");
          await cluster.clock.advance("1s");
          return target.set(...call);
        };
      },
    });
    await makeHandler({}, late).set("one", page("a"));
    expect(errors).toEqual([]);
    expect(await client.has("next:data:one")).toBe(true);
    expect(await makeHandler().get("one")).toBe(null);
  });

  it.each<readonly [string, { readonly expire: number } | undefined, number | undefined]>([
    ["at once", undefined, undefined],
    ["with a profile", { expire: 60 }, -1],
  ])(
    "%s, while a page is made, makes it out of date, and the next one is kept",
    async (_, profile, made) => {
      await makeHandler().revalidateTag(["b", "a"]);
      const handler = makeHandler();
      expect(await handler.get("one", { kind: "APP_PAGE" })).toBe(null);
      await makeHandler().revalidateTag("a", profile);
      await cluster.clock.advance("1s");
      await handler.set("one", page("a"));
      const got = await makeHandler().get("one");
      expect(got?.lastModified).toBe(made);
      const next = makeHandler();
      await next.get("one");
      await makeHandler().revalidateTag("c", profile);
      await next.set("one", page("a,b"));
      expect((await makeHandler().get("one"))?.lastModified).toBe(cluster.clock.nowMs());
    },
  );

  it("of a path, while a fetch of it is under way, makes that out of date for this path only", async () => {
    const context = (path: string): nextCache.GetContext => ({ kind: "FETCH", softTags: [path] });
    const handler = makeHandler();
    expect(await handler.get("one", context("_N_T_/blog"))).toBe(null);
    await makeHandler().revalidateTag("_N_T_/blog");
    await cluster.clock.advance("1s");
    await handler.set("one", fetched());
    expect(await makeHandler().get("one", context("_N_T_/blog"))).toBe(null);
    expect(await makeHandler().get("one", context("_N_T_/"))).not.toBe(null);
  });

  it("counts within the request that does it, before the cluster knows", async () => {
    await makeHandler().set("one", fetched(["a"]), { tags: ["a"] });
    const context = { kind: "FETCH", tags: ["a"] };
    expect(await makeHandler({ revalidatedTags: ["a"] }).get("one", context)).toBe(null);
    expect(await makeHandler({ revalidatedTags: ["b"] }).get("one", context)).not.toBe(null);
  });
});

it("without a cluster, Next.js renders and is told of no error, but a revalidation rejects", async () => {
  for (const node of cluster.nodes) node.mood = "refused";
  const handler = makeHandler();
  expect(await handler.get("one", { kind: "APP_PAGE" })).toBe(null);
  await handler.set("one", page());
  expect(errors).toMatchObject([{ code: "NO_READY_NODE" }, { code: "NO_READY_NODE" }]);
  await expect(handler.revalidateTag("a")).rejects.toMatchObject({ code: "NO_READY_NODE" });
});

it("what cannot be read is as if it were not there, and stays", async () => {
  await client.set("next:data:odd", "no such entry");
  expect(await makeHandler().get("odd")).toBe(null);
  expect(errors).toHaveLength(1);
  expect(await client.get("next:data:odd")).toBe("no such entry");
});
