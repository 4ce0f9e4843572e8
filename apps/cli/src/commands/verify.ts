/** The command `meridian verify`: whether the directory and all nodes hold the same. */
import {
  asMeridianError,
  MeridianError,
  parseStamp,
  parseTtlMs,
  unixMsOf,
} from "@meridian/protocol";

import { DirectoryApi } from "../directory-api.ts";
import { EXIT, type CliIo } from "../io.ts";
import { directoryUrls, type PlaceFlags } from "../place.ts";
import { formatTable } from "../table.ts";
import { verifyCluster, type PartyReport, type VerifyReport } from "../verify/verify-cluster.ts";
import { printJson } from "./entries.ts";

/** What `verify` takes. */
export interface VerifyFlags extends Pick<PlaceFlags, "directory"> {
  readonly json?: boolean | undefined;
  /** How many differing keys to name. */
  readonly limit?: string | undefined;
  /** How long to wait for nodes that are behind. */
  readonly patience?: string | undefined;
}

/** The exit code when somebody could not be asked: nothing is known of what they hold. */
const EXIT_UNREACHABLE = 4;

const KEYS_MAX = 1_000;

/** `meridian verify`. Exit code 0 if all hold the same, 1 if a key differs, 4 if somebody could not be asked. */
export async function verify(flags: VerifyFlags, io: CliIo): Promise<number> {
  const keysMax = flags.limit === undefined ? 20 : readLimit(flags.limit);
  const patienceMs = parseTtlMs(flags.patience ?? "10s");
  const api = new DirectoryApi(directoryUrls(flags, io));
  let report: VerifyReport;
  try {
    const records = await api.nodes();
    const directory = api.url;
    if (records.length === 0) {
      throw new MeridianError("NO_READY_NODE", `Expected nodes at ${directory}, got none`);
    }
    const nodes = records.map(({ id, url }) => ({ name: id, url }));
    report = await verifyCluster({ directory, nodes, keysMax, patienceMs });
  } catch (cause) {
    const { code, message } = asMeridianError(cause);
    if (code !== "NO_READY_NODE" && code !== "DIRECTORY_UNREACHABLE") throw cause;
    if (flags.json === true) printJson(io, { equal: false, failure: message });
    else io.stderr.write(`meridian: ${code}: ${message}\n`);
    return EXIT_UNREACHABLE;
  }
  if (flags.json === true) printJson(io, report);
  else io.stdout.write(formatReport(report));
  if (report.differing > 0) return EXIT.failure;
  return report.equal ? EXIT.ok : EXIT_UNREACHABLE;
}

/** The report for people. */
export function formatReport({ parties, differing, keys, equal }: VerifyReport): string {
  const rows = parties.map((party) => [party.name, party.entries ?? "-", verdictOf(party)]);
  const lines = [formatTable(["WHERE", "ENTRIES", "VERDICT"], rows)];
  for (const { key, stamps } of keys) {
    const names = Object.entries(stamps).map(([name, stamp]) => [`  ${name}`, timeOf(stamp)]);
    lines.push(formatTable([JSON.stringify(key), ""], names));
  }
  if (differing > keys.length) lines.push(`… and ${differing - keys.length} more keys\n`);
  for (const { name, url, failure } of parties) {
    if (failure !== null) lines.push(`${name} (${url}) could not be asked: ${failure}\n`);
  }
  if (equal) lines.push(`Everyone holds the same ${parties[0]?.entries ?? 0} entries.\n`);
  else if (differing > 0) lines.push(`${differing} key${differing === 1 ? "" : "s"} differ.\n`);
  else lines.push("Those who could be asked hold the same.\n");
  return lines.join("\n");
}

function verdictOf({ failure, differing, behind }: PartyReport): string {
  if (failure !== null) return "not reached";
  const said = differing === 0 ? "same" : `differs in ${differing}`;
  return behind ? `${said}, behind` : said;
}

function timeOf(stamp: string | null): string {
  if (stamp === null) return "nothing";
  return `${stamp}  ${new Date(unixMsOf(parseStamp(stamp).time)).toISOString()}`;
}

function readLimit(text: string): number {
  const limit = /^\d{1,6}$/.test(text) ? Number(text) : NaN;
  if (limit <= KEYS_MAX) return limit;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`--limit\` to be a whole number from 0 to ${KEYS_MAX}, got \`${text}\``,
  );
}
