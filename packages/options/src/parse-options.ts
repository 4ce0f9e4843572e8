/**
 * Reads the options of a program from its flags (`--lag-max 5s` or `--lag-max=5s`) and from environment variables
 * (`MERIDIAN_LAG_MAX=5s`; the flag wins). Settings from elsewhere, such as a file, hold for options that neither gives.
 *
 * A mistyped option is refused rather than ignored, in the environment too: every variable that begins with
 * `MERIDIAN_` must be one of the table. All problems are reported at once.
 */
import { readArguments, similarFlag } from "./command-of.ts";
import {
  camelCase,
  VARIABLE_PREFIX,
  variableOf,
  type OptionDefaults,
  type OptionRow,
  type OptionTable,
  type OptionValues,
} from "./option-row.ts";
import { readValue } from "./read-value.ts";

/** What the command line asks for: to run with these values, or to print the usage text or the version. */
export type ParsedOptions<Values> =
  | { readonly kind: "run"; readonly values: Values }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

/** Where options come from. */
export interface OptionSources {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  /** The environment. A variable that is set to nothing counts as not set. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Settings that hold unless arguments or environment give the option, such as those of a file. */
  readonly settings?: readonly Setting[];
}

/** The value of one option that comes neither from the command line nor from the environment. */
export interface Setting {
  /** The option's name. */
  readonly name: string;
  /** As it would be written on the command line. */
  readonly text: string;
  /** Where it was found, for messages. */
  readonly source: string;
}

/** Thrown if options are not as declared. `problems` has one sentence for each thing to correct, at least one. */
export class OptionsError extends Error {
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("; "));
    this.name = "OptionsError";
    this.problems = problems;
  }
}

/**
 * Reads the options of a program. `--help` (or `-h`) and `--version` win over everything else.
 * Throws `OptionsError` with every problem found: unknown or repeated flags, stray arguments, unknown
 * `MERIDIAN_` variables, missing options, those without the one that they need, values that are not as declared.
 */
export function parseOptions<const Row extends OptionRow>(
  table: readonly Row[],
  sources: OptionSources,
): ParsedOptions<OptionValues<Row>> {
  const asked = askedOf(sources);
  if (asked !== undefined) return { kind: asked };
  const problems: string[] = [];
  const given = new Map<string, Given>();
  takeSettings(table, sources.settings ?? [], given, problems);
  takeEnvironment(table, sources.env, given, problems);
  takeArguments(table, sources.argv, given, problems);
  const values: Record<string, unknown> = {};
  for (const row of table) {
    values[camelCase(row.name)] = valueOf(row, given.get(row.name), problems);
  }
  for (const { name, needs } of table) {
    const source = needs === undefined || given.has(needs) ? undefined : given.get(name)?.source;
    if (source !== undefined) problems.push(`\`${source}\`: Expected \`--${needs}\` beside it`);
  }
  if (problems.length > 0) throw new OptionsError(problems);
  return { kind: "run", values: values as OptionValues<Row> };
}

/** The defaults of the options that need not be given. */
export function defaultsOf<const Row extends OptionRow>(
  table: readonly Row[],
): OptionDefaults<Row> {
  const free = table.filter(({ required }) => required !== true);
  return Object.fromEntries(
    free.map((row) => [camelCase(row.name), defaultOf(row)]),
  ) as OptionDefaults<Row>;
}

/**
 * The text that arguments or environment give one option, before any check: for an option, such as `--cluster-file`, that names a source
 * of others. Undefined if it is not given, or if the program is only asked for help.
 */
export function givenText(
  table: OptionTable,
  sources: OptionSources,
  name: string,
): string | undefined {
  if (askedOf(sources) !== undefined) return undefined;
  const given = new Map<string, Given>();
  // What is wrong is told when all options are read.
  const problems: string[] = [];
  takeEnvironment(table, sources.env, given, problems);
  takeArguments(table, sources.argv, given, problems);
  return given.get(name)?.text;
}

interface Given {
  /** Undefined if the value was refused already. */
  readonly text: string | undefined;
  /** The flag, the variable or the place in a file, as the user wrote it. */
  readonly source: string;
}

function askedOf({ argv }: OptionSources): "help" | "version" | undefined {
  if (argv.includes("--help") || argv.includes("-h")) return "help";
  return argv.includes("--version") ? "version" : undefined;
}

function takeSettings(
  table: OptionTable,
  settings: readonly Setting[],
  given: Map<string, Given>,
  problems: string[],
): void {
  for (const { name, text, source } of settings) {
    if (table.some((row) => row.name === name)) given.set(name, { text, source });
    else problems.push(`\`${source}\`: this program has no option \`--${name}\``);
  }
}

function takeEnvironment(
  table: OptionTable,
  env: OptionSources["env"],
  given: Map<string, Given>,
  problems: string[],
): void {
  const names = new Map(table.map(({ name }) => [variableOf(name), name]));
  for (const [source, text] of Object.entries(env)) {
    if (!source.startsWith(VARIABLE_PREFIX) || text === undefined) continue;
    const name = names.get(source);
    if (name !== undefined) {
      if (text !== "") given.set(name, { text, source });
      continue;
    }
    const flag = source.slice(VARIABLE_PREFIX.length).toLowerCase().replaceAll("_", "-");
    const similar = similarFlag(table, `--${flag}`)?.slice(2);
    const meant = similar === undefined ? "" : `, did you mean \`${variableOf(similar)}\`?`;
    problems.push(`Unknown environment variable \`${source}\`${meant}; \`--help\` lists them all`);
  }
}

function takeArguments(
  table: OptionTable,
  argv: readonly string[],
  given: Map<string, Given>,
  problems: string[],
): void {
  const { values, unknownFlags, strays } = readArguments(table, argv);
  for (const stray of strays) {
    problems.push(`Expected only options, got the argument \`${stray}\``);
  }
  for (const flag of unknownFlags) {
    const similar = similarFlag(table, flag);
    const meant = similar === undefined ? "" : `, did you mean \`${similar}\`?`;
    problems.push(`Unknown option \`${flag}\`${meant}; \`--help\` lists them all`);
  }
  for (const [name, texts] of values) {
    const source = `--${name}`;
    const isSwitch = table.some((row) => row.name === name && row.kind === "switch");
    // No value begins with two dashes: that is the next flag, and this one lacks its own.
    const text = texts[0] ?? (isSwitch ? "true" : "");
    const isLacking = text === "" || text.startsWith("--");
    if (texts.length > 1) problems.push(`Expected \`${source}\` once, got it again`);
    else if (isLacking) {
      const got = text === "" ? "nothing" : `\`${text}\``;
      problems.push(`Expected a value after \`${source}\`, got ${got}`);
    }
    given.set(name, { text: isLacking ? undefined : text, source });
  }
}

function valueOf(row: OptionRow, given: Given | undefined, problems: string[]): unknown {
  try {
    if (given !== undefined) {
      return given.text === undefined ? null : readValue(row, given.text, given.source);
    }
    if (row.required === true) {
      throw new Error(`Expected \`--${row.name}\` (or ${variableOf(row.name)}), got nothing`);
    }
    return defaultOf(row);
  } catch (cause) {
    problems.push(cause instanceof Error ? cause.message : String(cause));
    return null;
  }
}

function defaultOf(row: OptionRow): unknown {
  if (row.kind === "switch") return false;
  const { default: fallback } = row;
  if (fallback === undefined || typeof fallback === "number") return fallback ?? null;
  if (typeof fallback === "object") throw new Error(`\`${row.name}\` has a default for each role`);
  return readValue(row, fallback, row.name);
}
