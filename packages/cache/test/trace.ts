/**
 * A generated trace of requests for cache tests, the same on every machine: four kinds of traffic that
 * take turns every 5 000 requests. All choices come from mulberry32 with the given seed.
 *
 * - popular: rank ⌊20 000·u³⌋, so that low ranks are asked for much more often;
 * - recent: one of the last ~800 requests again, or a new key with probability 0.3;
 * - scan: new keys, once each;
 * - loop: the same 3 000 keys in turn.
 */
export function trace(seed: number, length: number): number[] {
  let state = seed;
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const requests: number[] = [];
  for (let at = 0; at < length; at++) {
    const kind = Math.floor(at / 5_000) % 4;
    if (kind === 0) requests.push(Math.floor(20_000 * random() ** 3));
    else if (kind === 1 && random() > 0.3) {
      const back = 1 + Math.floor(800 * random() ** 2);
      requests.push(requests[Math.max(0, at - back)] as number);
    } else if (kind === 3) requests.push(2_000_000 + (at % 3_000));
    else requests.push(1_000_000 + at);
  }
  return requests;
}
