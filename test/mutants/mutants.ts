import { EARLY_MUTANTS } from "./early-mutants.ts";
import type { Mutant } from "./mutant.ts";
import { OUTBOX_MUTANTS } from "./outbox-mutants.ts";
import { PROGRAM_MUTANTS } from "./program-mutants.ts";
import { REPLICATION_MUTANTS } from "./replication-mutants.ts";

/** Bugs of kinds that once passed all checks. */
export const MUTANTS: readonly Mutant[] = [
  ...REPLICATION_MUTANTS,
  ...OUTBOX_MUTANTS,
  ...EARLY_MUTANTS,
  ...PROGRAM_MUTANTS,
];
