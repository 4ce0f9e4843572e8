import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { MeridianError } from "@meridian/protocol";
import fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";

import {
  directoryUrls,
  EXAMPLE,
  listensOn,
  nodeUrls,
  parseClusterFile,
  portOf,
  readClusterFile,
} from "../src/index.ts";

const DIRECTORY = { id: "d", url: "http://10.0.0.1:7400" };
const REGION = { id: "r", lat: 1, lon: 2 };

/** A file that is right but for what is given. */
const fileOf = (members: object): string =>
  JSON.stringify({ directories: [DIRECTORY], regions: [REGION], ...members });

/** What is wrong in a file. */
function problemsOf(text: string): unknown {
  try {
    parseClusterFile(text, "c.json");
  } catch (cause) {
    if (cause instanceof MeridianError && cause.code === "INVALID_CONFIG") {
      return cause.details?.["problems"];
    }
    throw cause;
  }
  return [];
}

test("a file says who belongs to the cluster, where, and within which bounds", () => {
  const file = parseClusterFile(
    JSON.stringify({
      cluster: "shop",
      directories: [
        { id: "one", url: "http://10.0.0.1:7400/", host: "0.0.0.0", data: "/d" },
        { id: "two", port: 7500, limits: { lagMax: "5s" } },
      ],
      regions: [
        {
          id: "paris",
          region: "eu",
          lat: 48.86,
          lon: 2.35,
          url: "https://paris.example.com",
          port: 7401,
          ip: "10.0.0.9",
          allowOrigin: ["https://a.example.com", "https://b.example.com"],
          limits: { cacheBytes: 1 },
        },
      ],
      limits: { durability: "power", horizon: "30d" },
      log: { level: "warn" },
    }),
    "c.json",
  );
  expect(file).toEqual({
    cluster: "shop",
    directories: [
      {
        id: "one",
        url: "http://10.0.0.1:7400",
        host: "0.0.0.0",
        port: undefined,
        data: "/d",
        limits: {},
      },
      {
        id: "two",
        url: "http://127.0.0.1:7500",
        host: undefined,
        port: 7500,
        data: undefined,
        limits: { lagMax: "5s" },
      },
    ],
    regions: [
      {
        id: "paris",
        region: "eu",
        lat: 48.86,
        lon: 2.35,
        url: "https://paris.example.com",
        host: undefined,
        port: 7401,
        data: undefined,
        ip: "10.0.0.9",
        allowOrigin: ["https://a.example.com", "https://b.example.com"],
        limits: { cacheBytes: 1 },
      },
    ],
    limits: { durability: "power", horizon: "30d" },
    log: { level: "warn", format: undefined },
  });
  expect(directoryUrls(file)).toEqual(["http://10.0.0.1:7400", "http://127.0.0.1:7500"]);
  expect(nodeUrls(file)).toEqual(["https://paris.example.com"]);
  const all = [...file.directories, ...file.regions];
  expect(all.map(listensOn)).toEqual(["0.0.0.0:7400", "127.0.0.1:7500", "127.0.0.1:7401"]);
});

test("the example is right", () => {
  const file = parseClusterFile(EXAMPLE, "example.json");
  expect(file.directories.map(({ id }) => id)).toEqual(["primary", "secondary"]);
  expect(file.regions.map(({ id }) => id)).toEqual(["frankfurt", "sydney"]);
});

test("a directory with a certificate is reached over TLS, and what a URL of it says of the port holds", () => {
  const tls = { tlsCert: "c", tlsKey: "k" };
  const file = parseClusterFile(
    fileOf({
      directories: [
        { id: "a", port: 7500, ...tls },
        { id: "b", url: "https://b.example:7501", ...tls },
        { id: "c", url: "https://c.example:7502", ...tls, insecureNoTls: true },
        { id: "d", port: 7503, ...tls, insecureNoTls: true },
      ],
    }),
    "c.json",
  );
  expect(directoryUrls(file).map((url) => new URL(url).protocol)).toEqual([
    "https:",
    "https:",
    "https:",
    "http:",
  ]);
  expect(file.directories.map(portOf)).toEqual([7500, 7501, undefined, 7503]);
});

test("a member named // is a comment, wherever it stands", () => {
  const text = `{"//": ["a", 1], "directories": [{"//": "b", "id": "d"}], "regions": [{"id":"r","lat":1,"lon":2,"limits":{"//":"c"}}]}`;
  expect(problemsOf(text)).toEqual([]);
});

