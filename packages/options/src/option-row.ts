/**
 * An option of a program, declared once as a row of a table. Flag, environment variable, usage text, the type of its value, its
 * place in the cluster file, the JSON Schema of that file and `CONFIGURATION.md` are all made from the row.
 */
import type { AllowedOrigins } from "@meridian/protocol";

/** The program that a process runs. */
export type Role = "directory" | "region";

/** The value types of the options that are read from text, by their kinds. */
export interface TextKinds {
  readonly text: string;
  /** A DNS label in lower case. */
  readonly name: string;
  /** Milliseconds, written such as `90s`. */
  readonly duration: number;
  /** A duration that deletes can be remembered for. */
  readonly horizon: number;
  /** An IPv4 or IPv6 address. */
  readonly address: string;
  /** The URL of a host, without a path. */
  readonly url: string;
  /** The URL of a program, which may have a path that others are appended to. */
  readonly base: string;
  /** URLs with commas between them, each once. */
  readonly urls: readonly string[];
  /** Origins of web pages with commas between them, or `*`. */
  readonly origins: AllowedOrigins;
  /** Host names with commas between them. */
  readonly hosts: readonly string[];
}

interface RowBase<Default> {
  /** The flag without its dashes, in kebab-case. */
  readonly name: string;
  /** One sentence for the usage text and the documents. */
  readonly description: string;
  /** The option has no default and must be given. */
  readonly required?: true;
  /** The default, as a user would write it; one for each role if they differ. Absent if the default is null. */
  readonly default?: Default | Readonly<Record<Role, Default>>;
  /**
   * Where the cluster file gives the option: in the entry of a process (`process`), under `limits` of a process or of the cluster (`limits`),
   * under `log`, or at the top (`cluster`). Null if the file does not give it, or gives it in another form.
   */
  readonly file: "process" | "limits" | "log" | "cluster" | null;
  /**
   * What SIGHUP reads again: the value in the cluster file or the options file of the service, or the contents of the file that the option names. A change of an option without
   * it needs a restart.
   */
  readonly reloads?: "option" | "contents";
  /** The name of another option, without which this one says nothing, and is refused. */
  readonly needs?: string;
  /** The entry of a process in the cluster file must have it. */
  readonly requiredInFile?: true;
}

/** One option. */
export type OptionRow =
  | (RowBase<string> & { readonly kind: Exclude<keyof TextKinds, "name"> })
  | (RowBase<string> & {
      readonly kind: "name";
      /** What it names, for messages: `an id`. */
      readonly what: string;
    })
  | (RowBase<number> & {
      /** A whole number, or any decimal one, between `min` and `max`. */
      readonly kind: "integer" | "number";
      readonly min: number;
      readonly max: number;
      /** The least one that the cluster file may have, if it is another. */
      readonly minInFile?: number;
    })
  | (RowBase<string> & { readonly kind: "choice"; readonly choices: readonly string[] })
  /** True if the flag has no value, or if flag, variable or file have `true`; otherwise false. */
  | (RowBase<never> & { readonly kind: "switch" });

/** The options of one program. */
export type OptionTable = readonly OptionRow[];

/** A name in kebab-case as it is written in code and in the cluster file: in camelCase. */
export type CamelCase<Name extends string> = Name extends `${infer Head}-${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type GivenValue<Row extends OptionRow> = Row extends { readonly kind: infer Kind }
  ? Kind extends keyof TextKinds
    ? TextKinds[Kind]
    : Row extends { readonly kind: "choice"; readonly choices: readonly (infer Choice)[] }
      ? Choice
      : Kind extends "switch"
        ? boolean
        : number
  : never;

/** Rows whose option always has a value: it is required, or has a default. */
type Certain =
  | { readonly required: true }
  | { readonly default: string | number | object }
  | { readonly kind: "switch" };

type OptionValue<Row extends OptionRow> = GivenValue<Row> | (Row extends Certain ? never : null);

/** The values of some rows, under the flags' names in camelCase. */
export type OptionValues<Rows extends OptionRow> = {
  readonly [Row in Rows as CamelCase<Row["name"]>]: OptionValue<Row>;
};

/** The values of the rows that need not be given. */
export type OptionDefaults<Rows extends OptionRow> = OptionValues<
  Exclude<Rows, { readonly required: true }>
>;

/** Values that are given in code: those of required rows, and any of the others. */
export type GivenOptions<Rows extends OptionRow> = Partial<OptionDefaults<Rows>> &
  OptionValues<Extract<Rows, { readonly required: true }>>;

/** Turns `lag-max` into `lagMax`, as code and the cluster file write it. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The environment variable that stands for a flag: `lag-max` is `MERIDIAN_LAG_MAX`. */
export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase().replaceAll("-", "_");
}

/** Every environment variable that begins with this must be an option. */
export const VARIABLE_PREFIX = "MERIDIAN_";

/** The row with the default of one role. */
export function rowFor<Row extends OptionRow>(row: Row, role: Role): Row {
  return typeof row.default === "object" ? { ...row, default: row.default[role] } : row;
}
