/** The reports of drills. */
import type { LoadCounts } from "@meridian/local-cluster";

import { formatTable } from "../table.ts";
import type { Convergence } from "./convergence.ts";

/** The result of one drill. */
export interface DrillReport {
  readonly drill: string;
  readonly story: string;
  readonly seed: number;
  readonly seconds: number;
  readonly counts: LoadCounts;
  readonly convergence: Convergence;
  /** Further measurements, one sentence each. */
  readonly notes: readonly string[];
  /** Broken guarantees, one sentence each. */
  readonly violations: readonly string[];
  readonly passed: boolean;
}

const VIOLATIONS_NAMED = 10;

/** One drill, for people. */
export function formatDrill(report: DrillReport): string {
  const { drill, counts, convergence, violations, passed } = report;
  const { acknowledged, deletes, reads, refused, unanswered } = counts;
  const { ms, entries, failure } = convergence;
  const lines = [
    `${drill}: ${report.story}`,
    `  ${acknowledged} writes acknowledged (${deletes} deletes), ${reads} reads; ${refused} requests refused, ${unanswered} without an answer`,
    ms === null
      ? `  no convergence: ${failure ?? "nobody knows why"}`
      : `  together again ${(ms / 1000).toFixed(2)} s after it was put right; in the end everyone holds the same ${entries} entries`,
    ...report.notes.map((note) => `  ${note}`),
    ...violations.slice(0, VIOLATIONS_NAMED).map((violation) => `  BROKEN ${violation}`),
  ];
  if (violations.length > VIOLATIONS_NAMED) {
    lines.push(`  … and ${violations.length - VIOLATIONS_NAMED} more`);
  }
  return `${lines.join("\n")}\n  ${passed ? "passed" : "FAILED"}\n\n`;
}

/** All drills together, for people. */
export function formatSummary(reports: readonly DrillReport[]): string {
  const rows = reports.map(({ drill, counts, convergence, violations, passed }) => [
    drill,
    counts.acknowledged,
    counts.reads,
    convergence.ms === null ? "never" : `${(convergence.ms / 1000).toFixed(2)} s`,
    violations.length,
    passed ? "passed" : "FAILED",
  ]);
  return formatTable(["DRILL", "WRITES", "READS", "CONVERGED", "BROKEN", "VERDICT"], rows);
}
