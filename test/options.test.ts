/** An option is declared in one place: a row that is added to a table appears in flags, environment, help, cluster file, schema and document. */
import { parseClusterFile, settingsOf } from "@meridian/cluster-file";
import {
  formatUsage,
  parseOptions,
  PROGRAM_OPTIONS,
  type OptionTable,
  type OptionValues,
  type RegionRow,
} from "@meridian/options";
import { describe, expect, expectTypeOf, it } from "vitest";

import { clusterJsonSchema } from "./documents/cluster-schema.ts";
import { readDocument } from "./documents/documents.ts";
import { withOptions } from "./documents/options-tables.ts";

const ROW = {
  name: "tea-cups-max",
  kind: "integer",
  min: 1,
  max: 12,
  default: 4,
  file: "limits",
  description: "The most cups of tea.",
} as const;
const TABLE = [...PROGRAM_OPTIONS.region, ROW];
const TABLES = { ...PROGRAM_OPTIONS, region: TABLE };
const PLACE = ["--id=r", "--lat=1", "--lon=2", "--data=d"];

const valuesOf = (
  argv: readonly string[],
  env: Record<string, string> = {},
): OptionValues<RegionRow | typeof ROW> => {
  const parsed = parseOptions(TABLE, { argv: [...PLACE, ...argv], env });
  if (parsed.kind !== "run") throw new Error(`asked for ${parsed.kind}`);
  return parsed.values;
};
const fileOf = (cups: unknown): string =>
  JSON.stringify({
    directories: [{ id: "d" }],
    regions: [{ id: "r", lat: 1, lon: 2, limits: { teaCupsMax: cups } }],
  });

describe("an option that is added to the region's table", () => {
  it("is a flag, with the type of its kind", () => {
    const values = valuesOf(["--tea-cups-max", "7"]);
    expect(values.teaCupsMax).toBe(7);
    expectTypeOf(values.teaCupsMax).toEqualTypeOf<number>();
    expectTypeOf(values.logLevel).toEqualTypeOf<"debug" | "info" | "warn" | "error">();
    expectTypeOf(values.ip).toEqualTypeOf<string | null>();
    expect(valuesOf([]).teaCupsMax).toBe(4);
    expect(() => valuesOf(["--tea-cup-max=7"])).toThrow("did you mean `--tea-cups-max`?");
    expect(() => valuesOf(["--tea-cups-max=13"])).toThrow("between 1 and 12, got `13`");
  });

  it("is an environment variable", () => {
    expect(valuesOf([], { MERIDIAN_TEA_CUPS_MAX: "8" }).teaCupsMax).toBe(8);
  });

  it("is in the help", () => {
    const usage = formatUsage({ name: "p", summary: "Runs.", options: TABLE });
    expect(usage.replace(/\s+/g, " ")).toContain(
      "--tea-cups-max <integer> The most cups of tea. (default: 4, env: MERIDIAN_TEA_CUPS_MAX)",
    );
  });

  it("is a member of the cluster file, checked as the flag is", () => {
    const settings = settingsOf(
      parseClusterFile(fileOf(9), "c.json", TABLES),
      "region",
      "r",
      "c.json",
      TABLE,
    );
    expect(settings).toContainEqual({
      name: "tea-cups-max",
      text: "9",
      source: "c.json: regions[0].limits.teaCupsMax",
    });
    expect(() => parseClusterFile(fileOf(13), "c.json", TABLES)).toThrow(
      "Expected `regions[0].limits.teaCupsMax` to be a whole number between 1 and 12, got `13`",
    );
    expect(() => parseClusterFile(fileOf(9), "c.json")).toThrow("got `teaCupsMax`");
  });

  it("is in the JSON Schema, for all regions and for each, and not for directories", () => {
    const schema: unknown = JSON.parse(clusterJsonSchema(TABLES));
    const cups = {
      type: "integer",
      minimum: 1,
      maximum: 12,
      description: "The most cups of tea.",
    };
    const limits = { properties: { teaCupsMax: cups } };
    expect(schema).toMatchObject({
      properties: { limits, regions: { items: { properties: { limits } } } },
    });
    expect(schema).not.toMatchObject({
      properties: { directories: { items: { properties: { limits } } } },
    });
  });

  it("is in the document", () => {
    const document = withOptions(readDocument("packages/CONFIGURATION.md"), TABLES);
    expect(document).toMatch(
      /`--tea-cups-max` *\| `4` *\| The most cups of tea\. *\| `limits\.tea/,
    );
    expect(document).toMatch(/^\| `limits` .*; of regions .*`teaCupsMax`/m);
  });
});

describe("every option", () => {
  const rows = Object.entries(PROGRAM_OPTIONS).flatMap(([role, table]) =>
    (table as OptionTable).map((row) => [role, row.name, row] as const),
  );

  it("stands once in the table of its program", () => {
    const names = rows.map(([role, name]) => `${role} ${name}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it("that both programs have has one description, except the id, the place and the URL", () => {
    const { directory, region } = PROGRAM_OPTIONS;
    const shared = directory.filter(({ name }) => region.some((row) => row.name === name));
    const differing = shared.filter((row) => {
      const other = region.find(({ name }) => name === row.name);
      return other?.description !== row.description;
    });
    expect(shared.length).toBeGreaterThan(8);
    expect(differing.map(({ name }) => name)).toEqual(["id", "lat", "lon", "url"]);
  });

  it("has a default that its own check accepts", () => {
    for (const [, , row] of rows) {
      if (row.required === true) continue;
      expect(parseOptions([row], { argv: [], env: {} })).toMatchObject({ kind: "run" });
    }
  });
});
