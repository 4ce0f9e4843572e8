/** What can be done with the values under a prefix of keys. */
import type {
  CallOptions,
  DeleteManyResult,
  DeleteResult,
  EntriesOptions,
  EntryInfo,
  KeyInfo,
  KeysOptions,
  RawEntry,
  ReadOptions,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  UpdateOptions,
  WriteOptions,
} from "./call-options.ts";
import type { TouchOptions } from "./change-requests.ts";
import type { FillOptions, LoadContext } from "./fill/fill-options.ts";
import type { WrapOptions } from "./wrap.ts";

/**
 * The values under a prefix of keys: `In` is what is set, `Out` what is read of it. Keys are given and come without the
 * prefix. Every method rejects with a `MeridianError`.
 */
export interface Namespace<In, Out> {
  /** The value of `key`, or undefined if it has none. Throws `INVALID_BODY`, with the key, where the stored bytes are not such a value; they stay. */
  get(key: string, options?: ReadOptions): Promise<Out | undefined>;
  /** The stored bytes of `key` and what is known of them, or undefined if it has none. */
  getRaw(key: string, options?: ReadOptions): Promise<RawEntry | undefined>;
  /** The values of those of `keys` that have one. Any number of keys; asked for by the thousand. */
  getMany(keys: Iterable<string>, options?: CallOptions): Promise<Map<string, Out>>;
  /** Whether `key` has a value. */
  has(key: string, options?: CallOptions): Promise<boolean>;
  /**
   * The value of `key` where that is fresh, else what `load` gives, which is then stored: once, however many ask for it.
   * Rejects with what `load` throws, `LOAD_TIMEOUT` if it takes longer than `hardTimeoutMs`, or `INVALID_ARGUMENT` for a value
   * that cannot be stored. Nodes that do not answer cost a load, and are no error.
   */
  getOrSet<Value extends In | undefined>(
    key: string,
    load: (context: LoadContext<Out>) => Value | Promise<Value>,
    options?: FillOptions,
  ): Promise<Out | Extract<Value, undefined>>;
  /**
   * A function that gives what `call` gives for the same arguments, from here where that is fresh: `getOrSet` under a key of
   * `name` and the arguments. Rejects as `getOrSet` does, with `INVALID_KEY` where `key` gives no text, and with `INVALID_ARGUMENT`
   * for arguments that are no JSON where there is no `key`.
   */
  wrap<Args extends unknown[], Value extends In | undefined>(
    name: string,
    call: (...args: Args) => Value | Promise<Value>,
    options?: WrapOptions<Args>,
  ): (...args: Args) => Promise<Out | Extract<Value, undefined>>;
  /**
   * Sets the value of `key`. Throws `PRECONDITION_FAILED` where `ifAbsent` or `ifMatch` does not hold, `ACK_TIMEOUT`
   * (with `details.acknowledged`) where the value is stored but not yet as widely as asked, `INVALID_ARGUMENT` for what
   * cannot be stored.
   */
  set(key: string, value: In, options?: SetOptions): Promise<SetResult>;
  /**
   * Sets values: up to 1000, and 16 MiB, in one commit, all or none; more in several, one after the other. Errors as in `set`;
   * where a later commit fails, `details.written` says how many entries have been written.
   */
  setMany(entries: Iterable<SetEntry<In>>, options?: SetManyOptions): Promise<SetManyResult>;
  /**
   * Has `key` hold what `change` makes of what it holds: read, change, set where nobody has set it meanwhile, and once more where
   * somebody has, until the deadline. Gives what it holds then. Undefined leaves the key as it is. Without a `ttl`, the value
   * expires when the one before it would have. Throws what `change` throws, and `PRECONDITION_FAILED`.
   */
  update(
    key: string,
    change: (current: Out | undefined) => In | undefined | Promise<In | undefined>,
    options?: UpdateOptions,
  ): Promise<Out | undefined>;
  /** Deletes `key`, whether or not it has a value. Errors as in `set`. */
  delete(key: string, options?: WriteOptions): Promise<DeleteResult>;
  /** Deletes keys, whether or not they have values. A thousand are one commit. */
  deleteMany(keys: Iterable<string>, options?: SetManyOptions): Promise<DeleteManyResult>;
  /** Those of `keys` that have a value. */
  hasMany(keys: Iterable<string>, options?: CallOptions): Promise<Set<string>>;
  /**
   * Gives the value of `key` and deletes it: of several who pull at once on one node, one has it. What cannot be read stays.
   * `OUTCOME_UNKNOWN` where no answer came: the value may be gone.
   */
  pull(key: string, options?: CallOptions): Promise<Out | undefined>;
  /** Has the value of `key` live for a `ttl` from now, without sending it. Gives whether there is one. */
  touch(key: string, options?: TouchOptions): Promise<boolean>;
  /** Has the value of `key` live until an instant, in milliseconds since the Unix epoch, or for ever. Gives whether there is one. */
  expireAt(key: string, at: Date | number | undefined, options?: SetManyOptions): Promise<boolean>;
  /** How much longer the value of `key` lives, in milliseconds; Infinity for ever, undefined where there is none. */
  ttl(key: string, options?: CallOptions): Promise<number | undefined>;
  /** The keys with their values, in key order, without counting as a use of them. */
  entries(options?: EntriesOptions): AsyncGenerator<EntryInfo<Out>, void, undefined>;
  /** The same, with each value as it is stored. */
  rawEntries(options?: KeysOptions): AsyncGenerator<KeyInfo & RawEntry, void, undefined>;
  /** The keys that have a value, in key order, as the nodes hold them while the iteration goes on. */
  keys(options?: KeysOptions): AsyncGenerator<KeyInfo, void, undefined>;
}
