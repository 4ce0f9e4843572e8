import { MeridianError } from "@meridian/protocol";

import { MovedRate } from "../moved-rate.ts";

/** The lowest rate, in bytes a second. A program drops a backup that nobody asks for within ten minutes, and a request is for a mebibyte. */
const LEAST = 10_000;

/** The rate of a transfer of bytes. `rate` is the `--rate` of the command line; undefined for no limit. Throws `INVALID_ARGUMENT` if it is no rate. */
export function byteRateOf(rate: string | undefined): MovedRate {
  const perSecond = rate === undefined ? Infinity : Number(rate);
  if (perSecond >= LEAST) return new MovedRate(perSecond);
  throw new MeridianError(
    "INVALID_ARGUMENT",
    `Expected \`--rate\` as bytes per second, at least ${LEAST}, got \`${rate ?? ""}\``,
  );
}
