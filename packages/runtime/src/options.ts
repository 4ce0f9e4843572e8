/**
 * The options of a program, declared once as a table: flags (`--lag-max 5s` or `--lag-max=5s`), their
 * environment twins (`MERIDIAN_LAG_MAX=5s`; the flag wins) and the usage text all come from it. A program may have
 * settings from elsewhere, such as a file, for what neither says.
 *
 * A mistyped option is refused rather than ignored, in the environment too: every variable that begins with
 * `MERIDIAN_` must be one of the table. All problems are reported at once.
 */

interface OptionBase {
  /** The flag without its dashes, in kebab-case. */
  readonly name: string;
  /** One sentence for the usage text. */
  readonly description: string;
  /** The option has no default and must be given. */
  readonly required?: true;
}

/** One option. Without `required`, `default` says what holds when it is not given; null stands for nothing. */
export type OptionDeclaration = OptionBase &
  (
    | { readonly type: "text"; readonly default?: string | null }
    /** True where the flag stands alone, or where flag, variable or file say `true`; else false. */
    | { readonly type: "switch"; readonly default?: null }
    | {
        /** A whole number, or any decimal one, between `min` and `max`. */
        readonly type: "integer" | "number";
        readonly min: number;
        readonly max: number;
        readonly default?: number | null;
      }
    | {
        readonly type: "choice";
        readonly choices: readonly string[];
        readonly default?: string | null;
      }
    | {
        /** Text that `parse` reads; it throws an error whose message says what it expected and what came. */
        readonly type: "parsed";
        readonly parse: (text: string) => unknown;
        /** What the usage text calls the value, such as `ttl`. */
        readonly placeholder: string;
        /** As one would write it; it goes through `parse` like everything else. */
        readonly default?: string | null;
      }
  );

/** The options of one program. */
export type OptionTable = readonly OptionDeclaration[];

type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type GivenValue<Option> = Option extends { readonly type: "switch" }
  ? boolean
  : Option extends { readonly type: "integer" | "number" }
    ? number
    : Option extends { readonly type: "choice"; readonly choices: readonly (infer Choice)[] }
      ? Choice
      : Option extends { readonly type: "parsed"; readonly parse: (text: string) => infer Value }
        ? Value
        : string;

type OptionValue<Option> =
  | GivenValue<Option>
  | (Option extends
      | { readonly required: true }
      | { readonly default: string | number }
      | { readonly type: "switch" }
      ? never
      : null);

/** The values of a table's options, under the flags' names in camelCase. */
export type OptionValues<Table extends OptionTable> = {
  readonly [Option in Table[number] as CamelCase<Option["name"]>]: OptionValue<Option>;
};

/** What the command line asks for: to run with these values, or to be told something. */
export type ParsedOptions<Table extends OptionTable> =
  | { readonly kind: "run"; readonly values: OptionValues<Table> }
  | { readonly kind: "help" }
  | { readonly kind: "version" };

/** Where options come from. */
export interface OptionSources {
  /** The arguments after the program's name. */
  readonly argv: readonly string[];
  /** The environment. A variable that is set to nothing counts as not set. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** What holds unless arguments or environment say otherwise, such as the contents of a file. */
  readonly settings?: readonly Setting[];
}

/** The value of one option from somewhere else than the command line and the environment. */
export interface Setting {
  /** The option's name. */
  readonly name: string;
  /** As it would be written on the command line. */
  readonly text: string;
  /** Where it was found, for messages. */
  readonly source: string;
}

/** Options were not as declared. `problems` has one sentence for each thing to correct, never none. */
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
 * `MERIDIAN_` variables, missing options, values that are not as declared.
 */
export function parseOptions<const Table extends OptionTable>(
  table: Table,
  sources: OptionSources,
): ParsedOptions<Table> {
  if (sources.argv.includes("--help") || sources.argv.includes("-h")) return { kind: "help" };
  if (sources.argv.includes("--version")) return { kind: "version" };
  const problems: string[] = [];
  const given = new Map<string, Given>();
  readSettings(table, sources.settings ?? [], given, problems);
  readEnvironment(table, sources.env, given, problems);
  readArguments(table, sources.argv, given, problems);
  const values: Record<string, unknown> = {};
  for (const option of table) {
    values[camelCase(option.name)] = valueOf(option, given.get(option.name), problems);
  }
  if (problems.length > 0) throw new OptionsError(problems);
  return { kind: "run", values: values as OptionValues<Table> };
}

