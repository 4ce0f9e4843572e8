/** The exit codes of the command. */
export const EXIT = {
  ok: 0,
  failure: 1,
  /** The command line is not one that can run. */
  usage: 2,
  keyNotFound: 3,
  /** Somebody is missing or could not be asked: nothing is known of what they hold. */
  unreachable: 4,
} as const;

/** When each is given, as one sentence for manuals. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "Done; of `verify`: all hold the same; of `doctor`: nothing is wrong.",
  failure:
    "It failed, and stderr says why; of `verify`: a key differs; of `drill`: a promise was broken; of `bench`: a request failed, or an answer was wrong; of `doctor`: something was found.",
  usage:
    "The command line, a file that it names, or the current context cannot be used. Nothing was done.",
  keyNotFound: "The key has no value; of `mget`, `touch` and `ttl`: one of the keys has none.",
  unreachable:
    "Of `verify`: somebody is missing or could not be asked; of `doctor`: no directory answers.",
};
