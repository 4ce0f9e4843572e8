/** Backs up a running program over HTTP. */
import { setTimeout as sleep } from "node:timers/promises";

import { asMeridianError, connectionFailure, MeridianError } from "@meridian/protocol";
import { backupReport, type BackupReport } from "@meridian/protocol/http-api";
import type { BackupFacts } from "@meridian/store";

import { getJson, problemOf } from "../directory-api.ts";
import type { CliIo } from "../io.ts";
import type { MovedRate } from "../moved-rate.ts";
import { ByteProgress } from "./byte-progress.ts";
import { PartFile } from "./part-file.ts";

const UNREACHABLE = "NO_READY_NODE";
const LOOK_EVERY_MS = 250;

/** How long a piece may take, in milliseconds. */
const PIECE_MS = 60_000;

/** How often a piece is requested, with growing pauses, before the command gives up. */
const ATTEMPTS = 5;
const PAUSE_MS = 500;

/** The file that a backup is written to, and how fast. */
export interface BackupTarget {
  readonly out: string;
  readonly rate: MovedRate;
  readonly io: CliIo;
}

/** Makes a program start a backup, unless it still has the one of which a part was fetched before, and fetches it. */
export async function fetchBackup(
  url: string,
  kind: BackupFacts["kind"],
  { out, rate, io }: BackupTarget,
): Promise<BackupFacts> {
  const begun = (await known(url, out)) ?? (await ask(url, "POST"));
  if (begun.kind !== kind) {
    if (begun.state === "copying") await ask(url, "DELETE");
    throw new MeridianError(
      "STORE_WRONG_KIND",
      `Expected a ${kind} at ${url}, got a ${begun.kind}`,
    );
  }
  const hold = new AbortController();
  const { signal } = hold;
  // If this command is killed, its connections end, and so the next backup need not wait. A program of an older version does not know the request.
  fetch(`${url}/backup/hold?id=${begun.id}`, { signal }).catch(() => {});
  try {
    return await fetchReady(url, begun, { out, rate, io });
  } finally {
    hold.abort();
  }
}

/** Fetches a backup once the program has made it. */
async function fetchReady(
  url: string,
  begun: BackupReport,
  { out, rate, io }: BackupTarget,
): Promise<BackupFacts> {
  const facts = factsOf(await ready(url, begun, io), url);
  const part = await PartFile.open(out, facts);
  try {
    await fill(part, facts, url, { rate, io });
    const whole = await part.finish();
    await ask(url, "DELETE").catch(() => {});
    return whole;
  } catch (cause) {
    const { code, message } = asMeridianError(cause);
    const again = code === "BACKUP_DAMAGED" ? "" : "; the same command again goes on from there";
    throw new MeridianError(code, message + again, { cause });
  } finally {
    await part.close();
  }
}

/** The backup of which there is a part, if the program still has it. */
async function known(url: string, out: string): Promise<BackupReport | undefined> {
  const id = await PartFile.idOf(out);
  if (id === undefined) return undefined;
  try {
    const report = await ask(url, "GET");
    return report.id === id ? report : undefined;
  } catch (cause) {
    if (asMeridianError(cause).code === "BACKUP_NOT_FOUND") return undefined;
    throw cause;
  }
}

async function ready(url: string, begun: BackupReport, io: CliIo): Promise<BackupReport> {
  for (let report = begun; ; report = await ask(url, "GET")) {
    if (report.id !== begun.id) {
      throw new MeridianError(
        "BACKUP_NOT_FOUND",
        `Expected backup ${begun.id} at ${url}, got another`,
      );
    }
    if (report.state === "ready") return report;
    if (report.state === "failed") {
      throw new MeridianError("STORE_FAILED", `The backup failed at ${url}: ${report.failure}`);
    }
    if (io.showsProgress === true) {
      io.stderr.write(`\rthe program copies: ${Math.round(report.done * 100)} %\r`);
    }
    await sleep(LOOK_EVERY_MS);
  }
}

async function fill(
  part: PartFile,
  facts: BackupFacts,
  url: string,
  { rate, io }: Pick<BackupTarget, "rate" | "io">,
): Promise<void> {
  const progress = new ByteProgress(io, "fetched", facts.bytes, part.bytes);
  try {
    while (part.bytes < facts.bytes) {
      const piece = await pieceOf(`${url}/backup/content?id=${facts.id}&from=${part.bytes}`);
      if (piece.byteLength === 0) {
        throw new MeridianError("INTERNAL", `${url} has sent less than ${facts.bytes} bytes`);
      }
      await part.add(piece);
      progress.add(piece.byteLength);
      await rate.add(piece.byteLength);
    }
  } finally {
    progress.end();
  }
}

async function pieceOf(url: string): Promise<Uint8Array> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(PIECE_MS) });
      if (response.ok) return new Uint8Array(await response.arrayBuffer());
      throw problemOf(await response.text(), response.status, url);
    } catch (cause) {
      const error = cause instanceof MeridianError ? cause : unanswered(url, cause);
      if (!error.retryable || attempt === ATTEMPTS) throw error;
      await sleep(attempt * PAUSE_MS);
    }
  }
}

function unanswered(url: string, cause: unknown): MeridianError {
  const { message } = connectionFailure(cause);
  return new MeridianError(UNREACHABLE, `Expected bytes at ${url}, got none: ${message}`, {
    cause,
  });
}

function ask(url: string, method: "GET" | "POST" | "DELETE"): Promise<BackupReport> {
  return getJson(`${url}/backup`, backupReport, UNREACHABLE, { method });
}

function factsOf(
  { id, kind, version, takenAtMs, ...rest }: BackupReport,
  url: string,
): BackupFacts {
  const { schema, bytes, sha256 } = rest;
  if (schema !== null && bytes !== null && sha256 !== null) {
    return { id, kind, version, takenAtMs, schema, bytes, sha256 };
  }
  throw new MeridianError(
    "INTERNAL",
    `${url} has a backup that is ready, and does not say of what`,
  );
}
