import { seededRandom } from "@meridian/runtime";
import fc from "fast-check";
import * as v from "valibot";
import { expect, expectTypeOf, onTestFinished, test } from "vitest";
import { z } from "zod";

import {
  connect,
  json,
  richJson,
  type Codec,
  type ConnectOptions,
  type MeridianClient,
  type Namespace,
  type StandardSchema,
} from "../src/index.ts";
import { FakeClock } from "./fake-clock.ts";
import { failure } from "./scene.ts";
import { fetchOf, World, type FakeNode } from "./world.ts";

async function open(
  options: Partial<ConnectOptions> = {},
): Promise<{ client: MeridianClient; node: FakeNode; clock: FakeClock }> {
  const world = new World();
  const node = world.addNode("near");
  const clock = new FakeClock();
  world.nowMs = () => clock.nowMs();
  const nodes = ["http://near.test"];
  const random = seededRandom(1);
  const client = await connect({ nodes, fetch: fetchOf(world), clock, random, ...options });
  onTestFinished(() => client.close());
  return { client, node, clock };
}

interface User {
  readonly name: string;
  readonly age?: number;
}

test("a namespace gives and takes keys without its prefix, and has its own time to live", async () => {
  const { client, node } = await open();
  const users = client.namespace<User>("users", { ttl: "15m" });
  expect((await users.set("1", { name: "Ada" })).key).toBe("1");
  await users.set("2", { name: "Grace" }, { ttlMs: 1_000 });
  await client.set("other", 1);
  expect(await client.get("users:1")).toEqual({ name: "Ada" });
  expect(await users.getMany(["1", "2", "3"])).toEqual(
    new Map([
      ["1", { name: "Ada" }],
      ["2", { name: "Grace" }],
    ]),
  );
  const keys: [string, number | undefined][] = [];
  for await (const { key, expiresAtMs } of users.keys({ pageSize: 1 }))
    keys.push([key, expiresAtMs]);
  expect(keys).toEqual([
    ["1", 1_800_000_900_000],
    ["2", 1_800_000_001_000],
  ]);
  const after: string[] = [];
  for await (const { key } of users.keys({ after: "1" })) after.push(key);
  expect(after).toEqual(["2"]);
  const { entries } = await users.setMany([{ key: "4", value: { name: "Edsger" } }]);
  expect(entries.map(({ key }) => key)).toEqual(["4"]);
  expect(JSON.parse(String(node.calls.at(-1)?.body))).toMatchObject({
    entries: [{ key: "users:4", ttl: "900000ms" }],
  });
  expect((await users.delete("1")).key).toBe("1");
  expect(await users.has("1")).toBe(false);
  expect(await users.getOrSet("9", ({ key }) => ({ name: key }))).toEqual({ name: "9" });
});

test("rich JSON gives back what it was given, however deep", async () => {
  const { client } = await open();
  const rich = client.namespace("rich", { codec: richJson() });
  const leaf = fc.oneof(
    fc.string(),
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.constant(undefined),
    fc.bigInt(),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.float64Array(),
    fc.bigInt64Array(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.array(fc.tuple(tie("tree"), tie("tree")), { maxLength: 3 }).map((pairs) => new Map(pairs)),
      fc.array(leaf, { maxLength: 3 }).map((items) => new Set(items)),
      fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom("$", "$Date", "$Map", "__proto__")),
        tie("tree"),
        {
          maxKeys: 3,
          noNullPrototype: true,
        },
      ),
    ),
  }));
  await fc.assert(
    fc.asyncProperty(tree, async (value) => {
      await rich.set("k", { value });
      expect(await rich.get("k")).toStrictEqual({ value });
    }),
    { numRuns: 200 },
  );
});

test("a value that a codec does not hold is refused, with its place, and nothing is stored", async () => {
  const { client, node } = await open();
  const rich = client.namespace("rich", { codec: richJson() });
  const circle: { again?: unknown } = {};
  circle.again = circle;
  for (const [value, place] of [
    [{ a: [() => 1] }, "a[0]"],
    [{ a: { b: Symbol("s") } }, "a.b"],
    [circle, "again"],
    [{ when: new Intl.DateTimeFormat("en") }, "when"],
  ] as const) {
    const error = await failure(rich.set("k", value));
    expect(error.code).toBe("INVALID_ARGUMENT");
    expect(error.message).toContain("`rich:k`");
    expect(error.message).toContain(`at \`${place}\``);
  }
  expect(node.calls).toEqual([]);
});

const numbers: Codec<readonly number[]> = {
  contentType: "application/x-numbers",
  encode: (list) => new TextEncoder().encode(list.join(" ")),
  decode: (bytes) => {
    const list = new TextDecoder().decode(bytes).split(" ").map(Number);
    if (list.some(Number.isNaN)) throw new Error("no number");
    return list;
  },
};

