import type { Flow } from "./link-proxy.ts";

/** The network connection from a region or a directory to a directory, which can be broken. */
export interface Line {
  /** The URL at which the region or directory dials the other end. It does not change. */
  readonly url: string;
  /** The URL at which the directory listens since its last start; undefined while it does not run. */
  set target(url: string | undefined);
  /** Simulates a dead peer: connections end, and new ones are refused or time out until `heal`. */
  cut(): void;
  /** Simulates an unplugged cable: connections stay open, and no bytes pass, in both directions or in one, until `heal`. */
  blackHole(flow?: Flow): void;
  /** Lets everything pass again. */
  heal(): void;
  /** Closes the line for good. */
  close(): Promise<void>;
}

/** Where a program runs. */
export interface Site {
  /** A command that runs the program there. */
  readonly launcher: readonly string[];
  /** The address on which the program listens. */
  readonly host: string;
  readonly port: number;
  /** The URL at which this process reaches a program that listens there at `url`. */
  reach(url: string): string;
}

/** A site, and its lines to directories, by their indexes in the order of preference. */
export interface Outpost {
  readonly site: Site;
  readonly lines: ReadonlyMap<number, Line>;
}

/** A network of directories and their regions. */
export interface Network {
  /** Makes a site for each of `directories` directories, with a line to each other one. Called once, before `add`. */
  open(directories: number): Promise<readonly Outpost[]>;
  /** Makes a site for one more region, with a line to each directory. */
  add(): Promise<Outpost>;
  /** Closes all lines and removes all sites. */
  close(): Promise<void>;
}
