import { MeridianError } from "@meridian/protocol";
import type { BackupReport, COMMON_API } from "@meridian/protocol/http-api";

import type { Exchange } from "./exchange.ts";
import type { ApiRoutes } from "./routed-app.ts";

/** The backup of a program. */
export interface Backups {
  start(): Promise<BackupReport>;
  report(): BackupReport;
  read(id: string, from: number): Promise<Uint8Array>;
  drop(): Promise<BackupReport>;
}

/** The routes of `/backup`. */
export function backupRoutes<E extends Exchange>(
  backupsOf: (exchange: E) => Backups,
): Pick<ApiRoutes<typeof COMMON_API, E>, "/backup" | "/backup/content"> {
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