const user = v.object({
  name: v.pipe(v.string(), v.minLength(1)),
  born: v.optional(
    v.pipe(
      v.string(),
      v.transform((text) => new Date(text)),
    ),
  ),
});

/** As a library of another kind would make it: it answers later. */
const even: StandardSchema<number, string> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: async (value) =>
      typeof value === "number" && value % 2 === 0
        ? { value: `even ${value}` }
        : { issues: [{ message: "not even", path: ["n", { key: 1 }] }] },
  },
};

test("a schema checks what is set, and what is read, and makes of it what it says", async () => {
  const { client } = await open();
  const users = client.namespace("users", { schema: user });
  await users.set("1", { name: "Ada", born: "1815-12-10" });
  expect(await users.get("1")).toEqual({ name: "Ada", born: new Date("1815-12-10") });
  const refused = await failure(users.set("2", { name: "" }));
  expect([refused.code, refused.message]).toEqual([
    "INVALID_ARGUMENT",
    expect.stringMatching(/`users:2`.*\(at `name`\)/),
  ]);
  const points = client.namespace("points", { schema: z.object({ x: z.number().default(0) }) });
  await points.set("p", {});
  expect(await points.get("p")).toEqual({ x: 0 });
  expect((await failure(points.set("q", { x: "1" as never }))).message).toContain("`x`");
  const evens = client.namespace("evens", { schema: even });
  await evens.set("k", 2);
  expect(await evens.get("k")).toBe("even 2");
  expect(await evens.getOrSet("l", () => 4)).toBe("even 4");
  expect((await failure(evens.getOrSet("m", () => 3))).message).toContain("`n.1`");
});

test.each<[string, (client: MeridianClient) => Namespace<never, unknown>]>([
  ["a codec", (client) => client.namespace("n", { codec: numbers }) as Namespace<never, unknown>],
  ["a schema", (client) => client.namespace("n", { schema: user }) as Namespace<never, unknown>],
  [
    "both",
    (client) =>
      client.namespace("n", { schema: user, codec: json<{ name: string }>() }) as Namespace<
        never,
        unknown
      >,
  ],
])(
  "what %s cannot read stays, and the error names the key, whatever reads",
  async (_, namespaceOf) => {
    const { client } = await open();
    const held = namespaceOf(client);
    const { etag } = await client.set("n:k", "something else");
    for (const read of [
      () => held.get("k"),
      () => held.getMany(["k"]),
      () => held.getOrSet("k", () => undefined),
      () => held.update("k", () => undefined),
      () => held.pull("k"),
      () => held.entries().next(),
    ]) {
      const error = await failure(read());
      expect([error.code, error.message]).toEqual([
        "INVALID_BODY",
        expect.stringContaining("`n:k`"),
      ]);
    }
    expect((await held.getRaw("k"))?.etag).toBe(etag);
  },
);

test.each<[string, (client: MeridianClient) => unknown, string]>([
  ["no name", (c) => c.namespace(""), "INVALID_ARGUMENT"],
  ["a name that is no text", (c) => c.namespace(1 as never), "INVALID_ARGUMENT"],
  ["a reserved name", (c) => c.namespace("\0x"), "INVALID_KEY"],
  ["a codec that is none", (c) => c.namespace("n", { codec: {} as never }), "INVALID_ARGUMENT"],
  ["a schema that is none", (c) => c.namespace("n", { schema: {} as never }), "INVALID_ARGUMENT"],
  ["a load that is no function", (c) => c.namespace("n", { load: 1 as never }), "INVALID_ARGUMENT"],
  [
    "an unknown option of filling",
    (c) => c.namespace("n", { fill: { x: 1 } as never }),
    "UNKNOWN_OPTION",
  ],
  // @ts-expect-error a number without a unit does not compile
  ["a ttl without a unit", (c) => c.namespace("n", { ttl: 60 }), "INVALID_TTL"],
  ["an unknown option", (c) => c.namespace("n", { prefix: "x" } as never), "UNKNOWN_OPTION"],
  ["an empty key", (c) => c.namespace("n").get(""), "INVALID_KEY"],
  ["a key that is no text", (c) => c.namespace("n").get(undefined as never), "INVALID_KEY"],
  [
    "a content type beside a codec",
    (c) => c.namespace("n", { codec: numbers }).set("k", [1], { contentType: "text/plain" }),
    "INVALID_ARGUMENT",
  ],
])("%s is refused", async (_, call, code) => {
  const { client, node } = await open();
  expect((await failure((async () => call(client))())).code).toBe(code);
  expect(node.calls).toEqual([]);
});

