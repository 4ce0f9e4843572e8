import type { ClusterFile, ProcessEntry } from "./cluster-file.ts";

/** Where a directory listens if nothing says otherwise. */
export const DIRECTORY_PORT = 7400;

const HOST = "127.0.0.1";

/** The URLs of the directories in order of priority, for `connect` and for every process. */
export function directoryUrls(file: ClusterFile): readonly string[] {
  return file.directories.map(({ url }) => url);
}

/** The URLs of the regions, as far as the file gives them. */
export function nodeUrls(file: ClusterFile): readonly string[] {
  return file.regions.flatMap(({ url }) => (url === undefined ? [] : [url]));
}

/** The address that a process listens on, for people: `-` where the file leaves it to the program. */
export function listensOn(entry: ProcessEntry): string {
  const port = portOf(entry);
  if (port === undefined) return entry.host ?? "-";
  return `${bracketed(entry.host ?? HOST)}:${port}`;
}

/** The port to listen on: as it is written, else that of an `http:` URL that names one. */
export function portOf({ port, url }: ProcessEntry): number | undefined {
  if (port !== undefined || url === undefined) return port;
  const { protocol, port: named } = new URL(url);
  return protocol === "http:" && named !== "" ? Number(named) : undefined;
}

/** The URL of what listens on an address. */
export function urlOf(host: string | undefined, port: number): string {
  return `http://${bracketed(host ?? HOST)}:${port}`;
}

/** Whether an address stands for all of a machine's. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
