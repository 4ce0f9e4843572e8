/**
 * An option of a program, declared once as a row of a table. Flag, environment variable, usage text, the type of its value, its
 * place in the cluster file, the JSON Schema of that file and `CONFIGURATION.md` are all made from the row.
 */
import type { AllowedOrigins } from "@meridian/protocol";

/** What a process is. */
export type Role = "directory" | "region";

/** The values of the kinds of options that are text which is read. */
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
  /** What holds when it is not given, as one would write it; for each role where they differ. Without it, null. */
  readonly default?: Default | Readonly<Record<Role, Default>>;
  /**
   * Where the cluster file says it: in the entry of a process, under its `limits` or those of the cluster, under `log`,
   * or of the whole cluster. Null where the file does not say it, or says it by other means.
   */
  readonly file: "process" | "limits" | "log" | "cluster" | null;
  /** What the cluster file says is read anew on SIGHUP. */
  readonly reloads?: true;
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
  /** True where the flag stands alone, or where flag, variable or file say `true`; else false. */
  | (RowBase<never> & { readonly kind: "switch" });

/** The options of one program. */
export type OptionTable = readonly OptionRow[];

/** A name in kebab-case as it is called in code and in the cluster file. */
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

/** Rows that have a value whatever is given. */
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

/** `lag-max` as it is called in code and in the cluster file: `lagMax`. */
export function camelCase(name: string): string {
  return name.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** The environment variable that stands for a flag: `lag-max` is `MERIDIAN_LAG_MAX`. */
export function variableOf(name: string): string {
  return VARIABLE_PREFIX + name.toUpperCase().replaceAll("-", "_");
}

/** Every environment variable that begins with this must be an option. */
export const VARIABLE_PREFIX = "MERIDIAN_";

/** A row as it is for one role: with the default of that role. */
export function rowFor<Row extends OptionRow>(row: Row, role: Role): Row {
  return typeof row.default === "object" ? { ...row, default: row.default[role] } : row;
}
