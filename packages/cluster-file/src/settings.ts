import { MeridianError } from "@meridian/protocol";
import type { Setting } from "@meridian/runtime";

import type { ClusterFile, DirectoryEntry, ProcessEntry, RegionEntry } from "./cluster-file.ts";
import { LIMITS, type Role } from "./limits.ts";
import { directoryUrls, portOf } from "./lookups.ts";

type Value = string | number | undefined;

/**
 * What a cluster file says of one process, as options of its program; what it does not say is left out. `name` names the
 * file in messages. Throws `INVALID_CONFIG` if the file has no such process.
 */
export function settingsOf(
  file: ClusterFile,
  role: Role,
  id: string,
  name: string,
): readonly Setting[] {
  const entries: readonly ProcessEntry[] = role === "region" ? file.regions : file.directories;
  const index = entries.findIndex((entry) => entry.id === id);
  const entry = entries[index];
  const list = role === "region" ? "regions" : "directories";
  if (entry === undefined) {
    const ids = entries.map((one) => `\`${one.id}\``).join(", ");
    throw new MeridianError(
      "INVALID_CONFIG",
      `Expected an id of \`${list}\` in ${name}: ${ids}, got \`${id}\``,
    );
  }
  const settings: Setting[] = [];
  const add = (option: string, value: Value, path: string): void => {
    if (value === undefined) return;
    settings.push({ name: option, text: String(value), source: `${name}: ${path}` });
  };
  const path = `${list}[${index}]`;
  add("cluster", file.cluster, "cluster");
  add("host", entry.host, `${path}.host`);
  add("port", portOf(entry), `${path}.${entry.port === undefined ? "url" : "port"}`);
  add("data", entry.data, `${path}.data`);
  add("allow-origin", entry.allowOrigin?.join(","), `${path}.allowOrigin`);
  add("allow-host", entry.allowHost?.join(","), `${path}.allowHost`);
  if (role === "region") addRegion(file, entry as RegionEntry, path, add);
  else addDirectory(file, entry as DirectoryEntry, add);
  for (const { member, option, roles } of LIMITS) {
    if (!roles.includes(role)) continue;
    const own = entry.limits[member];
    const owner = own === undefined ? "limits" : `${path}.limits`;
    add(option, own ?? file.limits[member], `${owner}.${member}`);
  }
  add("log-level", file.log.level, "log.level");
  add("log-format", file.log.format, "log.format");
  return settings;
}

type Add = (option: string, value: Value, path: string) => void;

function addRegion(file: ClusterFile, entry: RegionEntry, path: string, add: Add): void {
  add("region", entry.region, `${path}.region`);
  add("lat", entry.lat, `${path}.lat`);
  add("lon", entry.lon, `${path}.lon`);
  add("ip", entry.ip, `${path}.ip`);
  add("url", entry.url, `${path}.url`);
  add("directory", directoryUrls(file).join(","), "directories");
}

function addDirectory(file: ClusterFile, entry: DirectoryEntry, add: Add): void {
  const peers = directoryUrls(file).filter((url) => url !== entry.url);
  add("peer", peers.length === 0 ? undefined : peers.join(","), "directories");
}
