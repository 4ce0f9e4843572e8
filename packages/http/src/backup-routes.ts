import { MeridianError } from "@meridian/protocol";
import type { BackupReport, COMMON_API } from "@meridian/protocol/http-api";

import type { EventStreams } from "./event-streams.ts";
import type { Exchange } from "./exchange.ts";
import type { ApiRoutes } from "./routed-app.ts";

/** The backup of a program. */
export interface Backups {
  start(): Promise<BackupReport>;
  report(): BackupReport;
  read(id: string, from: number): Promise<Uint8Array>;
  drop(): Promise<BackupReport>;
  /** Throws `BACKUP_NOT_FOUND` unless the backup has that id. */
  check(id: string): void;
  /** Says that a backup is being fetched, until what is returned is called. Throws `BACKUP_NOT_FOUND`. */
  hold(id: string): () => void;
}

/** What the routes of backups need. */
interface BackupParts {
  readonly backups: Backups;
  readonly streams: EventStreams;
}

/** The routes of `/backup`. */
export function backupRoutes<E extends Exchange>(
  partsOf: (exchange: E) => BackupParts,
): Pick<ApiRoutes<typeof COMMON_API, E>, "/backup" | "/backup/content" | "/backup/hold"> {
  const backupsOf = (exchange: E): Backups => partsOf(exchange).backups;
  const told =
    (ask: (backups: Backups) => BackupReport | Promise<BackupReport>) => async (exchange: E) => {
      exchange.query();
      return exchange.json(200, await ask(backupsOf(exchange)), NO_STORE);
    };
  return {
    "/backup": {
      POST: told((backups) => backups.start()),
      GET: told((backups) => backups.report()),
      DELETE: told((backups) => backups.drop()),
    },
    "/backup/hold": {
      GET: (exchange) => {
        const { id = "" } = exchange.query("id");
        const { backups, streams } = partsOf(exchange);
        streams.check();
        backups.check(id);
        return exchange.events(streams, (open) => {
          let release = (): void => {};
          const stream = open({ onGone: () => release() });
          try {
            release = backups.hold(id);
          } catch {
            // It has been dropped since.
            stream.end();
          }
        });
      },
    },
    "/backup/content": {
      GET: async (exchange) => {
        const { id = "", from = "" } = exchange.query("id", "from");
        const piece = await backupsOf(exchange).read(id, placeOf(from));
        // oxfmt-ignore
        return exchange.plain(200, piece, [
          "Content-Type", "application/octet-stream",
          "Content-Length", String(piece.byteLength),
          ...NO_STORE,
        ]);
      },
    },
  };
}

const NO_STORE = ["Cache-Control", "no-store"];

function placeOf(text: string): number {
  const from = Number(text);
  if (/^\d{1,15}$/.test(text) && Number.isSafeInteger(from)) return from;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`from\` as a whole number of bytes, got \`${text.slice(0, 40)}\``,
  );
}
