/** The requests of a playground: what only a development cluster lets a page do. */
import { api } from "../../shell/session.ts";
import { ApiProblem, type RequestOptions } from "../../api/api.ts";
import type { RegionAnswer } from "../../api/answers.ts";
import type { Report } from "../keys/entries.ts";
import type { ToldValue } from "../keys/value.ts";
import type { Holding } from "./agreement.ts";

/** A region of the development cluster. */
export interface PlaygroundRegion {
  readonly id: string;
  readonly lat: number;
  readonly lon: number;
  /** When it heals by itself, in milliseconds since the Unix epoch; null while it is not cut off. */
  readonly healsAtMs: number | null;
}

/** How a playground stands. */
export interface PlaygroundState {
  readonly regions: readonly PlaygroundRegion[];
  /** The drills that can be run. */
  readonly drills: readonly { readonly name: string; readonly story: string }[];
  /** The one that runs, or has run last. */
  readonly drill: DrillState | null;
}

/** How a drill stands. */
export interface DrillState {
  readonly name: string;
  readonly story: string;
  readonly phase: string;
  readonly counts: {
    readonly acknowledged: number;
    readonly deletes: number;
    readonly reads: number;
    readonly refused: number;
    readonly unanswered: number;
  } | null;
  readonly promises: readonly {
    readonly text: string;
    readonly state: "open" | "kept" | "broken";
  }[];
  readonly violations: readonly string[];
  /** How it ended; null while it runs. */
  readonly outcome: string | null;
}

/** Where a playground tells how it stands. */
export const PLAYGROUND_PATH = "/dev/watch";

/** Values up to this are shown, in bytes. */
const SHOWN_BYTES_MAX = 4_096;

/** The path at which a region is asked, whether its directory knows of it or not. */
export function pathOf(id: string, path: string): string {
  return `/dev/at/${encodeURIComponent(id)}${path}`;
}

/** Cuts a region off, or heals it. */
export async function bend(id: string, what: "cut" | "heal"): Promise<void> {
  await api.send("POST", `/dev/${what}`, { query: { region: id } });
}

/** Sets a key at a region. */
export async function setAt(id: string, key: string, value: string): Promise<void> {
  const isEmpty = value === "";
  await api.send("POST", pathOf(id, "/cache"), {
    query: { key, value: isEmpty ? "" : undefined },
    headers: { "content-type": "text/plain" },
    ...(!isEmpty && { body: value }),
  });
}

/** Deletes a key at a region. Resolves also if there was none. */
export async function removeAt(id: string, key: string): Promise<void> {
  await api.send("DELETE", pathOf(id, `/cache/${encodeURIComponent(key)}`)).catch(ifAbsent);
}

/** What a region holds of a key, and of everything. */
export async function holdingAt(id: string, key: string, signal: AbortSignal): Promise<Holding> {
  const get = <Body>(path: string, options: RequestOptions = {}): Promise<Body> =>
    api.json<Body>("GET", pathOf(id, path), { ...options, signal });
  const report = await get<Report>("/entry", { query: { key } });
  const isShown = report.state === "live" && (report.bytes ?? 0) <= SHOWN_BYTES_MAX;
  const [value, digest, status] = await Promise.all([
    isShown ? get<ToldValue>("/cache", { query: { key } }).catch(ifAbsent) : undefined,
    get<Holding["digest"]>("/digest"),
    get<RegionAnswer<"/status">>("/status"),
  ]);
  const { connected, outboxPending } = status.replica;
  return { report, value, digest, isLinked: connected, pending: outboxPending };
}

function ifAbsent(cause: unknown): undefined {
  if (cause instanceof ApiProblem && cause.code === "KEY_NOT_FOUND") return undefined;
  throw cause;
}
