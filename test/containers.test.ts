/** Compares the Dockerfile and the compose file with the options of the programs and the contents of a package. */
import { readFileSync } from "node:fs";

import {
  defaultsOf,
  DIRECTORY_OPTIONS,
  parseOptions,
  REGION_OPTIONS,
  type OptionTable,
} from "@meridian/options";
import { expect, it } from "vitest";
import { parse } from "yaml";

const read = (name: string): string =>
  readFileSync(new URL(`../packages/supervision/container/${name}`, import.meta.url), "utf8");

interface Service {
  readonly command: readonly string[];
  readonly ports: readonly string[];
  readonly volumes: readonly string[];
  readonly read_only: boolean;
}

const TABLES: Readonly<Record<string, OptionTable>> = {
  "meridian-directory": DIRECTORY_OPTIONS,
  "meridian-region": REGION_OPTIONS,
};

const compose = parse(read("compose.yaml"), { merge: true }) as {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
};

it.each(Object.entries(compose.services))(
  "the service %s is started with options that its program takes",
  (_name, { command, ports, volumes, read_only }) => {
    const [program = "", ...argv] = command;
    const parsed = parseOptions(TABLES[program] ?? [], { argv, env: {} });
    if (parsed.kind !== "run") throw new Error(`Expected values, got ${parsed.kind}`);
    const values = parsed.values as Readonly<Record<string, string | number | readonly string[]>>;
    // A service without tokens must be reachable from this machine only.
    const port = String(values["port"]);
    expect(ports).toEqual([`127.0.0.1:${port}:${port}`]);
    const [[volume, target] = []] = volumes.map((each) => each.split(":"));
    expect([target, values["data"], read_only]).toEqual(["/var/lib/meridian", target, true]);
    expect(Object.keys(compose.volumes)).toContain(volume);
    const directory = values["directory"] as readonly string[] | undefined;
    for (const url of directory ?? []) {
      expect(Object.keys(compose.services)).toContain(new URL(url).hostname);
    }
  },
);

it("the image has the tree of a package, a user of its own, and the data on a volume", () => {
  const lines = read("Dockerfile")
    .replaceAll("\\\n", " ")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => /^(\S+) (.*)$/.exec(line)?.slice(1) ?? []);
  const of = (name: string): string | undefined => lines.find(([each]) => each === name)?.[1];
  expect(of("ADD")).toBe("meridian-*-linux-*.tar.gz /opt/meridian/");
  expect(of("ENV")).toContain("PATH=/opt/meridian/current/bin:");
  expect(of("USER")).toBe("meridian");
  expect(of("VOLUME")).toBe("/var/lib/meridian");
  const ports = [defaultsOf(DIRECTORY_OPTIONS).port, defaultsOf(REGION_OPTIONS).port];
  expect(of("EXPOSE")).toBe(ports.join(" "));
  // Each instruction is one of Docker, and files are copied before they are run.
  expect(lines.map(([name]) => name)).toEqual([
    "FROM",
    "ADD",
    "RUN",
    "ENV",
    "USER",
    "VOLUME",
    "EXPOSE",
    "STOPSIGNAL",
    "CMD",
  ]);
});
