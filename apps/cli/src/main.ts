#!/usr/bin/env node
import { once } from "node:events";

import { runCli } from "./run-cli.ts";

const { stdin, stdout, stderr, env } = process;
const colour =
  (env["FORCE_COLOR"] ?? "") !== "" || (stderr.isTTY === true && (env["NO_COLOR"] ?? "") === "");

// A reader that closes the pipe early, such as `head`, is no failure.
stdout.on("error", (error: NodeJS.ErrnoException) => {
  process.exit(error.code === "EPIPE" ? 0 : 1);
});

void runCli(process.argv.slice(2), {
  stdout,
  isTerminal: stdout.isTTY === true,
  drained: async () => {
    if (stdout.writableNeedDrain) await once(stdout, "drain");
  },
  showsProgress: stderr.isTTY === true,
  stderr,
  stdin: stdin.isTTY === true ? undefined : stdin,
  env,
  colour,
}).then((exitCode) => {
  process.exitCode = exitCode;
});
