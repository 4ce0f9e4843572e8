/** The commands about conditions of `scope=cluster`: `conditions status`, `conditions accept`. */
import { agoText } from "@meridian/doctor";
import { MeridianError } from "@meridian/protocol";
import { directoryStatus, doubtEnded, type Described } from "@meridian/protocol/http-api";
import * as v from "valibot";

import { getJson } from "../directory-api.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls } from "../place.ts";
import { printJson, type CommandFlags } from "./entries.ts";

/** The options of `conditions accept`. */
export interface AcceptFlags extends CommandFlags {
  readonly yes?: boolean | undefined;
}

const SHOWN = v.pick(directoryStatus, ["conditions", "nowMs"]);

/** `meridian conditions status`: what each named directory says. Exit code 1 if one decides no conditions. */
export async function conditionsStatus(flags: CommandFlags, io: CliIo): Promise<number> {
  const urls = directoryUrls(flags, io);
  const answers = await Promise.all(
    urls.map((url) => getJson(`${url}/status`, SHOWN, "DIRECTORY_UNREACHABLE")),
  );
  const shown = answers.map(({ conditions = null }, index) => ({
    directory: urls[index],
    conditions,
  }));
  if (flags.json === true) printJson(io, { directories: shown });
  else answers.forEach((answer, index) => io.stdout.write(`${urls[index]}: ${textOf(answer)}\n`));
  return answers.every(({ conditions }) => conditions?.decides) ? EXIT.ok : EXIT.failure;
}

/** `meridian conditions accept`: has the named directories decide conditions again. Throws `INVALID_ARGUMENT` without `--yes`. */
export async function acceptConditions(flags: AcceptFlags, io: CliIo): Promise<number> {
  if (flags.yes !== true) {
    const said =
      "Expected `--yes`. The log may lack what it has decided: a lock or a version that only the lost log knew may be won once more. First let all regions connect that hold the data (`meridian nodes`), and look at `meridian conditions status`";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const ended: { readonly directory: string; readonly why: string; readonly sinceMs: number }[] =
    [];
  for (const directory of directoryUrls(flags, io)) {
    const target = `${directory}/conditions/doubt`;
    const answer = await getJson(target, doubtEnded, "DIRECTORY_UNREACHABLE", { method: "DELETE" });
    if (answer.ended !== null) ended.push({ directory, ...answer.ended });
  }
  if (flags.json === true) printJson(io, { ended });
  else if (ended.length === 0) io.stdout.write("Nothing was known to be missing.\n");
  for (const { directory, why } of flags.json === true ? [] : ended) {
    io.stdout.write(`${directory} decides conditions again, although ${why}.\n`);
  }
  return EXIT.ok;
}

function textOf({ conditions, nowMs }: Described<typeof SHOWN>): string {
  if (conditions === undefined) return "does not say whether it decides conditions (older version)";
  const { decides, why, doubtSinceMs } = conditions;
  if (decides) return "decides conditions";
  const since = doubtSinceMs === null ? "" : `, since ${agoText(nowMs - doubtSinceMs)}`;
  return `decides no conditions${since}: ${why ?? ""}`;
}
