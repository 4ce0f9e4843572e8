/** Counts the rows and bytes that all statements of SQLite return to this thread in one turn of the event loop. */
import Database from "better-sqlite3";

/** The rows and bytes of one turn, from one database. */
interface TurnReading {
  rows: number;
  /** Those of all rows but the largest. */
  bytes: number;
  /** Those of the largest row. A value or the frame of a batch is read as one piece, however large it is. */
  largest: number;
}

const NOTHING: Readonly<TurnReading> = { rows: 0, bytes: 0, largest: 0 };

interface StatementMethods {
  all: (this: StatementMethods, ...parameters: unknown[]) => unknown[];
  get: (this: StatementMethods, ...parameters: unknown[]) => unknown;
  iterate: (this: StatementMethods, ...parameters: unknown[]) => Iterable<unknown>;
  readonly database: { readonly name: string };
}

/** Counts from its construction until `dispose`. Only one may exist at a time. */
export class SqlMeter {
  readonly #methods: StatementMethods;
  readonly #original: Pick<StatementMethods, "all" | "get" | "iterate">;
  #turn = new Map<string, TurnReading>();
  #most: TurnReading = { ...NOTHING };

  constructor() {
    const probe = new Database(":memory:");
    this.#methods = Object.getPrototypeOf(probe.prepare("SELECT 1")) as StatementMethods;
    const { all, get, iterate } = this.#methods;
    this.#original = { all, get, iterate };
    probe.close();
    const count = (statement: StatementMethods, row: unknown): void => this.#count(statement, row);
    this.#methods.all = function (this: StatementMethods, ...parameters) {
      const rows = all.apply(this, parameters);
      for (const row of rows) count(this, row);
      return rows;
    };
    this.#methods.get = function (this: StatementMethods, ...parameters) {
      const row = get.apply(this, parameters);
      count(this, row);
      return row;
    };
    this.#methods.iterate = function* (this: StatementMethods, ...parameters) {
      for (const row of iterate.apply(this, parameters)) {
        count(this, row);
        yield row;
      }
    };
  }

  /** The most of each that any turn has read since the last call. */
  take(): TurnReading {
    const most = this.#most;
    this.#most = { ...NOTHING };
    return most;
  }

  dispose(): void {
    Object.assign(this.#methods, this.#original);
  }

  #count({ database }: StatementMethods, row: unknown): void {
    // The immediate runs after the present turn, and so begins a new count for the next turn.
    if (this.#turn.size === 0) setImmediate(() => this.#turn.clear());
    const turn = this.#turn.get(database.name) ?? { ...NOTHING };
    this.#turn.set(database.name, turn);
    const bytes = bytesOf(row);
    turn.rows += 1;
    turn.bytes += Math.min(bytes, turn.largest);
    turn.largest = Math.max(bytes, turn.largest);
    const most = this.#most;
    most.rows = Math.max(most.rows, turn.rows);
    most.bytes = Math.max(most.bytes, turn.bytes);
    most.largest = Math.max(most.largest, turn.largest);
  }
}

function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length;
  if (value instanceof Uint8Array) return value.byteLength;
  if (typeof value !== "object" || value === null) return 8;
  return Object.values(value).reduce((sum: number, each) => sum + bytesOf(each), 0);
}
