/** The command `meridian verify`: whether all directories and all nodes hold the same. */
import { readClusterFile } from "@meridian/cluster-file";
import {
  heldText,
  outcomeText,
  verdictText,
  verifyCluster,
  type VerifyReport,
} from "@meridian/doctor";
import { asMeridianError, MeridianError, parseTtlMs } from "@meridian/protocol";

import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, type PlaceFlags } from "../place.ts";
import { formatTable } from "../table.ts";
import { findParties, type Parties } from "../verify/find-parties.ts";
import { COMPARING } from "../verify/ask-party.ts";
import { printJson } from "./entries.ts";

/** The options of `verify`. */
export interface VerifyFlags extends Pick<PlaceFlags, "directory"> {
  /** A cluster file: its directories and regions are to be there. */
  readonly clusterFile?: string | undefined;
  readonly json?: boolean | undefined;
  /** How many differing keys to name. */
  readonly limit?: string | undefined;
  /** How long to wait for those that are behind. */
  readonly patience?: string | undefined;
}

const KEYS_MAX = 1_000;

/** `meridian verify`. Exit code 0 if all hold the same, 1 if a key differs, 4 if somebody is missing or could not be asked. */
export async function verify(flags: VerifyFlags, io: CliIo): Promise<number> {
  const keysMax = flags.limit === undefined ? 20 : readLimit(flags.limit);
  const patienceMs = parseTtlMs(flags.patience ?? "10s");
  let report: VerifyReport;
  try {
    const parties = await partiesOf(flags, io);
    if (parties.nodes.length === 0) {
      const where = parties.directories.map(({ url }) => url).join(", ");
      throw new MeridianError("NO_READY_NODE", `Expected nodes at ${where}, got none`);
    }
    report = await verifyCluster({ ...parties, keysMax, patienceMs, ...COMPARING });
  } catch (cause) {
    const { code, message } = asMeridianError(cause);
    if (code !== "NO_READY_NODE" && code !== "DIRECTORY_UNREACHABLE") throw cause;
    if (flags.json === true) printJson(io, { equal: false, failure: message });
    else io.stderr.write(`meridian: ${code}: ${message}\n`);
    return EXIT.unreachable;
  }
  if (flags.json === true) printJson(io, report);
  else io.stdout.write(formatReport(report));
  if (report.differing > 0) return EXIT.failure;
  return report.equal ? EXIT.ok : EXIT.unreachable;
}

/** Everyone of the cluster file, if there is one, and everyone whom the directories know. */
async function partiesOf(flags: VerifyFlags, io: CliIo): Promise<Parties> {
  const path = flags.clusterFile;
  if (path === undefined) return findParties(directoryUrls(flags, io).map((url) => ({ url })));
  if (flags.directory !== undefined) {
    const said = "Expected `--directory` or `--cluster-file`, got both";
    throw new MeridianError("INVALID_ARGUMENT", said);
  }
  const { directories, regions } = readClusterFile(path);
  const found = await findParties(directories.map(({ id, url }) => ({ name: id, url })));
  const missing = regions.filter(({ id }) => found.nodes.every(({ name }) => name !== id));
  const unknown = missing.map(({ id, url }) => ({ name: id, url: url ?? null }));
  return { ...found, nodes: [...found.nodes, ...unknown] };
}

/** The report for people. */
function formatReport(report: VerifyReport): string {
  const { parties, differing, keys } = report;
  const nowMs = Date.now();
  const rows = parties.map((party) => [
    party.name,
    party.entries ?? "-",
    verdictText(party, nowMs),
  ]);
  const lines = [formatTable(["WHERE", "HOLDS", "VERDICT"], rows)];
  for (const { key, stamps } of keys) {
    const names = Object.entries(stamps).map(([name, stamp]) => [`  ${name}`, heldText(stamp)]);
    lines.push(formatTable([JSON.stringify(key), ""], names));
  }
  if (differing > keys.length) lines.push(`… and ${differing - keys.length} more keys\n`);
  for (const { name, url, failure } of parties) {
    const where = url === null || url === name ? name : `${name} (${url})`;
    if (failure !== null) lines.push(`${where} could not be asked: ${failure}\n`);
  }
  const missed = parties.filter(({ gone }) => gone !== undefined).map(({ name }) => name);
  if (missed.length > 0) {
    const who = missed.join(", ");
    lines.push(`Missed: ${who}. Start them, or say \`meridian nodes forget <id>\`.\n`);
  }
  lines.push(`${outcomeText(report)}\n`);
  return lines.join("\n");
}

function readLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (limit <= KEYS_MAX) return limit;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`--limit\` to be a whole number from 0 to ${KEYS_MAX}, got \`${text}\``,
  );
}
