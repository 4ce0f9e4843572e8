import { checkTtlMs, MeridianError, parseTtlMs, withoutTrailingSlashes } from "@meridian/protocol";

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

/** Throws `INVALID_ARGUMENT` unless `value` is a number from 0 to 1. */
export function checkShare(name: string, value: number): number {
  if (typeof value === "number" && value >= 0 && value <= 1) return value;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` from 0 to 1, got \`${String(value)}\``,
  );
}

/**
 * Reads a duration: text with a unit under `name`, or milliseconds under the same name with
 * `Ms` at its end. Returns milliseconds, or undefined if neither is given. `name` takes no number without a unit, because that means seconds in
 * some programs and milliseconds in others. Throws `INVALID_TTL`, or `INVALID_ARGUMENT` if both are given.
 */
export function readSpanMs(
  name: string,
  text: string | undefined,
  ms: number | undefined,
): number | undefined {
  if (text === undefined) return ms === undefined ? undefined : checkTtlMs(numberOr(ms));
  if (ms !== undefined) {
    throw new MeridianError("INVALID_ARGUMENT", `Expected \`${name}\` or \`${name}Ms\`, got both`);
  }
  if (typeof text === "string" && /[a-z]$/.test(text)) return parseTtlMs(text);
  throw new MeridianError(
    "INVALID_TTL",
    `Expected \`${name}\` as text with a unit, such as \`"60s"\` or \`"15m"\`, got \`${JSON.stringify(text) ?? String(text)}\`; milliseconds are given as \`${name}Ms: 60_000\``,
  );
}

/** The value itself if it is not a number, so that the error message shows what was given. */
function numberOr(value: unknown): number {
  if (typeof value === "number") return value;
  throw new MeridianError("INVALID_TTL", `Expected milliseconds, got \`${String(value)}\``);
}

/** Throws `INVALID_ARGUMENT` unless `url` is an absolute http or https URL. Returns it without a last slash. */
export function checkUrl(name: string, url: unknown): string {
  const text = String(url);
  const parsed = URL.canParse(text) ? new URL(text) : undefined;
  const plain = parsed !== undefined && parsed.search === "" && parsed.hash === "";
  if (plain && (parsed.protocol === "http:" || parsed.protocol === "https:")) {
    return withoutTrailingSlashes(parsed.href);
  }
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`${name}\` to be a URL such as \`http://127.0.0.1:7400\`, got \`${text}\``,
  );
}
