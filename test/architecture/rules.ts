/**
 * The rules of architecture, as one pure function from a package to the list of what is wrong with it.
 *
 * `LAYERS` has the layers from the top down; ARCHITECTURE.md shows the same. `source-bundle` is loaded only by what runs from source.
 * No arrow points back or across. `testkit` stands beside them: it may use all but the apps, and
 * only tests may use it. So may only tests use `harness`, which starts the apps.
 */
import { builtinModules } from "node:module";
import { posix } from "node:path";

import { readSourceFile, type Reach } from "./source-file.ts";
import type { WorkspacePackage } from "./workspace.ts";

export const LAYERS = {
  apps: ["directory", "region", "cli", "examples"],
  assemblies: ["local-cluster", "security", "log-jetstream"],
  adapters: ["keyv", "unstorage", "bentocache", "express-session", "next-cache"],
  pages: ["console"],
  libraries: [
    "client",
    "replication",
    "store",
    "geo",
    "certificates",
    "tokens",
    "transport",
    "http",
    "cluster-file",
    "doctor",
    "supervision",
  ],
  structures: ["cache"],
  ports: ["ports", "options"],
  bottom: ["protocol", "runtime"],
  sources: ["source-bundle"],
  testing: ["testkit"],
  clusters: ["harness"],
} as const;

type Layer = keyof typeof LAYERS;

const MAY_USE: Readonly<Record<Layer, readonly Layer[]>> = {
  apps: ["assemblies", "pages", "libraries", "structures", "ports", "bottom", "sources"],
  assemblies: ["libraries", "structures", "ports", "bottom", "sources"],
  adapters: ["libraries", "structures", "ports", "bottom"],
  pages: ["libraries", "bottom"],
  libraries: ["structures", "ports", "bottom", "sources"],
  structures: [],
  ports: ["bottom"],
  bottom: [],
  sources: [],
  testing: ["libraries", "structures", "ports", "bottom"],
  clusters: [
    "apps",
    "assemblies",
    "pages",
    "libraries",
    "structures",
    "ports",
    "bottom",
    "testing",
  ],
};

/** Packages that run on any platform, and so import no module of Node.js. */
const PLATFORM_FREE = [
  "protocol",
  "runtime",
  "geo",
  "cache",
  "replication",
  "client",
  "doctor",
  "ports",
  "keyv",
  "unstorage",
  "bentocache",
  "express-session",
];

/** What a package must not import although it could be declared. */
const FORBIDDEN: Readonly<Record<string, readonly string[]>> = {
  replication: ["ws", "better-sqlite3"],
};

/** Rooms of a package that know less than the package: what files in the folder must not import, packages and paths. */
const ROOMS: readonly {
  readonly folder: string;
  readonly packages: readonly string[];
  readonly folders: readonly string[];
  readonly why: string;
}[] = [
  {
    folder: "apps/region/src/service",
    packages: ["@meridian/http", "hono", "node:http", "node:https", "ws"],
    folders: ["apps/region/src/listeners"],
    why: "the service knows no protocol",
  },
  {
    folder: "apps/region/src/listeners/ws",
    packages: [],
    folders: ["apps/region/src/listeners/http"],
    why: "what listeners have in common is in listeners/api",
  },
  {
    folder: "apps/region/src/listeners/api",
    packages: [],
    folders: ["apps/region/src/listeners/http", "apps/region/src/listeners/ws"],
    why: "listeners/api knows no listener",
  },
];

/** Apps that a package may start as programs: declared, and located, but not loaded. */
const MAY_START: Readonly<Record<string, readonly string[]>> = {
  "local-cluster": ["directory", "region"],
};

/** What a package may import from its development dependencies: tools for running from source, unused once built. */
const FROM_SOURCE_ONLY: Readonly<Record<string, readonly string[]>> = {
  store: ["@meridian/source-bundle"],
  "local-cluster": ["@meridian/source-bundle"],
  cli: ["@meridian/source-bundle"],
};

