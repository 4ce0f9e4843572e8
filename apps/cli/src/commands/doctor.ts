/** The command `meridian doctor`: finds problems of a cluster and says what to do. */
import { COMPLAINT_KINDS, complaintsOf, type Checkup, type ComplaintKind } from "@meridian/doctor";
import { asMeridianError, MeridianError } from "@meridian/protocol";

import { examine } from "../doctor/checkup.ts";
import { EXIT } from "../exit-codes.ts";
import type { CliIo } from "../io.ts";
import { directoryUrls, type PlaceFlags } from "../place.ts";
import { printJson } from "./entries.ts";

/** The options of `doctor`. */
export interface DoctorFlags extends Pick<PlaceFlags, "directory"> {
  /** Kinds of complaints with commas between them. */
  readonly accept?: string | undefined;
  readonly json?: boolean | undefined;
}

/** `meridian doctor`. Exit code 0 without problems, 1 with problems, 4 if no directory answers. */
export async function doctor(flags: DoctorFlags, io: CliIo): Promise<number> {
  const accepted = acceptedKinds(flags.accept);
  let checkup: Checkup;
  try {
    checkup = await examine(directoryUrls(flags, io), Date.now());
  } catch (cause) {
    const { code, message } = asMeridianError(cause);
    if (code !== "DIRECTORY_UNREACHABLE") throw cause;
    io.stderr.write(`meridian: ${code}: ${message}\n`);
    return EXIT.unreachable;
  }
  const complaints = complaintsOf(checkup, accepted);
  const { directories, nodes } = checkup;
  if (flags.json === true) {
    printJson(io, { directories: directories.length, nodes: nodes.length, complaints });
  } else {
    for (const { who, kind, what, remedy } of complaints) {
      io.stdout.write(`${who}: ${what} (${kind})\n  ${remedy}\n`);
    }
    const asked = `${counted(directories.length, "directory", "directories")} and ${counted(nodes.length, "node", "nodes")}`;
    const found =
      complaints.length === 0 ? "no problem" : counted(complaints.length, "problem", "problems");
    io.stdout.write(`Asked ${asked}: ${found}.\n`);
  }
  return complaints.length === 0 ? EXIT.ok : EXIT.failure;
}

function acceptedKinds(text: string | undefined): ReadonlySet<ComplaintKind> {
  const kinds = text === undefined ? [] : text.split(",").map((kind) => kind.trim());
  return new Set(
    kinds.map((kind) => {
      const known = COMPLAINT_KINDS.find((each) => each === kind);
      if (known !== undefined) return known;
      throw new MeridianError(
        "INVALID_ARGUMENT",
        `Expected \`--accept\` to be some of ${COMPLAINT_KINDS.join(", ")}, got \`${kind}\``,
      );
    }),
  );
}

function counted(count: number, one: string, many: string): string {
  return `${count} ${count === 1 ? one : many}`;
}
