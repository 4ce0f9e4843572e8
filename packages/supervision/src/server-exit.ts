/** The exit codes of the programs that serve. */
export const SERVER_EXIT = {
  stopped: 0,
  failed: 1,
  /** The configuration is invalid, so a restart without a change does not help. */
  invalidConfig: 2,
} as const;

/** When the programs exit with each code, for manuals. */
export const SERVER_EXIT_MEANINGS: Readonly<Record<keyof typeof SERVER_EXIT, string>> = {
  stopped: "It was told to stop, and has stopped in order.",
  failed:
    "It could not start or cannot go on, and stderr or the log says why; or it was told to stop a second time. Start it again: acknowledged writes are on the disk.",
  invalidConfig:
    "An option, a variable or a file that it names is invalid, and stderr says which. Starting it again does not help.",
};
