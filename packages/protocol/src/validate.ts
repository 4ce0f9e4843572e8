import { MeridianError } from "./errors.ts";
import { KEY_BYTES_MAX } from "./limits.ts";

/** A place on Earth, in decimal degrees. */
export interface Coordinates {
  /** Latitude in [-90, 90], north positive. */
  readonly lat: number;
  /** Longitude in [-180, 180], east positive. */
  readonly lon: number;
}

/** Throws `INVALID_KEY` unless `key` is 1 byte to 1 KiB of well-formed text. Returns it. */
export function checkKey(key: string): string {
  if (key.length === 0) throw new MeridianError("INVALID_KEY", "Expected a key, got an empty one");
  // A UTF-16 unit becomes at most three bytes of UTF-8, so short keys need no counting.
  if (key.length * 3 > KEY_BYTES_MAX) {
    const bytes = utf8Length(key);
    if (bytes > KEY_BYTES_MAX) {
      throw new MeridianError(
        "INVALID_KEY",
        `Expected a key of at most ${KEY_BYTES_MAX} bytes, got ${bytes}`,
        { details: { bytes, bytesMax: KEY_BYTES_MAX } },
      );
    }
  }
  if (/[\ud800-\udfff]/.test(key) && /\p{Surrogate}/u.test(key)) {
    throw new MeridianError(
      "INVALID_KEY",
      "Expected a key of well-formed Unicode, got a lone surrogate",
    );
  }
  return key;
}

/** Whether `checkKey` accepts `key`. */
export function isKey(key: string): boolean {
  try {
    return checkKey(key) === key;
  } catch {
    return false;
  }
}

/** The first key, in the order of keys, that is not reserved. */
export const CLIENT_KEY_MIN = "\u0001";

/** Whether `key` is reserved for Meridian itself. Clients cannot write, read or list such a key; it is replicated like all others. */
export function isReservedKey(key: string): boolean {
  return key.charCodeAt(0) === 0;
}

/** Throws `INVALID_KEY` unless `checkKey` accepts `key` and `key` is not reserved. Returns it. */
export function checkClientKey(key: string): string {
  checkKey(key);
  if (!isReservedKey(key)) return key;
  throw new MeridianError(
    "INVALID_KEY",
    "Expected a key that does not begin with U+0000, which is reserved",
  );
}

/** How many bytes a `TextEncoder` makes of `text`: UTF-8, and three bytes for a lone surrogate. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index);
    if (unit <= 0x7f) continue;
    bytes += unit > 0x7ff ? 2 : 1;
    if (unit >= 0xd800 && unit <= 0xdbff && isLowSurrogate(text.charCodeAt(index + 1))) index += 1;
  }
  return bytes;
}

function isLowSurrogate(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/** Throws `INVALID_COORDINATES` unless both are finite and in range. Returns them. */
export function checkCoordinates(coordinates: Coordinates): Coordinates {
  checkDegrees("lat", coordinates.lat, 90);
  checkDegrees("lon", coordinates.lon, 180);
  return coordinates;
}

/** Reads coordinates from text, such as a query. Throws `INVALID_COORDINATES` for what is missing or not decimal. */
export function parseCoordinates(lat: string | undefined, lon: string | undefined): Coordinates {
  return { lat: parseDegrees("lat", lat, 90), lon: parseDegrees("lon", lon, 180) };
}

function parseDegrees(name: string, text: string | undefined, bound: number): number {
  if (text === undefined) {
    throw new MeridianError(
      "INVALID_COORDINATES",
      `Expected \`${name}\` between -${bound} and ${bound}, got nothing`,
    );
  }
  const degrees = /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(text.trim()) ? Number(text) : NaN;
  return checkDegrees(name, degrees, bound, text);
}

function checkDegrees(
  name: string,
  degrees: number,
  bound: number,
  said = String(degrees),
): number {
  if (Number.isFinite(degrees) && Math.abs(degrees) <= bound) return degrees;
  throw new MeridianError(
    "INVALID_COORDINATES",
    `Expected \`${name}\` between -${bound} and ${bound}, got \`${said}\``,
  );
}

const IDENTIFIER = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** Whether `checkIdentifier` accepts `id`. */
export function isIdentifier(id: string): boolean {
  return IDENTIFIER.test(id);
}

/** Whether it is an IPv4 or IPv6 address, without brackets, port or zone. */
export function isAddress(text: string): boolean {
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) {
    return text.split(".").every((part) => Number(part) <= 255 && String(Number(part)) === part);
  }
  return (
    text.length <= 45 && /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) && URL.canParse(`http://[${text}]`)
  );
}

/** Throws `INVALID_ARGUMENT` unless `text` is an IPv4 or IPv6 address, without brackets, port or zone. Returns it. */
export function checkAddress(text: string): string {
  if (isAddress(text)) return text;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected an IPv4 or IPv6 address without brackets and port, got \`${text.slice(0, 100)}\``,
  );
}

/** Throws `INVALID_ARGUMENT` unless `id` can name a node, region or cluster: a DNS label in lower case. Returns it. */
export function checkIdentifier(what: string, id: string): string {
  if (IDENTIFIER.test(id)) return id;
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected ${what} of 1 to 63 lower-case letters, digits and inner hyphens, got \`${id}\``,
  );
}
