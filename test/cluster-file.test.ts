import { LIMITS, parseClusterFile, settingsOf, type Role } from "@meridian/cluster-file";
import { DIRECTORY_FLAGS } from "@meridian/directory";
import { REGION_FLAGS } from "@meridian/region";
import type { OptionDeclaration, OptionTable } from "@meridian/runtime";
import { expect, it } from "vitest";

const FLAGS: Readonly<Record<Role, OptionTable>> = {
  directory: DIRECTORY_FLAGS,
  region: REGION_FLAGS,
};

/** Whether a limit of the file takes a number that is beyond what the program takes, or refuses one that it takes. */
function takes(option: Extract<OptionDeclaration, { min: number }>, value: number): boolean {
  return value >= option.min && value <= option.max;
}

it("the limits of a cluster file are those of the programs, with the same ranges", () => {
  const differing = LIMITS.flatMap(({ option, roles, check, member }) =>
    roles.flatMap((role) => {
      const declared = FLAGS[role].find(({ name }) => name === option);
      if (declared?.type !== "integer") return [];
      const { min, max } = declared;
      const edges = [min - 1, min, max, max + 1];
      const read = edges.map((value) => check(value, member, () => {}) !== undefined);
      const taken = edges.map((value) => takes(declared, value));
      return JSON.stringify(read) === JSON.stringify(taken) ? [] : [`${role} --${option}`];
    }),
  );
  expect(differing).toEqual([]);
});

it("everything a cluster file says of a process is an option of its program", () => {
  const place = { url: "http://10.0.0.1:7400", host: "0.0.0.0", port: 7400, data: "/d" };
  const region = { id: "r", region: "eu", lat: 1, lon: 2, ip: "10.0.0.2", allowOrigin: ["*"] };
  const limits = {
    durability: "power",
    connectionsMax: 9,
    lagMax: "5s",
    cacheEntries: 9,
    cacheBytes: 9,
    valueBytesMax: 9,
    storeBytesMax: 2 ** 20,
    ttlDefault: "1h",
  };
  const text = JSON.stringify({
    cluster: "shop",
    directories: [{ id: "d", ...place }],
    regions: [{ ...region, ...place, url: "http://10.0.0.2:7401" }],
    limits,
    log: { level: "info", format: "json" },
  });
  const file = parseClusterFile(text, "c.json");
  for (const [role, id] of [
    ["directory", "d"],
    ["region", "r"],
  ] as const) {
    const names = FLAGS[role].map(({ name }) => name);
    const settings = settingsOf(file, role, id, "c.json");
    expect(settings.length).toBeGreaterThan(8);
    expect(settings.filter(({ name }) => !names.includes(name))).toEqual([]);
  }
});
