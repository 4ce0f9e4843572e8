/**
 * A module for `node --import` that moves the wall clock of a program and its threads by `skewMs` milliseconds. The module is
 * a `data:` URL, so it needs no loader for source files. Monotonic time (`performance.now`, timers) does not
 * change, as on a machine whose clock is set wrong.
 */
export function skewedClock(skewMs: number): string {
  const text = `
    const Told = Date;
    const now = () => Told.now() + ${Math.round(skewMs)};
    globalThis.Date = class Date extends Told {
      constructor(...given) {
        if (given.length === 0) super(now());
        else super(...given);
      }
      static now() {
        return now();
      }
    };
  `;
  return `data:text/javascript,${encodeURIComponent(text)}`;
}
