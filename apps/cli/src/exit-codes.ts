/** The exit codes of the command. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** The command line, or a file that it names, is invalid. */
  usage: 2,
  keyNotFound: 3,
  /** A party is missing or could not be asked, so its data are unknown. */
  unreachable: 4,
} as const;

/** When the command exits with each code, for manuals. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "Success. `verify`: all parties hold the same. `doctor`: it has found no problem.",
  failure:
    "The command failed, and stderr says why. `verify`: a key differs. `drill`: a guarantee was broken. `bench`: a request failed, or an answer was wrong. `doctor`: it has found a problem. `conditions status`: a directory decides none.",
  usage:
    "The command line, a file that it names, or the current context is invalid. `import` has set the entries before an invalid line; otherwise nothing was done.",
  keyNotFound:
    "The key has no value. `mget`, `touch` and `ttl`: at least one of the keys has none.",
  unreachable:
    "`verify`: a party is missing or could not be asked. `doctor`: no directory answers.",
};