/**
 * The text that arguments or environment give one option, before anything is checked: for an option that says where
 * others come from. Undefined where it is not given, and where the program is only asked for help.
 */
export function givenText(
  table: OptionTable,
  sources: OptionSources,
  name: string,
): string | undefined {
  const { argv, env } = sources;
  if (["--help", "-h", "--version"].some((flag) => argv.includes(flag))) return undefined;
  const given = new Map<string, Given>();
  // What is wrong is told when all options are read.
  const problems: string[] = [];
  readEnvironment(table, env, given, problems);
  readArguments(table, argv, given, problems);
  return given.get(name)?.text;
}

/** What a program says of itself in its usage text. */
export interface ProgramDescription {
  /** As it is typed, such as `meridian-directory`. */
  readonly name: string;
  /** One sentence. */
  readonly summary: string;
  readonly options: OptionTable;
}

/** The text that `--help` prints, without a last line break. */
export function formatUsage(program: ProgramDescription): string {
  const lines = [
    `Usage: ${program.name} [options]`,
    "",
    program.summary,
    "",
    "Options, each with the environment variable that stands for it (the flag wins):",
  ];
  const heads = program.options.map((option) => `--${option.name}${placeholderOf(option)}`);
  const width = Math.max(0, ...heads.map((head) => head.length));
  program.options.forEach((option, index) => {
    lines.push(`  ${(heads[index] ?? "").padEnd(width)}  ${variableOf(option.name)}`);
    lines.push(`      ${option.description} ${defaultOf(option)}`);
  });
  lines.push(`  ${"--help".padEnd(width)}  Prints this text.`);
  lines.push(`  ${"--version".padEnd(width)}  Prints the version.`);
  return lines.join("\n");
}

/** The environment variable that stands for a flag: `lag-max` is `MERIDIAN_LAG_MAX`. */
export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase().replaceAll("-", "_");
}

const VARIABLE_PREFIX = "MERIDIAN_";

interface Given {
  /** Undefined where the value was refused already. */
  readonly text: string | undefined;
  /** The flag, the variable or the place in a file, as the user wrote it. */
  readonly source: string;
}

function readSettings(
  table: OptionTable,
  settings: readonly Setting[],
  given: Map<string, Given>,
  problems: string[],
): void {
  for (const { name, text, source } of settings) {
    if (table.some((option) => option.name === name)) given.set(name, { text, source });
    else problems.push(`\`${source}\`: this program has no option \`--${name}\``);
  }
}

function readEnvironment(
  table: OptionTable,
  env: OptionSources["env"],
  given: Map<string, Given>,
  problems: string[],
): void {
  const names = new Map(table.map((option) => [variableOf(option.name), option.name]));
  for (const [source, text] of Object.entries(env)) {
    if (!source.startsWith(VARIABLE_PREFIX) || text === undefined) continue;
    const name = names.get(source);
    if (name === undefined) {
      problems.push(
        `Unknown environment variable \`${source}\`${suggest(source, names.keys())}; \`--help\` lists them all`,
      );
    } else if (text !== "") {
      given.set(name, { text, source });
    }
  }
}

