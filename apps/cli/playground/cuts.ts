/**
 * The regions that are cut off. A cut is for trying things out, so it heals by itself: after ten minutes, and soon after the last page that could
 * heal it has gone.
 */
import { MeridianError } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

import type { PlaygroundRegion } from "../src/dev/playground.ts";

/** How long a cut lasts at most, in milliseconds. */
const CUT_MS_MAX = 600_000;

/** How long it lasts while no page is there, in milliseconds: a page that is loaded again is back by then. */
const ALONE_MS = 15_000;

/** The regions, the clock and the callback of `RegionCuts`. */
export interface RegionCutsOptions {
  readonly regions: readonly Pick<PlaygroundRegion, "id" | "lines">[];
  readonly clock: Clock;
  /** Told after each change, with the change in words. */
  readonly onChange: (what: string) => void;
}

/** RegionCuts regions off, and heals them. */
export class RegionCuts {
  readonly #options: RegionCutsOptions;
  /** By the id of a region that is cut off: when it heals, in milliseconds since the Unix epoch, and what cancels that. */
  readonly #cut = new Map<string, { readonly healsAtMs: number; readonly cancel: () => void }>();
  #pages = 0;
  #leaveAlone: () => void = () => {};

  constructor(options: RegionCutsOptions) {
    this.#options = options;
  }

  /** RegionCuts a region off from all directories, or puts off when it heals. Throws `NODE_NOT_FOUND`. */
  cut(id: string): void {
    const { clock, onChange } = this.#options;
    const { lines } = this.#find(id);
    this.#cut.get(id)?.cancel();
    const cancel = clock.after(CUT_MS_MAX, () => this.#heal(id, "after ten minutes"));
    this.#cut.set(id, { healsAtMs: clock.nowMs() + CUT_MS_MAX, cancel });
    for (const line of lines) line.cut();
    if (this.#pages === 0) this.#waitAlone();
    onChange(`${id} is cut off from its directory`);
  }

  /** Lets a region reach its directories again. Throws `NODE_NOT_FOUND`. */
  heal(id: string): void {
    this.#find(id);
    this.#heal(id, "as asked");
  }

  /** Heals all regions. */
  healAll(why: string): void {
    for (const id of this.#cut.keys()) this.#heal(id, why);
  }

  /** When a region heals by itself, in milliseconds since the Unix epoch; null if it is not cut off. */
  healsAtMs(id: string): number | null {
    return this.#cut.get(id)?.healsAtMs ?? null;
  }

  /** Notes that a page is there. Returns what notes, once, that it has gone. */
  enter(): () => void {
    this.#pages += 1;
    this.#leaveAlone();
    let isThere = true;
    return () => {
      if (!isThere) return;
      isThere = false;
      this.#pages -= 1;
      if (this.#pages === 0) this.#waitAlone();
    };
  }

  /** Heals everything, and waits for nothing more. */
  stop(): void {
    this.#leaveAlone();
    this.healAll("as everything stops");
  }

  #waitAlone(): void {
    this.#leaveAlone();
    this.#leaveAlone = this.#options.clock.after(ALONE_MS, () => {
      this.healAll("as no page is there any more");
    });
  }

  #heal(id: string, why: string): void {
    const cut = this.#cut.get(id);
    if (cut === undefined) return;
    cut.cancel();
    this.#cut.delete(id);
    for (const line of this.#find(id).lines) line.heal();
    this.#options.onChange(`${id} is healed ${why}`);
  }

  #find(id: string): RegionCutsOptions["regions"][number] {
    const { regions } = this.#options;
    const found = regions.find((region) => region.id === id);
    if (found !== undefined) return found;
    const ids = regions.map((region) => `\`${region.id}\``).join(", ");
    const said = `Expected a region out of ${ids}, got \`${id.slice(0, 100)}\``;
    throw new MeridianError("NODE_NOT_FOUND", said);
  }
}
