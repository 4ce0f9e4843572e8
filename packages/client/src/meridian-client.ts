/** The interface of a connected client. */
import type {
  CallOptions,
  ReadOptions,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
} from "./call-options.ts";
import type { CircuitState } from "./circuit.ts";
import type { NodeInfo } from "./directory.ts";
import type { ClientEvents } from "./events.ts";
import type { FillOptions, LoadContext } from "./fill/fill-options.ts";
import type { Namespace } from "./namespace.ts";
import type { NearStatus } from "./near/near-cache.ts";
import type { NamespaceTerms } from "./namespace-options.ts";
import type { Codec } from "./codecs/codec.ts";
import type { SchemaIn, SchemaOut, StandardSchema } from "./codecs/standard-schema.ts";
import type { WatchEvent, WatchOptions } from "./watch.ts";
import type { WrapOptions } from "./wrap.ts";
import type { Storable, StorableEntry, Stored } from "./storable.ts";

/** A node, and whether this client sends requests to it. */
export interface KnownNode extends NodeInfo {
  /** Whether this client sends requests to the node. `closed`: yes; `open`: no, it failed; `half-open`: one at a time, because it says that it is ready again. */
  readonly circuit: CircuitState;
  /** The mean round trip of the last measurements, in milliseconds; undefined if there are none. */
  readonly roundTripMs: number | undefined;
  /** Over what requests to the node go now. */
  readonly transport: "http" | "websocket";
}

/** The state of a client at one moment. */
export interface ClientStatus {
  /** The id of the node in use; undefined if none is known. */
  readonly node: string | undefined;
  readonly nodes: readonly KnownNode[];
  readonly directory: string | undefined;
  /** How many calls to nodes are running. */
  readonly calls: number;
  /** How many loads of `getOrSet` are running. */
  readonly loads: number;
  /** What this process keeps; undefined without `near`. */
  readonly near: NearStatus | undefined;
  readonly closed: boolean;
}

/**
 * A client of a Meridian cluster. It sends requests to the nearest node. When that node fails, it uses the next one within two
 * seconds, and goes back once the nearest has been ready again for some time. It never sees an older state than it has written or read,
 * whichever node answers.
 *
 * Every method rejects with a `MeridianError`: that of the server; `NO_READY_NODE` if no node answered within
 * the deadline; `POSITION_NOT_REACHED` if none had caught up with this client; `INVALID_ARGUMENT`, `INVALID_KEY`,
 * `INVALID_TTL` or `UNKNOWN_OPTION` if the call is invalid. Reads, and writes without a condition, are repeated on
 * another node when one gives no answer; an error of a write that may nevertheless have been applied has
 * `details.mayHaveBeenApplied`. A write with a condition that may have been applied is not repeated: `OUTCOME_UNKNOWN`.
 */
export interface MeridianClient extends Namespace<unknown, unknown> {
  /**
   * The value of `key`, or undefined if it has none: JSON values as they were set, `text/*` as a string, anything else as a
   * `Uint8Array`. `T` is the type that the caller expects; nothing checks it. Throws `INVALID_BODY` if the stored
   * bytes are not what their content type says.
   */
  get<T = unknown>(key: string, options?: ReadOptions): Promise<T | undefined>;
  getMany<T = unknown>(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, T>>;
  getOrSet<Value>(key: string, load: Load<Value>, options?: FillOptions): Promise<Stored<Value>>;
  /** As in every namespace. The value must be one that JSON holds without loss, or bytes: a `Map` does not compile. */
  set<Value>(key: string, value: Value & Storable<Value>, options?: SetOptions): Promise<SetResult>;
  setMany<Entry extends SetEntry>(
    entries: Iterable<Entry & StorableEntry<Entry>>,
    options?: SetManyOptions,
  ): Promise<SetManyResult>;
  wrap<Args extends unknown[], Value>(
    name: string,
    call: (...args: Args) => Awaitable<Value & (Storable<Value> | undefined)>,
    options?: WrapOptions<Args>,
  ): (...args: Args) => Promise<Stored<Value>>;
  /**
   * Returns the namespace of the keys that begin with `name` and a colon. A codec encodes its values, and a schema checks them when they are
   * set and when they are read. Without a codec, values are JSON or bytes.
   */
  namespace<Schema extends StandardSchema>(
    name: string,
    options: NamespaceTerms<SchemaIn<Schema>, SchemaOut<Schema>> & {
      readonly schema: Schema;
      readonly codec: Codec<SchemaIn<Schema>, unknown>;
    },
  ): Namespace<SchemaIn<Schema>, SchemaOut<Schema>>;
  namespace<Schema extends StandardSchema>(
    name: string,
    options: NamespaceTerms<SchemaIn<Schema>, SchemaOut<Schema>> & {
      readonly schema: Schema;
      readonly codec?: undefined;
    },
  ): Namespace<Storable<SchemaIn<Schema>>, SchemaOut<Schema>>;
  namespace<In, Out>(
    name: string,
    options: NamespaceTerms<In, Out> & {
      readonly codec: Codec<In, Out>;
      readonly schema?: undefined;
    },
  ): Namespace<In, Out>;
  namespace<Value = unknown>(
    name: string,
    options?: NamespaceTerms<Storable<Value>, Stored<Value>>,
  ): Namespace<Storable<Value>, Stored<Value>>;
  /**
   * Tells what becomes of a key, or of all keys that begin with a prefix, for as long as the caller asks for more. It survives the loss of
   * its connection and of its node; where something may have been missed, it tells `reload`. A caller that wants to know what there is
   * begins to watch, and then reads. Throws the signal's reason once that aborts, `CLIENT_CLOSED`, and errors that would stay, such as `FORBIDDEN`.
   */
  watch(options: WatchOptions): AsyncGenerator<WatchEvent, void, undefined>;
  /** The nodes this client knows, the one in use first. */
  readonly nodes: readonly KnownNode[];
  /** The URL of the directory that answered last; undefined for a client that asks none. */
  readonly directory: string | undefined;
  /** Calls `listener` for each event `node` (a circuit has changed), `transport` (requests to a node go over another transport), `failover` (another node answers now) or `near` (kept values are returned or not). Returns a function that ends this. */
  on<Name extends keyof ClientEvents>(
    name: Name,
    listener: (event: ClientEvents[Name]) => void,
  ): () => void;
  /** The state of the client at this moment, for diagnosis. */
  status(): ClientStatus;
  /**
   * Forgets what this client has seen: the next answer may be older. Call it if the only node that had
   * this client's last write is lost, and all others answer `POSITION_NOT_REACHED`.
   */
  forgetPosition(): void;
  /** Ends running calls, which reject with `CLIENT_CLOSED`, and all background work. A second call does nothing. */
  close(): void;
  /** `close`, at the end of the block of an `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Loads a value that JSON can hold; returns undefined if there is none. */
export type Load<Value> = (
  context: LoadContext<Stored<Value>>,
) => Awaitable<Value & (Storable<Value> | undefined)>;

/** At once, or later. */
type Awaitable<Value> = Value | Promise<Value>;
