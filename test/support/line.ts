import type { Flow } from "@meridian/cli";

/** A region's way to the directory, which can be broken. */
export interface Line {
  /** Where the region finds the directory. It does not change. */
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

/** A network of one directory and its regions. */
export interface Network {
  readonly directory: Site;
  /** Makes room for one more region. */
  add(): Promise<{ readonly site: Site; readonly line: Line }>;
  /** Takes all of it down. */
  close(): Promise<void>;
}