function readArguments(
  table: OptionTable,
  argv: readonly string[],
  given: Map<string, Given>,
  problems: string[],
): void {
  const names = new Set(table.map((option) => option.name));
  const switches = new Set(table.filter(({ type }) => type === "switch").map(({ name }) => name));
  const seen = new Set<string>();
  for (let index = 0; index < argv.length; index += 1) {
    const argument = argv[index] ?? "";
    if (!argument.startsWith("--") || argument === "--") {
      problems.push(`Expected only options, got the argument \`${argument}\``);
      continue;
    }
    const equals = argument.indexOf("=");
    const flag = equals === -1 ? argument : argument.slice(0, equals);
    const name = flag.slice(2);
    let text = equals === -1 ? undefined : argument.slice(equals + 1);
    if (text === undefined && switches.has(name)) text = "true";
    // A value may begin with one dash (a latitude south), never with two: that is the next flag.
    if (text === undefined && argv[index + 1]?.startsWith("--") === false) {
      index += 1;
      text = argv[index];
    }
    if (!names.has(name)) {
      const flags = [...names].map((known) => `--${known}`);
      problems.push(`Unknown option \`${flag}\`${suggest(flag, flags)}; \`--help\` lists them all`);
    } else if (seen.has(name)) {
      problems.push(`Expected \`${flag}\` once, got it again`);
    } else if (text === undefined || text === "") {
      problems.push(`Expected a value after \`${flag}\`, got nothing`);
      given.set(name, { text: undefined, source: flag });
    } else {
      given.set(name, { text, source: flag });
    }
    seen.add(name);
  }
}

function valueOf(option: OptionDeclaration, given: Given | undefined, problems: string[]): unknown {
  try {
    if (given !== undefined) {
      return given.text === undefined ? null : readValue(option, given.text, given.source);
    }
    if (option.required === true) {
      throw new Error(`Expected \`--${option.name}\` (or ${variableOf(option.name)}), got nothing`);
    }
    if (option.type === "switch") return false;
    const { default: fallback = null } = option;
    if (option.type === "parsed" && typeof fallback === "string") return option.parse(fallback);
    return fallback;
  } catch (cause) {
    problems.push(cause instanceof Error ? cause.message : String(cause));
    return null;
  }
}

function readValue(option: OptionDeclaration, text: string, source: string): unknown {
  switch (option.type) {
    case "text":
      return text;
    case "switch":
      if (text === "true" || text === "false") return text === "true";
      throw new Error(`Expected \`${source}\` to be \`true\` or \`false\`, got \`${text}\``);
    case "integer":
    case "number":
      return readNumber(option, text, source);
    case "choice":
      if (option.choices.includes(text)) return text;
      throw new Error(`Expected \`${source}\` to be ${listed(option.choices)}, got \`${text}\``);
    case "parsed":
      try {
        return option.parse(text);
      } catch (cause) {
        const said = cause instanceof Error ? cause.message : String(cause);
        throw new Error(`\`${source}\`: ${said}`, { cause });
      }
  }
}

function readNumber(
  option: Extract<OptionDeclaration, { min: number }>,
  text: string,
  source: string,
): number {
  const shape =
    option.type === "integer" ? /^[+-]?\d+$/ : /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i;
  const value = shape.test(text) ? Number(text) : NaN;
  if (value >= option.min && value <= option.max) return value;
  const what = option.type === "integer" ? "a whole number" : "a number";
  throw new Error(
    `Expected \`${source}\` to be ${what} between ${option.min} and ${option.max}, got \`${text}\``,
  );
}

function placeholderOf(option: OptionDeclaration): string {
  if (option.type === "switch") return "";
  if (option.type === "choice") return ` <${option.choices.join("|")}>`;
  return ` <${option.type === "parsed" ? option.placeholder : option.type}>`;
}

function defaultOf(option: OptionDeclaration): string {
  if (option.required === true) return "(required)";
  if (option.type === "switch") return "(default: off)";
  const { default: fallback = null } = option;
  return fallback === null ? "(default: none)" : `(default: ${fallback})`;
}

function listed(words: readonly string[]): string {
  const quoted = words.map((word) => `\`${word}\``);
  const last = quoted.pop() ?? "";
  return quoted.length === 0 ? last : `${quoted.join(", ")} or ${last}`;
}

function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** `, did you mean …?` where one of the known names is at most two edits away. */
function suggest(name: string, known: Iterable<string>): string {
  let best: string | undefined;
  let least = 3;
  for (const candidate of known) {
    const distance = editDistance(name, candidate);
    if (distance < least) {
      best = candidate;
      least = distance;
    }
  }
  return best === undefined ? "" : `, did you mean \`${best}\`?`;
}

/** Levenshtein's distance, one row of the table at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
