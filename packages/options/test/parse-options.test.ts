import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";

import {
  defaultsOf,
  formatUsage,
  givenText,
  OptionsError,
  parseOptions,
  variableOf,
} from "../src/index.ts";

const TABLE = [
  { name: "host", kind: "text", default: "127.0.0.1", file: null, description: "Where." },
  {
    name: "port",
    kind: "integer",
    min: 0,
    max: 65_535,
    default: 7400,
    file: null,
    description: "A.",
  },
  { name: "lat", kind: "number", min: -90, max: 90, required: true, file: null, description: "B." },
  { name: "url", kind: "text", file: null, description: "What clients use." },
  {
    name: "durability",
    kind: "choice",
    choices: ["process", "power"],
    default: "process",
    file: null,
    description: "What a write survives.",
  },
  { name: "lag-max", kind: "duration", default: "10s", file: null, description: "The bound." },
] as const;

function run(argv: readonly string[], env: Record<string, string> = {}) {
  const parsed = parseOptions(TABLE, { argv, env });
  if (parsed.kind !== "run") throw new Error(`asked for ${parsed.kind}`);
  return parsed.values;
}

function problemsOf(argv: readonly string[], env: Record<string, string> = {}): readonly string[] {
  try {
    parseOptions(TABLE, { argv, env });
  } catch (error) {
    if (error instanceof OptionsError) return error.problems;
    throw error;
  }
  throw new Error("nothing was refused");
}

describe("an option that says something of another", () => {
  const table = [
    { name: "log", kind: "text", file: null, description: "A log." },
    { name: "log-domain", kind: "text", needs: "log", file: null, description: "Its domain." },
  ] as const;

  it("is refused without it, wherever it is given", () => {
    const problem = (source: string): unknown =>
      expect.objectContaining({ problems: [`\`${source}\`: Expected \`--log\` beside it`] });
    const sources = { argv: [], env: {} };
    expect(() => parseOptions(table, { ...sources, argv: ["--log-domain=hub"] })).toThrow(
      problem("--log-domain"),
    );
    expect(() => parseOptions(table, { ...sources, env: { MERIDIAN_LOG_DOMAIN: "hub" } })).toThrow(
      problem("MERIDIAN_LOG_DOMAIN"),
    );
    const settings = [{ name: "log-domain", text: "hub", source: "log.domain" }];
    expect(() => parseOptions(table, { ...sources, settings })).toThrow(problem("log.domain"));
    const both = { argv: ["--log-domain=hub"], env: { MERIDIAN_LOG: "nats://one" } };
    expect(parseOptions(table, both)).toMatchObject({ values: { logDomain: "hub" } });
  });
});

describe("a switch", () => {
  const table = [
    { name: "alone", kind: "switch", file: null, description: "Serves alone." },
  ] as const;
  const alone = (argv: readonly string[], env: Record<string, string> = {}): unknown =>
    parseOptions(table, { argv, env });

  it("is on where its flag stands, whatever comes behind, and where it is said to be true", () => {
    const on = { kind: "run", values: { alone: true } };
    expect(alone([])).toEqual({ kind: "run", values: { alone: false } });
    for (const argv of [["--alone"], ["--alone=true"], ["--alone", "true"]])
      expect(alone(argv)).toEqual(on);
    expect(alone([], { MERIDIAN_ALONE: "true" })).toEqual(on);
    expect(alone(["--alone=false"], { MERIDIAN_ALONE: "true" })).not.toEqual(on);
  });

  it("takes nothing else", () => {
    expect(() => alone([], { MERIDIAN_ALONE: "yes" })).toThrow(
      "Expected `MERIDIAN_ALONE` to be `true` or `false`, got `yes`",
    );
    expect(() => alone(["--alone", "yes"])).toThrow("`--alone` to be `true` or `false`, got `yes`");
    const usage = formatUsage({ name: "program", summary: "Runs.", options: table });
    expect(usage).toContain("--alone [true|false]  Serves alone. (env: MERIDIAN_ALONE)");
  });
});

describe("parseOptions", () => {
  it("takes settings for what neither flag nor environment says, and checks them alike", () => {
    const setting = (name: string, text: string) => ({ name, text, source: `file: ${name}` });
    const from = (argv: readonly string[], ...settings: ReturnType<typeof setting>[]) =>
      parseOptions(TABLE, { argv, env: { MERIDIAN_HOST: "::" }, settings });
    const settings = [setting("host", "a"), setting("port", "1"), setting("lat", "5")];
    expect(from(["--port=2"], ...settings)).toMatchObject({
      values: { host: "::", port: 2, lat: 5, lagMax: 10_000 },
    });
    expect(() => from([], setting("lat", "95"), setting("prot", "1"))).toThrow(
      "`file: prot`: this program has no option `--prot`; Expected `file: lat` to be a number between -90 and 90, got `95`",
    );
  });

  it("can be asked what one option is given as, whatever is wrong with the others", () => {
    const argv = ["--prot", "1", "--lat", "x"];
    const env = { MERIDIAN_HOST: "b", MERIDIAN_LAT: "3" };
    expect(givenText(TABLE, { argv, env }, "lat")).toBe("x");
    expect(givenText(TABLE, { argv, env }, "host")).toBe("b");
    expect(givenText(TABLE, { argv, env }, "url")).toBeUndefined();
    expect(givenText(TABLE, { argv: ["--help"], env }, "host")).toBeUndefined();
  });

  it("gives every option its declared type and its default", () => {
    const values = run(["--lat", "1"]);
    expect(values).toEqual({
      host: "127.0.0.1",
      port: 7400,
      lat: 1,
      url: null,
      durability: "process",
      lagMax: 10_000,
    });
    expectTypeOf(values).toEqualTypeOf<{
      readonly host: string;
      readonly port: number;
      readonly lat: number;
      readonly url: string | null;
      readonly durability: "process" | "power";
      readonly lagMax: number;
    }>();
  });

  it("takes a value after a space or an equals sign, negative numbers included", () => {
    expect(run(["--lat", "-33.9", "--port=0", "--url=http://a/?b=c"])).toMatchObject({
      lat: -33.9,
      port: 0,
      url: "http://a/?b=c",
    });
  });

  it("reads the environment, and lets the flag win", () => {
    const env = { MERIDIAN_LAT: "5", MERIDIAN_LAG_MAX: "3s", MERIDIAN_PORT: "1", PATH: "/bin" };
    expect(run(["--port", "2"], env)).toMatchObject({ lat: 5, lagMax: 3_000, port: 2 });
  });

  it("counts an empty variable as not set", () => {
    expect(run(["--lat", "0"], { MERIDIAN_HOST: "" }).host).toBe("127.0.0.1");
  });

  it("answers --help and --version before it complains", () => {
    expect(parseOptions(TABLE, { argv: ["--nonsense", "-h"], env: {} })).toEqual({ kind: "help" });
    expect(parseOptions(TABLE, { argv: ["--version"], env: {} })).toEqual({ kind: "version" });
  });
});