test("a cache that loads by itself is only read", async () => {
  const loaded: string[] = [];
  const load = ({ key }: { readonly key: string }): string | undefined => {
    loaded.push(key);
    return key === "none" ? undefined : `value of ${key}`;
  };
  const { client, clock } = await open({ load, fill: { ttl: "1m" } });
  expect(await client.get("a")).toBe("value of a");
  expect(await client.getMany(["a", "b", "none"])).toEqual(
    new Map([
      ["a", "value of a"],
      ["b", "value of b"],
    ]),
  );
  clock.advance(61_000);
  await client.get("a");
  expect(loaded).toEqual(["a", "b", "none", "a"]);
  const users = client.namespace("users", { load: ({ key }) => ({ name: key }) });
  expect(await users.get("1")).toEqual({ name: "1" });
  expect(await client.has("users:1")).toBe(true);
});

test("what JSON or a codec does not hold does not compile as a value", () => {
  type Set = (typeof client)["set"];
  const client = {} as MeridianClient;
  const users = {} as Namespace<never, never>;
  expectTypeOf(users).not.toBeAny();
  expectTypeOf<Set>().toBeFunction();
  const typed = (): unknown[] => [
    client.set("k", { a: [1, "b", null, { c: true }], d: new Date() }),
    client.set("k", Uint8Array.of(1)),
    client.set("k", { name: "Ada" } as User),
    client.set("k", 1 as unknown),
    // @ts-expect-error JSON makes {} of a Map
    client.set("k", new Map([[1, 2]])),
    // @ts-expect-error and of one inside
    client.set("k", { list: [new Map([[1, 2]])] }),
    // @ts-expect-error a Set
    client.set("k", new Set([1])),
    // @ts-expect-error undefined
    client.set("k", undefined),
    // @ts-expect-error a bigint
    client.set("k", { n: 1n }),
    // @ts-expect-error a function
    client.set("k", { f: () => 1 }),
    // @ts-expect-error an error
    client.set("k", new Error("x")),
    // @ts-expect-error numbers in bytes
    client.set("k", { a: new Float64Array(1) }),
    // @ts-expect-error among many
    client.setMany([{ key: "k", value: new Map() }]),
    // @ts-expect-error loaded
    client.getOrSet("k", () => new Map()),
    // @ts-expect-error loaded later
    client.getOrSet("k", async () => ({ when: 1n })),
    client.namespace<User>("u").set("k", { name: "Ada" }),
    // @ts-expect-error a value of another type
    client.namespace<User>("u").set("k", { name: 1 }),
    // @ts-expect-error a value that its own type does not hold
    client.namespace<Map<string, number>>("u").set("k", new Map([["a", 1]])),
    client
      .namespace("u", { codec: richJson<Map<string, bigint>>() })
      .set("k", new Map([["a", 1n]])),
    // @ts-expect-error rich JSON holds no functions
    client.namespace("u", { codec: richJson<{ f: () => void }>() }).set("k", { f: () => {} }),
    client.namespace("u", { codec: numbers }).set("k", [1]),
    // @ts-expect-error not what the codec holds
    client.namespace("u", { codec: numbers }).set("k", ["1"]),
    client.namespace("u", { schema: user }).set("k", { name: "Ada" }),
    // @ts-expect-error not what the schema takes
    client.namespace("u", { schema: user }).set("k", { nom: "Ada" }),
  ];
  expectTypeOf(typed).toBeFunction();
});

test("what is read has the type of what was stored", () => {
  const client = {} as MeridianClient;
  const read = () => ({
    date: client.getOrSet("k", () => ({ at: new Date(), n: 1 })),
    maybe: client.getOrSet("k", async () => 1 as number | undefined),
    user: client.namespace<User>("u").get("k"),
    rich: client.namespace("u", { codec: richJson<Map<string, bigint>>() }).get("k"),
    parsed: client.namespace("u", { schema: user }).get("k"),
    many: client.namespace("u", { codec: numbers }).getMany([]),
    wrapped: client.wrap("w", async (id: number, deep: boolean) => ({ id, deep })),
  });
  type Read = ReturnType<typeof read>;
  expectTypeOf<Awaited<Read["date"]>>().toEqualTypeOf<{ at: string; n: number }>();
  expectTypeOf<Awaited<Read["maybe"]>>().toEqualTypeOf<number | undefined>();
  expectTypeOf<Awaited<Read["user"]>>().toEqualTypeOf<
    { readonly name: string; readonly age?: number } | undefined
  >();
  expectTypeOf<Awaited<Read["rich"]>>().toEqualTypeOf<Map<string, bigint> | undefined>();
  expectTypeOf<Awaited<Read["parsed"]>>().toEqualTypeOf<
    { name: string; born?: Date | undefined } | undefined
  >();
  expectTypeOf<Awaited<Read["many"]>>().toEqualTypeOf<Map<string, readonly number[]>>();
  expectTypeOf<Parameters<Read["wrapped"]>>().toEqualTypeOf<[id: number, deep: boolean]>();
  expectTypeOf<Awaited<ReturnType<Read["wrapped"]>>>().toEqualTypeOf<{
    id: number;
    deep: boolean;
  }>();
});
