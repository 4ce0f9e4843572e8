/**
 * A client under load whose nearest node is killed, frozen, cut off and drained:
 *
 *   npm run hunt:client-loss -- [--rate 500] [--away <ms>] [--transport http,websocket] [--losses kill,freeze,cut,drain] [--gap-max <ms>]
 *
 * Exit code 1 if a promise is broken, or no call is answered for longer than `--gap-max`.
 */
import { parseArgs } from "node:util";

import { loseNodes, type Loss } from "./loss.ts";

const LOSSES: readonly Loss[] = ["kill", "freeze", "cut", "drain"];
const TRANSPORTS = ["http", "websocket"] as const;

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "500" },
    away: { type: "string", default: "6000" },
    transport: { type: "string", default: TRANSPORTS.join() },
    losses: { type: "string", default: LOSSES.join() },
    "gap-max": { type: "string", default: "2000" },
  },
});
const gapMsMax = Number(values["gap-max"]);
let isBad = false;
for (const transport of pick("--transport", values.transport, TRANSPORTS)) {
  const losses = pick("--losses", values.losses, LOSSES);
  const options = { transport, rate: Number(values.rate), awayMs: Number(values.away), losses };
  await loseNodes(options, ({ loss, answered, failures, gapMs, backMs, wrong }) => {
    isBad ||= wrong.length > 0 || gapMs > gapMsMax;
    const failed = JSON.stringify(failures);
    console.log(
      `${transport}, ${loss}: ${answered} calls answered, failed ${failed}; longest gap ${gapMs.toFixed(0)} ms; ` +
        `back at the nearest node after ${(backMs / 1_000).toFixed(1)} s; ${wrong.length} promises broken`,
    );
    for (const each of wrong.slice(0, 20)) console.log(`  ${each}`);
  });
}
process.exitCode = isBad ? 1 : 0;

function pick<T extends string>(flag: string, text: string, known: readonly T[]): readonly T[] {
  return text.split(",").map((name) => {
    const found = known.find((each) => each === name);
    if (found !== undefined) return found;
    throw new Error(`Expected \`${flag}\` to name some of ${known.join(", ")}, got \`${name}\``);
  });
}