describe("parseOptions refuses", () => {
  it("unknown flags and variables and suggests the nearest name", () => {
    const [variable, flag] = problemsOf(["--lat", "0", "--prot", "80"], { MERIDIAN_HOTS: "x" });
    expect(variable).toContain("Unknown environment variable `MERIDIAN_HOTS`");
    expect(variable).toContain("did you mean `MERIDIAN_HOST`?");
    expect(flag).toContain("Unknown option `--prot`, did you mean `--port`?");
    expect(problemsOf(["--lat=0", "--completely-else"])[0]).not.toContain("did you mean");
  });

  it("with all problems at once, each in its own words", () => {
    const argv = ["--port", "70000", "--durability", "luck", "stray", "--lag-max", "soon", "--url"];
    expect(problemsOf(argv)).toEqual([
      "Expected only options, got the argument `stray`",
      "Expected a value after `--url`, got nothing",
      "Expected `--port` to be a whole number between 0 and 65535, got `70000`",
      "Expected `--lat` (or MERIDIAN_LAT), got nothing",
      "Expected `--durability` to be `process` or `power`, got `luck`",
      expect.stringMatching(/^`--lag-max`: Expected a time to live .*, got `soon`$/),
    ]);
  });

  it("in the name of the variable when the bad value came from it", () => {
    expect(problemsOf(["--lat", "0"], { MERIDIAN_PORT: "x" })[0]).toContain("`MERIDIAN_PORT`");
  });

  it.each(["1.5", "", "0x10", "1e3", " 1", "NaN", "-1"])("%j as a port", (text) => {
    expect(problemsOf(["--lat", "0", `--port=${text}`])).toHaveLength(1);
  });

  it.each(["91", "Infinity", "1,5", "north", "--", ""])("%j as a latitude", (text) => {
    expect(problemsOf([`--lat=${text}`])).toHaveLength(1);
  });

  it("the next flag as a value", () => {
    expect(problemsOf(["--lat", "0", "--host", "--port", "1"])).toEqual([
      "Expected only options, got the argument `1`",
      "Expected a value after `--host`, got `--port`",
    ]);
  });

  it("a repeated flag", () => {
    expect(problemsOf(["--lat", "0", "--lat", "1"])).toEqual([
      "Expected `--lat` once, got it again",
    ]);
  });

  it("with nothing but OptionsError and at least one problem", () => {
    const word = fc.oneof(
      fc.constantFrom("--lat", "--port", "--port=1", "--lat=2", "--", "-", "--url", "7", "--x"),
      fc.string(),
    );
    const isOrderly = (argv: readonly string[]): boolean => {
      try {
        parseOptions(TABLE, { argv, env: {} });
        return true;
      } catch (error) {
        return error instanceof OptionsError && error.problems.length > 0;
      }
    };
    fc.assert(
      fc.property(fc.array(word, { maxLength: 8 }), (argv) => {
        expect(isOrderly(argv)).toBe(true);
      }),
    );
  });
});

it("what need not be given has its default", () => {
  expect(defaultsOf(TABLE)).toEqual({
    host: "127.0.0.1",
    port: 7400,
    url: null,
    durability: "process",
    lagMax: 10_000,
  });
});

describe("formatUsage", () => {
  it("lists every option with its variable, values and default", () => {
    const text = formatUsage({ name: "some-program", summary: "It runs.", options: TABLE });
    expect(text).toContain("Usage: some-program [options]\n\nIt runs.");
    for (const { name, description } of TABLE) {
      expect(text).toContain(`--${name} <`);
      const line = text.replace(/\s+/g, " ");
      expect(line).toContain(description);
      expect(line).toContain(`env: ${variableOf(name)}`);
    }
    expect(text).toContain("--durability <process|power>");
    expect(text).toContain("--lag-max <ttl>");
    expect(text).toContain('The bound. (default: "10s", env: MERIDIAN_LAG_MAX)');
    expect(text).toContain("B. (required) (env: MERIDIAN_LAT)");
    expect(text).toContain("What clients use. (env: MERIDIAN_URL)");
    expect(text).toContain("--version");
  });
});
