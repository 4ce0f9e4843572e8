/** The exit codes of the programs that serve. */
export const SERVER_EXIT = {
  stopped: 0,
  failed: 1,
  /** A restart without a change of the configuration does not help. */
  invalidConfig: 2,
} as const;

/** When the programs exit with each code, as one sentence for manuals. */
export const SERVER_EXIT_MEANINGS: Readonly<Record<keyof typeof SERVER_EXIT, string>> = {
  stopped: "It was told to stop, and has stopped in order.",
  failed:
    "It cannot go on or could not start, and stderr or the log says why; or it was told twice to stop. Start it again: what was acknowledged is there.",
  invalidConfig:
    "An option, a variable or a file that it names cannot be used, and stderr says which: starting it again does not help.",
};
