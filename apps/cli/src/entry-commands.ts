/** The commands that read, write and carry entries. */
import type { Command } from "commander";

import { acknowledged, place } from "./command-options.ts";
import type * as Entries from "./commands/entries.ts";
import type { CommandFlags, KeysFlags, SetFlags } from "./commands/entries.ts";
import type * as Many from "./commands/many.ts";
import type { DelFlags, EntriesFlags, TouchFlags } from "./commands/many.ts";
import type * as Transfer from "./commands/transfer.ts";
import type { ExportFlags, ImportFlags } from "./commands/transfer.ts";
import type { BenchFlags } from "./commands/bench.ts";
import type { WatchFlags } from "./commands/watch.ts";
import type { CliIo } from "./io.ts";

type Done = (exitCode: number) => void;

const TTL = "how long the value lives: seconds, or 90s, 15m, 2h, 7d (default: for ever)";

/** Adds the commands to the program. `done` gets the exit code of the command that ran. */
export function addEntryCommands(program: Command, io: CliIo, done: Done): void {
  addSingle(program, io, done);
  addMany(program, io, done);
  addListings(program, io, done);
  addTransfers(program, io, done);
  addBench(program, io, done);
}

function addSingle(program: Command, io: CliIo, done: Done): void {
  const load = (): Promise<typeof Entries> => import("./commands/entries.ts");
  place(program.command("get"))
    .description(
      "Writes the value of a key to stdout, as it is stored; on a terminal, with a line break. Exit code 3 if the key has no value.",
    )
    .argument("<key>")
    .action(async (key: string, flags: CommandFlags) =>
      done(await (await load()).get(key, flags, io)),
    );
  acknowledged(place(program.command("set")))
    .description(
      "Sets the value of a key: the argument, as JSON if it is valid JSON and otherwise as text; without the argument, the bytes of stdin.",
    )
    .argument("<key>")
    .argument("[value]")
    .option("--ttl <ttl>", TTL)
    .option("--type <type>", "content type, or `json` or `text` (default: see the description)")
    .action(async (key: string, value: string | undefined, flags: SetFlags) =>
      done(await (await load()).set(key, value, flags, io)),
    );
}

function addMany(program: Command, io: CliIo, done: Done): void {
  const load = (): Promise<typeof Many> => import("./commands/many.ts");
  place(program.command("mget"))
    .description("Prints the values of several keys. Exit code 3 if one of them has no value.")
    .argument("<keys...>")
    .action(async (keys: readonly string[], flags: CommandFlags) =>
      done(await (await load()).mget(keys, flags, io)),
    );
  acknowledged(place(program.command("mset")))
    .description(
      "Sets the values of several keys, as `set` does. Up to 1,000 are one commit: all of them, or none.",
    )
    .argument("<key-value...>", "a key and its value, then the next key and its value")
    .option("--ttl <ttl>", TTL)
    .option("--type <type>", "content type, or `json` or `text` (default: as `set`)")
    .action(async (words: readonly string[], flags: SetFlags) =>
      done(await (await load()).mset(words, flags, io)),
    );
  acknowledged(place(program.command("del")))
    .description(
      "Deletes keys, or all keys with a prefix: those page by page, as a loop of many requests and not as one. If it is broken off, the same command again goes on; keys that are set meanwhile may stay.",
    )
    .argument("[keys...]")
    .option("--prefix <prefix>", "all keys that begin with this, instead of the keys")
    .action(async (keys: readonly string[], flags: DelFlags) =>
      done(await (await load()).del(keys, flags, io)),
    );
  acknowledged(place(program.command("touch")))
    .description(
      "Makes values live for another time, without sending them. Exit code 3 if one of the keys has no value.",
    )
    .argument("<keys...>")
    .option("--ttl <ttl>", "how long from now: seconds, or 90s, 15m, 2h, 7d")
    .option("--at <instant>", "until when instead, such as 2030-01-31T12:00:00Z, or `never`")
    .action(async (keys: readonly string[], flags: TouchFlags) =>
      done(await (await load()).touch(keys, flags, io)),
    );
  place(program.command("ttl"))
    .description("Prints how much longer values live. Exit code 3 if one of the keys has no value.")
    .argument("<keys...>")
    .action(async (keys: readonly string[], flags: CommandFlags) =>
      done(await (await load()).ttl(keys, flags, io)),
    );
}

function addListings(program: Command, io: CliIo, done: Done): void {
  const load = (): Promise<typeof Entries> => import("./commands/entries.ts");
  place(program.command("keys"))
    .description("Lists the keys that have a value.")
    .argument("[prefix]", "only keys that begin with this")
    .option("--limit <count>", "at most so many")
    .action(async (prefix: string | undefined, flags: KeysFlags) =>
      done(await (await load()).keys(prefix, flags, io)),
    );
  place(program.command("entries"))
    .description(
      "Lists the keys that have a value, with their values. This does not count as a use of them.",
    )
    .argument("[prefix]", "only keys that begin with this")
    .option("--after <key>", "only keys after this one")
    .option("--limit <count>", "at most so many")
    .action(async (prefix: string | undefined, flags: EntriesFlags) =>
      done(await (await import("./commands/many.ts")).entries(prefix, flags, io)),
    );
  place(program.command("watch"))
    .description("Prints what becomes of a key, or of all keys with a prefix, until it is ended.")
    .argument("[key]")
    .option("--prefix <prefix>", "all keys that begin with this, instead of one key")
    .option("--values", "with the values that are set")
    .option("--limit <count>", "end after so many events")
    .action(async (key: string | undefined, flags: WatchFlags) =>
      done(await (await import("./commands/watch.ts")).watch(key, flags, io)),
    );
}

function addTransfers(program: Command, io: CliIo, done: Done): void {
  const load = (): Promise<typeof Transfer> => import("./commands/transfer.ts");
  place(program.command("export"))
    .description("Writes all live entries to stdout, in key order, one line of JSON each.")
    .argument("[prefix]", "only keys that begin with this")
    .option("--after <key>", "only keys after this one")
    .option("--rate <count>", "at most so many entries per second")
    .action(async (prefix: string | undefined, flags: ExportFlags) =>
      done(await (await load()).exportEntries(prefix, flags, io)),
    );
  acknowledged(place(program.command("import")))
    .description(
      "Sets the entries of a file or of stdin, one line of JSON each, as `export` writes them.",
    )
    .argument("[file]")
    .option("--from-line <number>", "skip the lines before this one")
    .option("--rate <count>", "at most so many entries per second")
    .action(async (file: string | undefined, flags: ImportFlags) =>
      done(await (await load()).importEntries(file, flags, io)),
    );
}

function addBench(program: Command, io: CliIo, done: Done): void {
  place(program.command("bench"))
    .description(
      "Measures a cluster from here: sets and gets keys of its own through the client, checks the answers before and meanwhile, prints latencies, and deletes the keys. Exit code 1 if a request failed or an answer was wrong.",
    )
    .option("--seconds <count>", "how long (default: 10)")
    .option(
      "--rate <count>",
      "begin so many requests per second, whether or not earlier ones have been answered, and count each latency from when the request was due (default: as fast as the callers can)",
    )
    .option(
      "--callers <count>",
      "at most so many requests at a time (default: 16; with --rate: 1000)",
    )
    .option("--reads <share>", "the share of reads, from 0 to 1 (default: 0.9)")
    .option("--keys <count>", "how many keys (default: 1000)")
    .option("--bytes <count>", "how large their values are (default: 100)")
    .action(async (flags: BenchFlags) =>
      done(await (await import("./commands/bench.ts")).bench(flags, io)),
    );
}
