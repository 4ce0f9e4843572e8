import type { Flow } from "./link-proxy.ts";

/** The way from a region or a directory to a directory, which can be broken. */
export interface Line {
  /** Where the one who takes this way finds the directory. It does not change. */
  readonly url: string;
  /** Where the directory listens since it was last started; undefined while it does not. */
  set target(url: string | undefined);
  /** A peer that is gone: connections end, new ones are refused or time out until `heal`. */
  cut(): void;
  /** A cable pulled out: connections stay open, and nothing passes, or nothing that flows one way, until `heal`. */
  blackHole(flow?: Flow): void;
  /** Lets everything pass again. */
  heal(): void;
  /** Takes the line down for good. */
  close(): Promise<void>;
}

/** Where a program runs. */
export interface Site {
  /** A command that runs the program there. */
  readonly launcher: readonly string[];
  /** What the program is told to listen on. */
  readonly host: string;
  readonly port: number;
  /** Where this process reaches a program that listens there and says it does at `url`. */
  reach(url: string): string;
}

/** A site, and the ways from there to directories, by their places in the order of preference. */
export interface Outpost {
  readonly site: Site;
  readonly lines: ReadonlyMap<number, Line>;
}

/** A network of directories and their regions. */
export interface Network {
  /** Makes room for so many directories, each with a line to each other one. Called once, and first. */
  open(directories: number): Promise<readonly Outpost[]>;
  /** Makes room for one more region, with a line to each directory. */
  add(): Promise<Outpost>;
  /** Takes all of it down. */
  close(): Promise<void>;
}