test.each<[string, string]>([
  ["[]", "Expected the file to be an object, got `[]`"],
  ["{}", "Expected `directories`, got nothing"],
  [fileOf({ directories: [] }), "Expected `directories` to be a list of at least one, got `[]`"],
  [fileOf({ regions: {} }), "Expected `regions` to be a list of at least one, got `{}`"],
  [
    fileOf({ region: [] }),
    "Expected the file with members out of `version`, `cluster`, `directories`, `regions`, `limits`, `log`, got `region`",
  ],
  [
    fileOf({ cluster: "My Shop" }),
    "`cluster`: Expected a cluster of 1 to 63 lower-case letters, digits and inner hyphens, got `My Shop`",
  ],
  [
    fileOf({ directories: [{ ...DIRECTORY, url: "10.0.0.1" }] }),
    "`directories[0].url`: expected an http or https URL without query, fragment and user, got `10.0.0.1`",
  ],
  [
    fileOf({ directories: [{ id: "d", host: "0.0.0.0" }] }),
    "Expected `directories[0].url`, as nobody is reached at `0.0.0.0`, got nothing",
  ],
  [
    fileOf({ directories: [{ id: "d", host: "127.0.0.1.1" }] }),
    'Expected `directories[0].host` to be an address or a name, got `"127.0.0.1.1"`',
  ],
  [
    fileOf({ directories: [{ ...DIRECTORY, region: "eu" }] }),
    "Expected `directories[0]` with members out of `id`, `lat`, `lon`, `url`, `log`, `logCredentials`, `logDomain`, `logReplicas`, `logSnapshotBytes`, `host`, `port`, `tlsCert`, `tlsKey`, `tlsCa`, `tlsClientCa`, `insecureNoTls`, `tokenKeys`, `tokenFile`, `insecureNoTokens`, `data`, `allowOrigin`, `allowHost`, `noConsole`, `limits`, got `region`",
  ],
  [
    fileOf({ regions: [{ ...REGION, lat: "1" }] }),
    'Expected `regions[0].lat` to be a number between -90 and 90, got `"1"`',
  ],
  [
    fileOf({ regions: [{ ...REGION, lon: 180.5 }] }),
    "Expected `regions[0].lon` to be a number between -180 and 180, got `180.5`",
  ],
  [fileOf({ regions: [{ id: "r", lat: 1 }] }), "Expected `regions[0].lon`, got nothing"],
  [fileOf({ regions: [7] }), "Expected `regions[0]` to be an object, got `7`"],
  [
    fileOf({ regions: [{ ...REGION, port: 0 }] }),
    "Expected `regions[0].port` to be a whole number between 1 and 65535, got `0`",
  ],
  [
    fileOf({ regions: [{ ...REGION, data: "" }] }),
    'Expected `regions[0].data` to be text, got `""`',
  ],
  [
    fileOf({ directories: [{ ...DIRECTORY, allowHost: ["a b"] }] }),
    "`directories[0].allowHost[0]`: expected names such as `cache.example.com`, got `a b`",
  ],
  [
    fileOf({ regions: [{ ...REGION, allowOrigin: ["https://a.example.com/x"] }] }),
    "`regions[0].allowOrigin[0]`: expected origins such as `https://app.example.com`, or `*` alone, got `https://a.example.com/x`",
  ],
  [
    fileOf({ regions: [{ ...REGION, allowOrigin: ["https://a.example.com", "*"] }] }),
    "`regions[0].allowOrigin`: expected origins such as `https://app.example.com`, or `*` alone, got `*`",
  ],
  [
    fileOf({ limits: { cacheBytes: "256M" } }),
    'Expected `limits.cacheBytes` to be a whole number between 1 and 1099511627776, got `"256M"`',
  ],
  [
    fileOf({ limits: { durability: "luck" } }),
    'Expected `limits.durability` to be `process` or `power`, got `"luck"`',
  ],
  [
    fileOf({ limits: { lagMax: "soon" } }),
    "`limits.lagMax`: Expected a time to live above 0 and up to 100 years, such as `90` (seconds), `90s`, `15m`, `2h` or `7d`, got `soon`",
  ],
  [
    fileOf({ limits: { horizon: "1s" } }),
    "`limits.horizon`: Expected deletes to be remembered for at least 2s, longer than a node takes to connect again, got `1s`",
  ],
  [
    fileOf({ regions: [{ ...REGION, limits: { lagMax: "1s" } }] }),
    "Expected `regions[0].limits` with members out of `cacheEntries`, `cacheBytes`, `cachePolicy`, `cacheTtl`, `shareHeat`, `valueBytesMax`, `storeBytesMax`, `ttlDefault`, `tokenAgeMax`, `durability`, `connectionsMax`, `rateLimit`, `rateBurst`, `expiredGrace`, got `lagMax`",
  ],
  [
    fileOf({ log: { level: "loud" } }),
    'Expected `log.level` to be `debug`, `info`, `warn` or `error`, got `"loud"`',
  ],
  [
    fileOf({ regions: [REGION, { ...REGION, id: "d" }] }),
    "Expected ids of their own, got `d` at `directories[0].id` and `regions[1].id`",
  ],
  [
    fileOf({ regions: [{ ...REGION, url: "http://10.0.0.1:7400/" }] }),
    "Expected URLs of their own, got `http://10.0.0.1:7400` at `directories[0].url` and `regions[0].url`",
  ],
  [
    fileOf({ regions: [{ ...REGION, url: "http://10.0.0.1:80", port: 7400 }] }),
    "Expected ports on one machine of their own, got `10.0.0.1:7400` at `directories[0].port` and `regions[0].port`",
  ],
])("the file %s is refused with the path, what was expected and what came", (text, problem) => {
  expect(problemsOf(text)).toContain(`c.json: ${problem}`);
});

