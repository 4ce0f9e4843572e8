import type { Mutant } from "./mutant.ts";
import { PROGRAM_MUTANTS } from "./program-mutants.ts";
import { REPLICATION_MUTANTS } from "./replication-mutants.ts";

/** Bugs of the kinds that once came through every check. */
export const MUTANTS: readonly Mutant[] = [...REPLICATION_MUTANTS, ...PROGRAM_MUTANTS];
