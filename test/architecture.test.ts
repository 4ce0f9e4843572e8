import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { describe, expect, it } from "vitest";

import { LAYERS, violationsOf } from "./architecture/rules.ts";
import { readSourceFile } from "./architecture/source-file.ts";
import { readWorkspace, type Manifest } from "./architecture/workspace.ts";

const workspace = readWorkspace(fileURLToPath(new URL("..", import.meta.url)));

describe("the packages of this repository", () => {
  it("are all looked at", () => {
    const names = workspace.map(({ manifest }) => manifest.name);
    expect(names).toContain("@meridian/protocol");
    expect(names).toContain("@meridian/region");
    expect(names.length).toBeGreaterThanOrEqual(12);
    const files = workspace.flatMap(({ sources }) => Object.keys(sources));
    expect(files.length).toBeGreaterThan(60);
  });

  it.each(workspace.map((pkg) => [pkg.folder, pkg] as const))(
    "%s keeps every rule of the architecture",
    (_folder, pkg) => {
      expect(violationsOf(pkg)).toEqual([]);
    },
  );
});

describe("ARCHITECTURE.md", () => {
  const text = readFileSync(new URL("../packages/ARCHITECTURE.md", import.meta.url), "utf8");
  const section = text.slice(text.indexOf("\n## Layers\n"), text.indexOf("\n### The classes of"));

  it("shows the layers as they are checked, from the top down", () => {
    const picture = /```text\n([^`]*)```/.exec(section)?.[1] ?? "";
    const layers = picture.split("\n").filter((line) => line !== "");
    const shown = layers.map((line) => line.split(/ {2,}/));
    expect(shown).toEqual(Object.entries(LAYERS).map(([layer, names]) => [layer, ...names]));
  });

  it("says of each package what it is", () => {
    const described = [...section.matchAll(/^\| `([\w-]+)` /gm)].map(([, name = ""]) => name);
    const packages = workspace.filter(({ folder }) => folder.startsWith("packages/"));
    expect(described.toSorted()).toEqual(
      packages.map(({ folder }) => folder.slice("packages/".length)).toSorted(),
    );
  });
});

/** What is wrong with one file of a package that declares `dependencies` and is otherwise right. */
function plant(
  folder: string,
  text: string,
  manifest: Omit<Manifest, "name"> = {},
  path = "src/planted.ts",
): string[] {
  const name = `@meridian/${folder.split("/")[1] ?? ""}`;
  return violationsOf({ folder, manifest: { name, ...manifest }, sources: { [path]: text } });
}

const declares = (...names: string[]): Omit<Manifest, "name"> => ({
  dependencies: Object.fromEntries(names.map((name) => [name, "1.0.0"])),
});

describe("an arrow between layers", () => {
  it.each([
    ["packages/protocol", "runtime"],
    ["packages/protocol", "store"],
    ["packages/runtime", "protocol"],
    ["packages/runtime", "supervision"],
    ["packages/store", "replication"],
    ["packages/replication", "transport"],
    ["packages/client", "region"],
    ["packages/geo", "testkit"],
    ["apps/directory", "region"],
    ["apps/region", "testkit"],
    ["apps/cli", "region"],
    ["apps/cli", "unheard-of"],
    ["packages/client", "local-cluster"],
    ["packages/ports", "cache"],
    ["packages/local-cluster", "cli"],
  ])("that points back or across is found (%s to %s)", (folder, target) => {
    const from = folder.split("/")[1] ?? "";
    const module = `@meridian/${target}`;
    const text = `import { x } from "${module}";`;
    const found = plant(folder, text, declares(module));
    expect(found).toContain(`${folder}/src/planted.ts: ${from} may not import ${target}`);
  });

  it("that points back is found in a package.json even if nothing imports it", () => {
    expect(plant("packages/geo", "", declares("@meridian/store"))).toEqual([
      "packages/geo/package.json: geo may not depend on store",
    ]);
    expect(plant("apps/region", "", declares("@meridian/directory"))).toEqual([
      "apps/region/package.json: region may not depend on directory",
    ]);
  });

  it.each([
    ["packages/store", "protocol"],
    ["packages/transport", "runtime"],
    ["packages/testkit", "replication"],
    ["apps/region", "cache"],
    ["packages/client", "cache"],
    ["apps/directory", "supervision"],
    ["apps/cli", "client"],
    ["apps/cli", "local-cluster"],
    ["packages/local-cluster", "supervision"],
  ])("that points down is right (%s to %s)", (folder, target) => {
    const module = `@meridian/${target}`;
    expect(plant(folder, `import { x } from "${module}";`, declares(module))).toEqual([]);
  });

  it("from a cluster to the programs that it starts is right as long as it loads nothing", () => {
    const apps = declares("@meridian/region", "@meridian/directory");
    const located = `export const at = import.meta.resolve("@meridian/region");`;
    expect(plant("packages/local-cluster", located, apps)).toEqual([]);
    expect(plant("apps/directory", located, apps)).not.toEqual([]);
    const loaded = `export const region = await import("@meridian/region");`;
    expect(plant("packages/local-cluster", loaded, apps)).toEqual([
      "packages/local-cluster/src/planted.ts: local-cluster may not import region",
    ]);
  });

  it("cannot be judged for a package that is in no layer, which is found", () => {
    expect(plant("packages/drawer", "")).toEqual(["packages/drawer: is in no layer"]);
  });
});

describe("an import", () => {
  const ways = [
    `import { x } from "left-pad";`,
    `import "left-pad";`,
    `import type { X } from "left-pad";`,
    `import * as x from "left-pad/sub/path.js";`,
    `export { x } from "left-pad";`,
    `export type { X } from "left-pad";`,
    `export const x = () => import("left-pad");`,
    `export type X = import("left-pad").X;`,
    `export const x = require("left-pad");`,
  ];

  it.each(ways)("of an undeclared dependency is found: %s", (text) => {
    expect(plant("packages/store", text)).toEqual([
      "packages/store/src/planted.ts: left-pad is not among the declared dependencies",
    ]);
    expect(plant("packages/store", text, declares("left-pad"))).toEqual([]);
  });

  it("of a development dependency is right for types only", () => {
    const manifest = { devDependencies: { "left-pad": "1.0.0" } };
    const found = ways.filter((text) => plant("packages/store", text, manifest).length === 0);
    expect(found).toEqual(ways.filter((text) => text.includes("type")));
  });

  it("of the bundler is right in what runs from source, once declared, and nowhere else", () => {
    const text = `export const bundler = () => import("@meridian/source-bundle");`;
    const manifest = { devDependencies: { "@meridian/source-bundle": "1.0.0" } };
    expect(plant("packages/store", text, manifest)).toEqual([]);
    expect(plant("packages/store", text)).toHaveLength(1);
    expect(plant("apps/region", text, manifest)).toHaveLength(1);
  });
});

describe("a path from one file to another", () => {
  it.each([
    `import { x } from "../../protocol/src/index.ts";`,
    `import { x } from "../../../outside.ts";`,
    `export const x = new URL("../..", import.meta.url);`,
    `import { x } from "/outside.ts";`,
    `export { x } from "../../store/src/index.ts";`,
    `export const x = new URL("../../store/schema.sql", import.meta.url);`,
  ])("that leaves its package by path is found: %s", (text) => {
    expect(plant("packages/geo", text)).toHaveLength(1);
  });

  it.each([
    `import { x } from "../index.ts";`,
    `import { x } from "./sub/../other.ts";`,
    `export const x = new URL("../../package.json", import.meta.url);`,
    `export const x = new URL("..", import.meta.url);`,
  ])("that stays in its package is right: %s", (text) => {
    expect(plant("packages/geo", text, {}, "src/deep/planted.ts")).toEqual([]);
  });
});

describe("a floor of replication", () => {
  it.each([
    ["src/node/x.ts", "../intake/applier.ts"],
    ["src/node/x.ts", "./y.ts"],
    ["src/directory/x.ts", "../follow/peers.ts"],
    ["src/link/x.ts", "../limits.ts"],
    ["src/index.ts", "./node/replica.ts"],
  ])("is loaded from above (%s loads %s)", (path, target) => {
    expect(plant("packages/replication", `import { x } from "${target}";`, {}, path)).toEqual([]);
  });

  it.each([
    ["src/intake/x.ts", "../node/replica.ts", "intake may load nothing of node"],
    ["src/node/x.ts", "../directory/feed.ts", "node may load nothing of directory"],
    ["src/link/x.ts", "../reconcile/digest.ts", "link may load nothing of reconcile"],
    ["src/limits.ts", "./time/clock-vote.ts", "the ground floor may load nothing of time"],
    ["src/cellar/x.ts", "../limits.ts", "`cellar` is on no floor"],
  ])("is not loaded from below or beside (%s loads %s)", (path, target, said) => {
    const found = plant("packages/replication", `import { x } from "${target}";`, {}, path);
    expect(found).toEqual([`packages/replication/${path}: ${said}`]);
    const typed = plant("packages/replication", `import type { X } from "${target}";`, {}, path);
    expect(typed).toEqual([]);
  });
});

describe("a module that is forbidden to one package", () => {
  it.each(["ws", "better-sqlite3", "node:fs", "fs", "node:fs/promises"])(
    "of %s is found in replication, declared or not",
    (module) => {
      const text = `import { x } from "${module}";`;
      expect(plant("packages/replication", text, declares(module))).toHaveLength(1);
      expect(plant("packages/transport", text, declares(module))).toEqual([]);
    },
  );

  it.each(["lru-cache", "node:crypto", "@meridian/protocol"])(
    "of %s is found in cache, which imports nothing",
    (module) => {
      expect(plant("packages/cache", `import "${module}";`, declares(module))).not.toEqual([]);
    },
  );

  it.each([
    "@meridian/http",
    "hono/tiny",
    "node:http",
    "../listeners/listener.ts",
    "../listeners/http/answers.ts",
  ])("of %s is found in the service of a region, which knows no protocol", (module) => {
    const text = `import type { x } from "${module}";`;
    const declared = declares(module.startsWith("hono") ? "hono" : module);
    const found = plant("apps/region", text, declared, "src/service/planted.ts");
    expect(found).toEqual([
      `apps/region/src/service/planted.ts: the service knows no protocol, and may not import ${module}`,
    ]);
    const elsewhere = plant("apps/region", text, declared, "src/supervised/planted.ts");
    expect(elsewhere).toEqual([]);
  });

  it.each([
    ["ws", "what listeners have in common is in listeners/api"],
    ["api", "listeners/api knows no listener"],
  ])("of the HTTP listener is found in listeners/%s of a region", (room, why) => {
    const text = `import type { x } from "../http/exchange.ts";`;
    const found = plant("apps/region", text, {}, `src/listeners/${room}/planted.ts`);
    expect(found).toEqual([
      `apps/region/src/listeners/${room}/planted.ts: ${why}, and may not import ../http/exchange.ts`,
    ]);
  });

  it("of the tools of testing is right in testkit only", () => {
    expect(plant("packages/testkit", `import { it } from "vitest";`)).toEqual([]);
    expect(plant("packages/geo", `import { it } from "vitest";`)).toHaveLength(1);
  });

  it("is not seen in a comment or in a text", () => {
    const text = [
      `// import "left-pad";`,
      `/** export * from "left-pad"; */`,
      'export const x = \'import "left-pad"\' + `require("left-pad")`;',
    ].join("\n");
    expect(plant("packages/store", text)).toEqual([]);
  });
});