/** Packages whose development dependencies become part of what is built, and whose folder they do so in. */
const BUNDLED: Readonly<Record<string, string>> = { console: "page/" };

/** The tools of testing, which the root declares for every package. */
const TEST_TOOLS = ["vitest", "fast-check"];

/**
 * The rooms inside a package, from the top floor down. What a file loads lies in its own room or on a lower floor: what it only names the types of
 * may lie anywhere. Files beside the rooms are the ground floor; `index.ts` alone looks at all of them.
 */
const FLOORS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "packages/replication/src": [
    ["serve"],
    ["node", "directory"],
    ["follow"],
    ["intake", "link", "reconcile", "order", "horizon"],
    ["time"],
  ],
};

const CODE_LINES_MAX = 400;

/** Names of drawers that anything ends up in. */
const DRAWERS = /^(utils?|helpers?|common|shared|types|misc)$/;

/** Everything in `pkg` that breaks a rule, one sentence each, beginning with the place. */
export function violationsOf(pkg: WorkspacePackage): string[] {
  const name = posix.basename(pkg.folder);
  if (layerOf(name) === undefined) return [`${pkg.folder}: is in no layer`];
  return [
    ...violationsOfManifest(pkg, name),
    ...Object.entries(pkg.sources).flatMap(([path, text]) =>
      violationsOfFile(pkg, name, path, text).map(
        (violation) => `${pkg.folder}/${path}: ${violation}`,
      ),
    ),
  ];
}

function violationsOfManifest({ folder, manifest }: WorkspacePackage, name: string): string[] {
  const place = `${folder}/package.json`;
  const found: string[] = [];
  if (manifest.name !== `@meridian/${name}`) found.push(`${place}: is named ${manifest.name}`);
  const needed = { ...manifest.dependencies, ...manifest.peerDependencies };
  for (const dependency of Object.keys({ ...needed, ...manifest.optionalDependencies })) {
    const target = meridianPackage(dependency);
    if (target === undefined || mayUse(name, target)) continue;
    if (MAY_START[name]?.includes(target) !== true) {
      found.push(`${place}: ${name} may not depend on ${target}`);
    }
  }
  return found;
}

function violationsOfFile(
  pkg: WorkspacePackage,
  name: string,
  path: string,
  text: string,
): string[] {
  const found: string[] = [];
  const drawer = path
    .replace(/\.[a-z]+$/, "")
    .split("/")
    .find((part) => DRAWERS.test(part));
  if (drawer !== undefined) found.push(`\`${drawer}\` says nothing of what is in it`);
  const file = readSourceFile(path, text);
  if (file.exportsDefault) found.push("has a default export");
  if (file.exportsAll) found.push("exports everything of another module (`export *`)");
  if (file.codeLines > CODE_LINES_MAX) {
    found.push(`has ${file.codeLines} lines of code, above ${CODE_LINES_MAX}`);
  }
  for (const reach of file.reaches) {
    const forbidden = violationOfRoom(`${pkg.folder}/${path}`, reach.specifier);
    if (forbidden !== undefined) found.push(forbidden);
    const climb = violationOfFloor(`${pkg.folder}/${path}`, reach);
    if (climb !== undefined) found.push(climb);
    const violation = /^\.{1,2}($|\/)|^\//.test(reach.specifier)
      ? violationOfPath(path, reach.specifier)
      : violationOfModule(pkg, name, reach, path);
    if (violation !== undefined) found.push(violation);
  }
  return found;
}

function violationOfRoom(file: string, specifier: string): string | undefined {
  const room = ROOMS.find(({ folder }) => file.startsWith(`${folder}/`));
  if (room === undefined) return undefined;
  const isPath = specifier.startsWith(".");
  const target = isPath ? posix.join(posix.dirname(file), specifier) : moduleOf(specifier);
  const isForbidden = isPath
    ? room.folders.some((folder) => target.startsWith(`${folder}/`))
    : room.packages.includes(target);
  return isForbidden ? `${room.why}, and may not import ${specifier}` : undefined;
}

