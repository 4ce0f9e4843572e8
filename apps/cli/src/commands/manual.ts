/** The commands that describe the command itself: `completion` and `man`. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { MeridianError } from "@meridian/protocol";
import type { Command } from "commander";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { treeOf } from "../manual/command-tree.ts";
import { completionFor, type Shell } from "../manual/completion.ts";
import { manPagesOf } from "../manual/man-pages.ts";

/** `meridian completion`: a script for a shell. */
export function completion(shell: Shell, program: Command, io: CliIo): number {
  io.stdout.write(completionFor(shell, treeOf(program)));
  return EXIT.ok;
}

/** `meridian man`: every page into a folder. */
export function man(folder: string, program: Command, io: CliIo): number {
  const pages = manPagesOf(treeOf(program), program.version() ?? "");
  try {
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of pages) writeFileSync(join(folder, name), text);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MeridianError(
      "INVALID_ARGUMENT",
      `Expected to write pages to \`${folder}\`: ${why}`,
      {
        cause,
      },
    );
  }
  io.stdout.write(`${pages.size} pages are in ${folder}: man -l ${join(folder, "meridian.1")}\n`);
  return EXIT.ok;
}
