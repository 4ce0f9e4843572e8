/** A script of `wrk` that writes. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Workplace } from "./workplace.ts";

/** Writes a script that puts values of 100 bytes below `path`, under 10 000 keys in turn, and returns the script's path. */
export function putScript(workplace: Workplace, path: string): string {
  const script = join(workplace.folder("wrk"), "put.lua");
  const lines = [
    'wrk.method = "PUT"',
    'wrk.body = string.rep("v", 100)',
    "local n = 0",
    "request = function()",
    "  n = n + 1",
    `  return wrk.format(nil, "${path}" .. string.format("bench-key-%06d", n % 10000))`,
    "end",
    "",
  ];
  writeFileSync(script, lines.join("\n"));
  return script;
}
