import type { TestChange, TestData } from "./test-data.ts";

/** What a watch asks for. */
export interface TestWatch {
  readonly key: string | null;
  readonly prefix: string | null;
  readonly values: boolean;
  readonly positions: boolean;
  /** The token behind which to go on. */
  readonly token: string | null;
}

/** The parts of a node that tells of changes. */
export interface TestStreamsOptions {
  readonly id: string;
  readonly data: TestData;
  /** The node's position. */
  readonly position: () => string;
  /** Whether the node says anything now. */
  readonly isHeard: () => boolean;
}

interface Stream {
  readonly watch: TestWatch;
  readonly openedAtMs: number;
  readonly send: (text: string) => void;
  /** How many changes have been told. */
  through: number;
}

/** How often a stream is told the position, in milliseconds. */
const BEAT_MS = 1_000;

const encoder = new TextEncoder();

/** Tells those who watch a node of a test cluster what becomes of keys, as server-sent events. */
export class TestStreams {
  readonly #options: TestStreamsOptions;
  /** What ends each stream. */
  readonly #ends = new Set<() => void>();

  constructor(options: TestStreamsOptions) {
    this.#options = options;
  }

  /** The body of an answer that goes on. */
  open(watch: TestWatch): ReadableStream<Uint8Array> {
    const { data } = this.#options;
    let leave = (): void => {};
    return new ReadableStream<Uint8Array>({
      start: (controller) => {
        const place = this.#placeOf(watch.token);
        const stream: Stream = {
          watch,
          openedAtMs: data.clock.elapsedMs(),
          through: place ?? data.changes.length,
          send: (text) => controller.enqueue(encoder.encode(text)),
        };
        const unwatch = data.watch(() => this.#tell(stream));
        const beat = this.#beat(stream);
        const end = (): void => {
          leave();
          controller.error(new TypeError("terminated"));
        };
        leave = (): void => {
          unwatch();
          beat();
          this.#ends.delete(end);
        };
        this.#ends.add(end);
        stream.send(`id: ${watch.token ?? this.#tokenAt(stream.through)}\n\n`);
        if (watch.token !== null && place === undefined) this.#event(stream, "reload", {});
        this.#tell(stream);
      },
      cancel: () => leave(),
    });
  }

  /** Cuts all streams. */
  cut(): void {
    for (const end of this.#ends) end();
  }

  #tell(stream: Stream): void {
    const { data, position, isHeard } = this.#options;
    if (!isHeard()) return;
    const { watch, openedAtMs } = stream;
    for (const change of data.changes.slice(stream.through)) {
      stream.through += 1;
      if (concerns(watch, change)) this.#event(stream, change.event, toldOf(change, watch.values));
    }
    if (!watch.positions) return;
    const elapsedMs = data.clock.elapsedMs() - openedAtMs;
    const nowMs = data.clock.nowMs();
    this.#event(stream, "position", { position: position(), elapsedMs, nowMs });
  }

  #event(stream: Stream, name: string, told: object): void {
    const id = this.#tokenAt(stream.through);
    stream.send(`id: ${id}\nevent: ${name}\ndata: ${JSON.stringify(told)}\n\n`);
  }

  #beat(stream: Stream): () => void {
    let cancel = (): void => {};
    const arm = (): void => {
      cancel = this.#options.data.clock.after(BEAT_MS, () => {
        this.#tell(stream);
        arm();
      });
    };
    arm();
    return () => cancel();
  }

  #tokenAt(place: number): string {
    return `${this.#options.id}.${place}`;
  }

  /** The place of a token; undefined for another node's. */
  #placeOf(token: string | null): number | undefined {
    const [id, place] = (token ?? "").split(".");
    return id === this.#options.id ? Number(place) : undefined;
  }
}

function concerns({ key, prefix }: TestWatch, change: TestChange): boolean {
  return key === null ? change.key.startsWith(prefix ?? "") : change.key === key;
}

function toldOf({ key, etag, told }: TestChange, values: boolean): object {
  if (told === undefined) return { key, etag };
  const { value, encoding, ...facts } = told;
  return values ? { ...facts, value, encoding } : facts;
}
