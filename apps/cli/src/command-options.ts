/** Options that several commands have. */
import type { Command } from "commander";

/** Adds the options of a command that asks a directory. */
export function directory(command: Command): Command {
  return command
    .option(
      "--directory <url>",
      "the directory, or several with commas: the first that answers is used (MERIDIAN_DIRECTORY; default: http://127.0.0.1:7400)",
    )
    .option("--json", "for machines");
}

/** Adds the options of a command that asks a node. */
export function place(command: Command): Command {
  return directory(command)
    .option("--lat <degrees>", "your latitude: the nearest node is used (MERIDIAN_LAT)")
    .option("--lon <degrees>", "(MERIDIAN_LON)")
    .option("--node <id|url>", "use this node");
}

/** Adds the options of a command that writes. */
export function acknowledged(command: Command): Command {
  return command
    .option(
      "--ack <level>",
      "wait for: local, directory, all, or a number of nodes (default: local)",
    )
    .option("--timeout <ttl>", "how long to wait for that (default: 5s)");
}
