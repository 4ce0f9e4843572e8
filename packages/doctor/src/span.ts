const UNITS: readonly (readonly [ms: number, name: string])[] = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/** How long something lasts, for people: whole units of the largest kind that fits, such as `3 min`. */
export function agoText(ms: number): string {
  for (const [unitMs, name] of UNITS) {
    if (ms >= unitMs) return `${Math.floor(ms / unitMs)} ${name}`;
  }
  return "0 s";
}
