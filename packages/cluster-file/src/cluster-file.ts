import type { Limits } from "./limits.ts";

/** What is said of any process. What is not said is left to the program's own default. */
export interface ProcessEntry {
  /** Names the process; unique in the file. */
  readonly id: string;
  /** Where others reach it, without a last slash. */
  readonly url: string | undefined;
  /** The address and port to listen on. */
  readonly host: string | undefined;
  readonly port: number | undefined;
  /** The folder of its data. */
  readonly data: string | undefined;
  /** The origins of web pages that may ask it. */
  readonly allowOrigin: readonly string[] | undefined;
  /** Host names that it answers to where it listens on a loopback address. */
  readonly allowHost: readonly string[] | undefined;
  /** Bounds of this process alone, before those of the cluster. */
  readonly limits: Limits;
}

/** A directory. */
export interface DirectoryEntry extends ProcessEntry {
  /** As it is written, else made of host and port. */
  readonly url: string;
}

/** A regional node. */
export interface RegionEntry extends ProcessEntry {
  readonly region: string | undefined;
  /** Decimal degrees. */
  readonly lat: number;
  readonly lon: number;
  /** The address that clients are told. */
  readonly ip: string | undefined;
}

/** How every process logs. */
export interface LogSettings {
  readonly level: string | undefined;
  readonly format: string | undefined;
}

/** A cluster: who belongs to it, where, and within which bounds. */
export interface ClusterFile {
  readonly cluster: string | undefined;
  /** In order of priority; at least one. */
  readonly directories: readonly DirectoryEntry[];
  /** At least one. */
  readonly regions: readonly RegionEntry[];
  readonly limits: Limits;
  readonly log: LogSettings;
}
