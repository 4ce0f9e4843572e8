/**
 * The directories whose log is in the same stream. Each that knows its own URL says it every few seconds, over NATS, and notes what the others say.
 * Nothing of the log depends on it: regions that join by any of them find all.
 */
import type { RelayWire } from "@meridian/log-jetstream";
import { checkCoordinates, parseUrl, type Coordinates } from "@meridian/protocol";
import type { Clock } from "@meridian/runtime";

/** What a directory says of itself. */
export interface DirectoryWord {
  /** What the operator calls it; null if nothing. */
  readonly id: string | null;
  /** Where regions reach it, without a last slash. */
  readonly url: string;
  /** Its place; null without one. */
  readonly lat: number | null;
  readonly lon: number | null;
}

/** Where it is said. */
const ADDRESS = "directories";
const EVERY_MS = 5_000;
/** A directory that has said nothing for so long is not named any more. */
const SILENT_MS = 20_000;
/** How many are noted, and how long what each says may be, in bytes. A cluster has a handful. */
const NOTED_MAX = 31;
const WORD_BYTES_MAX = 1_000;

/** Says the own word, and notes those of the others. */
export class DirectoriesBeside {
  readonly #own: DirectoryWord | undefined;
  readonly #clock: Clock;
  readonly #noted = new Map<string, { readonly word: DirectoryWord; readonly atMs: number }>();
  #isStopped = false;
  #end: () => void = () => {};

  /** `own`: undefined for a directory that does not know its URL, which only listens. */
  constructor(own: DirectoryWord | undefined, clock: Clock) {
    this.#own = own;
    this.#clock = clock;
  }

  /** The others, in the order of their URLs. */
  get known(): readonly DirectoryWord[] {
    this.#forgetSilent();
    const words = [...this.#noted.values()].map(({ word }) => word);
    return words.toSorted((a, b) => (a.url < b.url ? -1 : 1));
  }

  start(wire: RelayWire): void {
    if (this.#isStopped) return;
    const listening = wire.listen(ADDRESS, (packet) => this.#note(packet));
    const said = Buffer.from(JSON.stringify(this.#own ?? null));
    let cancel = (): void => {};
    const say = (): void => {
      wire.send(ADDRESS, said, ADDRESS);
      cancel = this.#clock.after(EVERY_MS, say);
    };
    if (this.#own !== undefined) say();
    this.#end = () => {
      listening();
      cancel();
    };
  }

  stop(): void {
    this.#isStopped = true;
    this.#end();
  }

  #note(packet: Uint8Array): void {
    const word = packet.byteLength > WORD_BYTES_MAX ? undefined : readWord(packet);
    if (word === undefined || word.url === this.#own?.url) return;
    this.#forgetSilent();
    if (!this.#noted.has(word.url) && this.#noted.size >= NOTED_MAX) return;
    this.#noted.set(word.url, { word, atMs: this.#clock.elapsedMs() });
  }

  #forgetSilent(): void {
    const nowMs = this.#clock.elapsedMs();
    for (const [url, { atMs }] of this.#noted) {
      if (nowMs - atMs > SILENT_MS) this.#noted.delete(url);
    }
  }
}

/** What a packet says; undefined if that is not what a directory says. */
function readWord(packet: Uint8Array): DirectoryWord | undefined {
  try {
    const said = JSON.parse(Buffer.from(packet).toString()) as Record<string, unknown>;
    const { id, url, lat, lon } = said;
    if (typeof url !== "string" || (id !== null && typeof id !== "string")) return undefined;
    if (lat === null && lon === null) return { id, url: parseUrl(url), lat, lon };
    // It checks that both are numbers.
    const place = checkCoordinates({ lat, lon } as Coordinates);
    return { id, url: parseUrl(url), lat: place.lat, lon: place.lon };
  } catch {
    return undefined;
  }
}
