import { parseHorizonMs, parseTtlMs, VALUE_BYTES_MAX } from "@meridian/protocol";

import { choiceCheck, numberCheck, textCheck, type Check, type Checks } from "./check.ts";

/** What a process is. */
export type Role = "directory" | "region";

/** A bound that a cluster sets for its processes. */
export interface Limit {
  /** Its name in the file. */
  readonly member: string;
  /** The option that it is for the programs. */
  readonly option: string;
  /** The programs that have it. */
  readonly roles: readonly Role[];
  readonly check: Check<string | number>;
}

/** The bounds that are given, by their names in the file. */
export type Limits = Readonly<Record<string, string | number | undefined>>;

const ttl = textCheck((text) => {
  parseTtlMs(text);
  return text;
});
const horizon = textCheck((text) => {
  parseHorizonMs(text);
  return text;
});
const count = (max: number): Check<number> => numberCheck(1, max, true);

/** Every bound there is. Ranges are those of the programs' options. */
export const LIMITS: readonly Limit[] = [
  {
    member: "durability",
    option: "durability",
    roles: ["directory", "region"],
    check: choiceCheck(["process", "power"]),
  },
  {
    member: "connectionsMax",
    option: "connections-max",
    roles: ["directory", "region"],
    check: count(1_000_000),
  },
  { member: "lagMax", option: "lag-max", roles: ["directory"], check: ttl },
  { member: "horizon", option: "horizon", roles: ["directory"], check: horizon },
  { member: "cacheEntries", option: "cache-entries", roles: ["region"], check: count(2 ** 26) },
  { member: "cacheBytes", option: "cache-bytes", roles: ["region"], check: count(2 ** 40) },
  {
    member: "valueBytesMax",
    option: "value-bytes-max",
    roles: ["region"],
    check: count(VALUE_BYTES_MAX),
  },
  {
    member: "storeBytesMax",
    option: "store-bytes-max",
    roles: ["region"],
    check: numberCheck(1024 * 1024, 2 ** 50, true),
  },
  { member: "ttlDefault", option: "ttl-default", roles: ["region"], check: ttl },
];

/** The checks of the bounds that any of `roles` has. */
export function limitChecks(roles: readonly Role[]): Checks<Limits> {
  const some = LIMITS.filter((limit) => limit.roles.some((role) => roles.includes(role)));
  return Object.fromEntries(some.map(({ member, check }) => [member, check]));
}
