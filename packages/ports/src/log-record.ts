import type { HorizonState, LogFrame, RememberedMember } from "@meridian/protocol";

import type { LogDoubt } from "./log-doubt.ts";

/** What a directory makes durable: each is what the method of `DirectoryLog` that brings it was called with. */
export type LogRecord =
  /** Of `append`. */
  | ({ readonly kind: "frame" } & LogFrame)
  /** Of `admit`: stamps up to `time` are admitted from here on. */
  | { readonly kind: "admit"; readonly time: number }
  /** Of `saveHorizon`. */
  | { readonly kind: "horizon"; readonly state: HorizonState }
  /** Of `saveDoubt`. */
  | { readonly kind: "doubt"; readonly doubt: LogDoubt | null }
  /** Of `remember`. */
  | {
      readonly kind: "members";
      readonly members: readonly RememberedMember[];
      readonly dropped: readonly string[];
    };