test("all problems are told at once", () => {
  const regions = [{ ...REGION, lat: 91, prot: 1 }, { id: "R" }, { ...REGION, id: "d" }];
  expect(problemsOf(fileOf({ regions, limits: { cacheEntries: 0 } }))).toHaveLength(7);
});

test("two machines may use one port, and one machine two", () => {
  const regions = [
    { ...REGION, id: "a", url: "http://10.0.0.2:7401", host: "0.0.0.0" },
    { ...REGION, id: "b", url: "http://10.0.0.3:7401", host: "0.0.0.0" },
    { ...REGION, id: "c", url: "http://10.0.0.3:7402", host: "0.0.0.0" },
    { ...REGION, id: "e", port: 7401, host: "0.0.0.0" },
    { ...REGION, id: "f", port: 7401, host: "0.0.0.0" },
  ];
  expect(problemsOf(fileOf({ regions }))).toEqual([]);
  const local = [
    { ...REGION, id: "a", port: 7401 },
    { ...REGION, id: "b", url: "http://localhost:7401" },
  ];
  expect(problemsOf(fileOf({ regions: local }))).toHaveLength(1);
});

test("YAML says the same as JSON, with comments", () => {
  const text = [
    "# a comment",
    "directories: [{ id: d }] # another",
    "regions:",
    "  - id: r",
    "    lat: 1",
    "    lon: -2.5",
  ].join("\n");
  const json = '{"directories":[{"id":"d"}],"regions":[{"id":"r","lat":1,"lon":-2.5}]}';
  expect(parseClusterFile(text, "c.yaml")).toEqual(parseClusterFile(json, "c.json"));
});

test.each([
  ["{", /^c\.json: Expected YAML or JSON: .* in line 1, column 2$/],
  ["cluster: a\ncluster: b", /^c\.json: Expected YAML or JSON: .*unique, in line 2, column 1$/],
  ["a: &a [1]\nb: [*a, *a]", /^c\.json: Expected YAML or JSON without aliases: /],
  ["", /^c\.json: Expected the file to be an object, got `null`$/],
])("%j is refused with what the parser says, and where", (text, problem) => {
  expect(problemsOf(text)).toEqual([expect.stringMatching(problem)]);
});

test("a key of YAML that is no text is reported, and nothing is written beside that", () => {
  const warned = vi.spyOn(process, "emitWarning");
  onTestFinished(() => warned.mockRestore());
  expect(problemsOf("? [1]\n: x")).toContainEqual(expect.stringContaining("[ 1 ]"));
  expect(warned).not.toHaveBeenCalled();
});

test("a file that is missing is named by its path", () => {
  expect(() => readClusterFile("/nowhere.json")).toThrow(
    /Expected a cluster file at `\/nowhere\.json`: ENOENT/,
  );
  const folder = mkdtempSync(join(tmpdir(), "meridian-cluster-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "c.json"), fileOf({}));
  expect(readClusterFile(join(folder, "c.json")).regions[0]?.id).toBe("r");
});

test("whatever JSON it is given, it answers with a cluster or with problems", () => {
  const names = [
    "directories",
    "regions",
    "limits",
    "id",
    "lat",
    "lon",
    "url",
    "port",
    "host",
    "//",
  ];
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { depthSize: "small" },
      fc.jsonValue(),
      fc.dictionary(fc.constantFrom(...names), tie("tree")),
      fc.array(tie("tree"), { maxLength: 3 }),
      fc.webUrl(),
    ),
  }));
  fc.assert(
    fc.property(tree, (value) => {
      expect(Array.isArray(problemsOf(fileOf(value as object)))).toBe(true);
    }),
  );
});

test("a file of another version is refused for that alone", () => {
  expect(problemsOf(fileOf({ version: 1 }))).toEqual([]);
  for (const version of [2, 0, "1", null]) {
    expect(problemsOf(fileOf({ version, of: "another kind" }))).toEqual([
      `c.json: Expected \`version\` 1, got \`${JSON.stringify(version)}\`: another version of Meridian has to read this file`,
    ]);
  }
});

test("a directory has a place of two numbers, or none", () => {
  const placed = { ...DIRECTORY, lat: 38.7, lon: -9.1 };
  expect(parseClusterFile(fileOf({ directories: [placed] }), "c.json").directories).toEqual([
    { ...placed, limits: {} },
  ]);
  expect(problemsOf(fileOf({ directories: [{ ...DIRECTORY, lat: 1 }] }))).toEqual([
    "c.json: Expected `directories[0].lon` beside `directories[0].lat`, got nothing",
  ]);
  expect(problemsOf(fileOf({ directories: [{ ...DIRECTORY, lat: 91, lon: 1 }] }))).toEqual([
    expect.stringContaining("Expected `directories[0].lat` to be a number between -90 and 90"),
  ]);
});
