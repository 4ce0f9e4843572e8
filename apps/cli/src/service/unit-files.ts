/** The files by which systemd runs a program: its unit, its options, and what it is given that only root may read. */
import { join } from "node:path";

import { variableOf, type OptionTable, type Role } from "@meridian/options";

/** A service of this machine. */
export interface Service {
  readonly role: Role;
  /** Of a region. */
  readonly id?: string | undefined;
}

/** A file to write. */
export interface ServiceFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** Where the files of a service are, below the root of a machine. */
export interface ServicePaths {
  /** As `systemctl` calls it. */
  readonly name: string;
  /** The file's name. */
  readonly unit: string;
  readonly unitPath: string;
  readonly optionsPath: string;
  readonly dropInFolder: string;
}

/** What the unit itself says. */
const FIXED: Readonly<Record<Role, readonly string[]>> = {
  directory: ["data"],
  region: ["id", "data"],
};

/** Files that systemd reads as root and hands to the service, which runs as a user that it makes up. */
export const CREDENTIALS: ReadonlySet<string> = new Set([
  "tls-cert",
  "tls-key",
  "tls-ca",
  "tls-client-ca",
  "token-keys",
  "token-file",
  "log-credentials",
]);

/** Where the files of a service are. */
export function pathsOf({ role, id = "" }: Service, root: string): ServicePaths {
  const [template, name, options] =
    role === "region"
      ? ["meridian-region@", `meridian-region@${id}`, `region-${id}`]
      : ["meridian-directory", "meridian-directory", "directory"];
  const units = join(root, "/etc/systemd/system");
  return {
    name: `${name}.service`,
    unit: `${template}.service`,
    unitPath: join(units, `${template}.service`),
    optionsPath: join(root, "/etc/meridian", `${options}.env`),
    dropInFolder: join(units, `${name}.service.d`),
  };
}

/** What a service is given: the text of each option that was said. */
export type GivenOptions = ReadonlyMap<string, string>;

/**
 * The options, as an environment file. With a group, the service reads certificates and tokens itself, as one of the group;
 * without one, systemd hands them over.
 */
export function optionsFile(
  { optionsPath, name }: ServicePaths,
  given: GivenOptions,
  group: string | undefined,
): ServiceFile {
  const lines = [...given]
    .filter(([option]) => group !== undefined || !CREDENTIALS.has(option))
    .map(([option, value]) => `${variableOf(option)}="${value.replace(/[\\"$`]/g, "\\$&")}"\n`);
  const head = `# Options of ${name}, as environment variables: see CONFIGURATION.md.\n`;
  return { path: optionsPath, text: head + lines.join(""), mode: 0o640 };
}

/** What the unit is told of certificates and tokens; undefined if there are none. */
export function dropInFile(
  { dropInFolder }: ServicePaths,
  given: GivenOptions,
  group: string | undefined,
): ServiceFile | undefined {
  const files = [...given].filter(([option]) => CREDENTIALS.has(option));
  if (files.length === 0) return undefined;
  const path = join(dropInFolder, "credentials.conf");
  const lines =
    group === undefined
      ? files.flatMap(([option, file]) => [
          `LoadCredential=${option}:${file.replaceAll("%", "%%")}`,
          `Environment=${variableOf(option)}=%d/${option}`,
        ])
      : [`SupplementaryGroups=${group}`];
  return { path, text: `[Service]\n${lines.join("\n")}\n`, mode: 0o644 };
}

/** The options that a service may be given. */
export function givableOptions(table: OptionTable, role: Role): OptionTable {
  return table.filter(({ name }) => !FIXED[role].includes(name));
}
