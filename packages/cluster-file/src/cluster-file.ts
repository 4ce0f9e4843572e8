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

/** What an entry says of a process. What is not said is left to the program's own default. */
type Said<Rows extends OptionRow> = {
  readonly [Row in Required<Rows> as CamelCase<Row["name"]>]: ValueOf<Row>;
} & {
  readonly [
    Row in Exclude<InProcess<Rows>, Required<Rows>> as CamelCase<Row["name"]>
  ]?: ValueOf<Row>;
};

/** Bounds that are given, by their names in the file. */
export type Limits = Readonly<Record<string, FileValue>>;

interface Bounded {
  /** Bounds of this process alone, before those of the cluster. */
  readonly limits: Limits;
}

/** A directory, with the URL where others reach it: as it is written, else made of host and port. */
export type DirectoryEntry = Said<DirectoryRow> & Bounded & { readonly url: string };

/** A regional node. Its `url`, if it is said, is without a last slash. */
export type RegionEntry = Said<RegionRow> & Bounded;

/** What is said of any process. */
export type ProcessEntry = Pick<
  RegionEntry,
  "id" | "url" | "host" | "port" | "data" | "limits" | "tlsCert" | "insecureNoTls"
>;

/** A cluster: who belongs to it, where, and within which bounds. */
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
