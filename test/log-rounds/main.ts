/**
 * A directory's log on three nats-servers, under load, while servers of the stream, directories and regions are killed in turn:
 *
 *   npm run hunt:log -- [--rounds 20] [--writers 32] [--rate 2000] [--counting 16] [--seed 1] [--victims "writing directory,serving directory"]
 *
 * `--writers` is how many clients set one key after the other, `--rate` how many keys a second are set beside that, in batches, whatever is answered.
 *
 * Exit code 1 if a write that was acknowledged with `ack=directory` is not in the stream, or a counter that clients increment by conditions is wrong.
 */
import { parseArgs } from "node:util";

import { seededRandom } from "@meridian/runtime";

import { HAS_NATS, NATS_VERSION } from "../support/nats-servers.ts";
import type { Victim } from "./fleet.ts";
import { killInRounds } from "./rounds.ts";

const VICTIMS: readonly Victim[] = [
  "leader of the stream",
  "writing directory",
  "serving directory",
  "region",
  "follower of the stream",
  "writing directory beside a slow one",
];

/** What is killed in turn. Throws if that is none of `VICTIMS`. */
function victimsOf(text: string): readonly Victim[] {
  return text.split(",").map((name) => {
    const victim = VICTIMS.find((each) => each === name.trim());
    if (victim === undefined) throw new Error(`Expected one of ${VICTIMS.join(", ")}, got ${name}`);
    return victim;
  });
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "20" },
    writers: { type: "string", default: "32" },
    rate: { type: "string", default: "0" },
    counting: { type: "string", default: "16" },
    seed: { type: "string", default: "1" },
    victims: { type: "string", default: VICTIMS.join(",") },
  },
});
const tell = (line: string): void =>
  void process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`);
if (!HAS_NATS) throw new Error("Expected `nats-server` to be installed: apt install nats-server");
tell(`nats-server ${NATS_VERSION}`);
const report = await killInRounds({
  rounds: Number(values.rounds),
  writers: Number(values.writers),
  rate: Number(values.rate),
  counting: Number(values.counting),
  victims: victimsOf(values.victims),
  random: seededRandom(Number(values.seed)),
  onRound: ({ round, victim, acknowledged: before, gapMs }) =>
    tell(
      `round ${round}: ${victim} killed after ${before} writes; longest gap ${Math.round(gapMs)} ms`,
    ),
});
const { acknowledged, unanswered, perSecond, servingPerSecond, p50Ms, p99Ms } = report;
const { messages, first, lost, counted } = report;
tell(
  `${acknowledged} writes acknowledged, ${unanswered} not; ${Math.round(perSecond)} a second, ${Math.round(servingPerSecond)} without the gaps`,
);
tell(`acknowledged requests took ${p50Ms.toFixed(1)} ms (p50), ${p99Ms.toFixed(1)} ms (p99)`);
tell(`the stream has ${messages} messages, and begins with ${first}`);
for (const each of lost.slice(0, 50)) tell(`LOST ${each}`);
tell(`${lost.length} lost`);
const { done, unknown, operations, wrong } = counted;
tell(`${done} increments made, ${unknown} unknown, of ${operations} operations`);
for (const each of wrong.slice(0, 10)) tell(`WRONG ${each}`);
process.exitCode = lost.length + wrong.length === 0 ? 0 : 1;
