import { checkTtlMs, MeridianError, parseTtlMs } from "@meridian/protocol";

/** Throws `UNKNOWN_OPTION` if `given` has a member that is not in `known`. `undefined` counts as not given. */
export function refuseUnknown(what: string, given: object, known: readonly string[]): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || known.includes(name)) continue;
    throw new MeridianError(
      "UNKNOWN_OPTION",
      `Expected ${what} with options out of ${known.map((one) => `\`${one}\``).join(", ")}, got \`${name}\``,
      { details: { option: name, known } },
    );
  }
}

/** Throws `INVALID_ARGUMENT` unless `value` is undefined or a number of milliseconds from `min` to `max`. */
export function checkMs(
  name: string,
  value: number | undefined,
  fallback: number,
  min: number,
  max: number,
): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` from ${min} to ${max} milliseconds, got \`${String(value)}\``,
  );
}

/** A duration as callers write it: a number of seconds, or text such as `15m`. Returns milliseconds. */
export function readDurationMs(value: number | string): number {
  if (typeof value === "string") return parseTtlMs(value);
  return checkTtlMs(typeof value === "number" ? value * 1000 : NaN, String(value));
}

/** Throws `INVALID_ARGUMENT` unless `url` is an absolute http or https URL. Returns it without a last slash. */
export function checkUrl(name: string, url: unknown): string {
  const text = String(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const plain = parsed !== undefined && parsed.search === "" && parsed.hash === "";
  if (plain && (parsed.protocol === "http:" || parsed.protocol === "https:")) {
    return parsed.href.replace(/\/+$/, "");
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be a URL such as \`http://127.0.0.1:7400\`, got \`${text}\``,
  );
}