function violationOfFloor(file: string, { specifier, kind }: Reach): string | undefined {
  const [folder, floors] =
    Object.entries(FLOORS).find(([each]) => file.startsWith(`${each}/`)) ?? [];
  if (folder === undefined || floors === undefined) return undefined;
  if (!specifier.startsWith(".") || kind === "type" || file === `${folder}/index.ts`)
    return undefined;
  const from = roomOf(folder, file);
  const to = roomOf(folder, posix.join(posix.dirname(file), specifier));
  if (from === to) return undefined;
  const floorOf = (room: string): number =>
    room === "" ? floors.length : floors.findIndex((rooms) => rooms.includes(room));
  if (floorOf(from) < 0) return `\`${from}\` is on no floor`;
  return floorOf(from) < floorOf(to)
    ? undefined
    : `${from === "" ? "the ground floor" : from} may load nothing of ${to === "" ? folder : to}`;
}

/** The room of a file: the folder below `folder` that it lies in, empty if it lies beside the rooms. */
function roomOf(folder: string, file: string): string {
  const [room = "", ...rest] = file.slice(folder.length + 1).split("/");
  return rest.length === 0 ? "" : room;
}

function violationOfPath(path: string, specifier: string): string | undefined {
  const target = posix.normalize(posix.join(posix.dirname(path), specifier));
  const leaves = specifier.startsWith("/") || target === ".." || target.startsWith("../");
  return leaves ? `\`${specifier}\` leaves the package` : undefined;
}

function violationOfModule(
  { manifest }: WorkspacePackage,
  name: string,
  { specifier, kind }: Reach,
  path: string,
): string | undefined {
  const module = moduleOf(specifier);
  const bundled = BUNDLED[name];
  const isBundled = bundled !== undefined && path.startsWith(bundled);
  if (isBundled && specifier.startsWith("node:")) return `a page may not import ${specifier}`;
  if (specifier.startsWith("node:") || builtinModules.includes(module)) {
    return PLATFORM_FREE.includes(name)
      ? `${name} runs on any platform and may not import ${specifier}`
      : undefined;
  }
  if (FORBIDDEN[name]?.includes(module) === true) return `${name} may not import ${module}`;
  if (name === "cache") return `cache imports nothing, not even ${module}`;
  const target = meridianPackage(module);
  const starts = kind === "path" && target !== undefined && MAY_START[name]?.includes(target);
  if (target !== undefined && !mayUse(name, target) && starts !== true) {
    return `${name} may not import ${target}`;
  }
  const forTests = ["testing", "clusters"].includes(layerOf(name) ?? "");
  if (forTests && TEST_TOOLS.includes(module)) return undefined;
  const developing =
    isBundled || kind === "type" || FROM_SOURCE_ONLY[name]?.includes(module) === true;
  const declared = {
    ...manifest.dependencies,
    ...manifest.peerDependencies,
    ...manifest.optionalDependencies,
    ...(developing ? manifest.devDependencies : {}),
  };
  return module in declared ? undefined : `${module} is not among the declared dependencies`;
}

/** The package of a specifier: `@scope/name` or `name`, without a path into it. */
function moduleOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

function meridianPackage(module: string): string | undefined {
  return module.startsWith("@meridian/") ? module.slice("@meridian/".length) : undefined;
}

function mayUse(name: string, target: string): boolean {
  const from = layerOf(name);
  const to = layerOf(target);
  return from !== undefined && to !== undefined && MAY_USE[from].includes(to);
}

function layerOf(name: string): Layer | undefined {
  return (Object.keys(LAYERS) as Layer[]).find((layer) =>
    (LAYERS[layer] as readonly string[]).includes(name),
  );
}
