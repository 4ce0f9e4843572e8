import type { CamelCase, DirectoryRow, OptionRow, RegionRow, TextKinds } from "@meridian/options";

/** The value of an option as the file writes it. */
export type FileValue = string | number | boolean | readonly string[];

type ValueOf<Row extends OptionRow> = Row extends { readonly kind: "switch" }
  ? boolean
  : Row extends { readonly kind: infer Kind extends keyof TextKinds }
    ? readonly string[] extends TextKinds[Kind]
      ? readonly string[]
      : string
    : Row extends { readonly kind: "choice" }
      ? string
      : number;

type InProcess<Rows extends OptionRow> = Extract<Rows, { readonly file: "process" }>;
type Required<Rows extends OptionRow> = Extract<InProcess<Rows>, { readonly requiredInFile: true }>;

/** The options that an entry gives a process. For all others the program's own defaults hold. */
type Said<Rows extends OptionRow> = {
  readonly [Row in Required<Rows> as CamelCase<Row["name"]>]: ValueOf<Row>;
} & {
  readonly [
    Row in Exclude<InProcess<Rows>, Required<Rows>> as CamelCase<Row["name"]>
  ]?: ValueOf<Row>;
};

/** The bounds that the file gives, by their names in the file. */
export type Limits = Readonly<Record<string, FileValue>>;

interface Bounded {
  /** Bounds of this process alone. They take precedence over those of the cluster. */
  readonly limits: Limits;
}

/** A directory. `url` is where others reach it: the URL in the file, or one made of host and port if the file gives none. */
export type DirectoryEntry = Said<DirectoryRow> & Bounded & { readonly url: string };

/** A regional node. Its `url`, if given, has no slash at its end. */
export type RegionEntry = Said<RegionRow> & Bounded;

/** The members that entries of both kinds have. */
export type ProcessEntry = Pick<
  RegionEntry,
  "id" | "url" | "host" | "port" | "data" | "limits" | "tlsCert" | "insecureNoTls"
>;

/** The contents of a cluster file: the processes of a cluster, their addresses and their bounds. */
export interface ClusterFile {
  readonly cluster?: string;
  /** In order of priority; at least one. */
  readonly directories: readonly DirectoryEntry[];
  /** At least one. */
  readonly regions: readonly RegionEntry[];
  readonly limits: Limits;
  /** How every process logs. */
  readonly log: Readonly<Record<string, FileValue>>;
}