describe("a source file", () => {
  it.each(["export default 1;", "const x = 1; export { x as default };"])(
    "with a default export is found: %s",
    (text) => {
      expect(plant("packages/geo", text)).toEqual([
        "packages/geo/src/planted.ts: has a default export",
      ]);
    },
  );

  it.each([`export * from "./x.ts";`, `export * as x from "./x.ts";`])(
    "that exports everything of another is found: %s",
    (text) => {
      expect(plant("packages/geo", text)).toHaveLength(1);
    },
  );

  it.each([
    "src/utils.ts",
    "src/types.ts",
    "src/shared/x.ts",
    "src/http/helpers.ts",
    "src/common.ts",
  ])("named %s is found", (path) => {
    expect(plant("packages/geo", "", {}, path)).toHaveLength(1);
  });

  it("of more than 400 lines of code is found, blanks and comments not counted", () => {
    const numbered = (lines: number): string =>
      Array.from({ length: lines }, (_, line) => `export const x${line} = ${line}; // why`).join(
        "\n\n/* more\n * words */\n",
      );
    expect(readSourceFile("a.ts", numbered(7)).codeLines).toBe(7);
    expect(plant("packages/geo", numbered(400))).toEqual([]);
    expect(plant("packages/geo", numbered(401))).toEqual([
      "packages/geo/src/planted.ts: has 401 lines of code, above 400",
    ]);
  });

  it("that does not parse is an error, not a pass", () => {
    expect(() => plant("packages/geo", "export const = ;")).toThrow("does not parse");
  });
});
