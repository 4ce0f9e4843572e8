/** Numbers for people. */

/** What a number is of. */
export type Unit = "count" | "rate" | "bytes" | "ms" | "percent";

const PREFIXES = ["", "k", "M", "G", "T", "P"] as const;

/** A number with its unit: `1.2 k/s`, `340 ms`, `5.1 GB`; a dash for one that is not known. */
export function amountText(value: number | null, unit: Unit): string {
  if (value === null) return "–";
  if (unit === "percent") return `${value.toFixed(value > 99 && value < 100 ? 1 : 0)} %`;
  if (unit === "ms") return spanText(value);
  const { text, prefix } = scaled(value);
  if (unit === "bytes") return `${text} ${prefix}B`;
  const counted = prefix === "" ? text : `${text} ${prefix}`;
  return unit === "rate" ? `${counted}/s` : counted;
}

function scaled(value: number): { readonly text: string; readonly prefix: string } {
  let [left, power] = [value, 0];
  while (Math.abs(left) >= 1_000 && power < PREFIXES.length - 1) {
    left /= 1_000;
    power += 1;
  }
  return { text: shortText(left), prefix: PREFIXES[power] ?? "" };
}

function spanText(ms: number): string {
  const size = Math.abs(ms);
  if (size >= 60_000) return `${shortText(ms / 60_000)} min`;
  return size >= 1_000 ? `${shortText(ms / 1_000)} s` : `${shortText(ms)} ms`;
}

/** Three digits, without zeros at the end. */
function shortText(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}
