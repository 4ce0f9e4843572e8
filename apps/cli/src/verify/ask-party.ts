/** How the command asks the parties that it compares. */
import type { AskParty, VerifyOptions } from "@meridian/doctor";

import { getJson } from "../directory-api.ts";
import { pause } from "../pause.ts";

/** Asks over HTTP. */
export const askParty: AskParty = (url, target, schema) =>
  getJson(url + target, schema, "NO_READY_NODE");

/** What a comparison needs of this process. */
export const COMPARING: Pick<VerifyOptions, "ask" | "elapsedMs" | "pause"> = {
  ask: askParty,
  elapsedMs: () => performance.now(),
  pause: (ms) => pause(ms),
};
