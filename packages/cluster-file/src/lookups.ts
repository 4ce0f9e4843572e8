import type { ClusterFile, ProcessEntry } from "./cluster-file.ts";

/** The default port of a directory. */
export const DIRECTORY_PORT = 7400;

const HOST = "127.0.0.1";

/** The URLs of the directories in order of priority, for `connect` and for every process. */
export function directoryUrls(file: ClusterFile): readonly string[] {
  return file.directories.map(({ url }) => url);
}

/** The URLs of the regions for which the file gives one. */
export function nodeUrls(file: ClusterFile): readonly string[] {
  return file.regions.flatMap(({ url }) => (url === undefined ? [] : [url]));
}

/** The address that a process listens on, for people; `-` if the file does not give it. */
export function listensOn(entry: ProcessEntry): string {
  const port = portOf(entry);
  if (port === undefined) return entry.host ?? "-";
  return `${bracketed(entry.host ?? HOST)}:${port}`;
}

/** The port to listen on: the one in the file, or that of the URL, unless the URL may be that of a proxy which terminates TLS. */
export function portOf(entry: ProcessEntry): number | undefined {
  const { port, url } = entry;
  if (port !== undefined || url === undefined) return port;
  const { protocol, port: named } = new URL(url);
  return protocol === schemeOf(entry) && named !== "" ? Number(named) : undefined;
}

/** The URL at which a process that listens on `port` is reached. */
export function urlOf(entry: Omit<ProcessEntry, "id" | "limits">, port: number): string {
  return `${schemeOf(entry)}//${bracketed(entry.host ?? HOST)}:${port}`;
}

function schemeOf({
  tlsCert,
  insecureNoTls = false,
}: Pick<ProcessEntry, "tlsCert" | "insecureNoTls">): "http:" | "https:" {
  return tlsCert === undefined || insecureNoTls ? "http:" : "https:";
}

/** Whether an address stands for all addresses of a machine. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
