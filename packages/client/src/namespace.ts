/** What can be done with the values under a prefix of keys. */
import type {
  CallOptions,
  DeleteResult,
  KeyInfo,
  KeysOptions,
  RawEntry,
  SetEntry,
  SetManyOptions,
  SetManyResult,
  SetOptions,
  SetResult,
  WriteOptions,
} from "./call-options.ts";
import type { FillOptions, LoadContext } from "./fill/fill-options.ts";

/**
 * The values under a prefix of keys: `In` is what is set, `Out` what is read of it. Keys are given and come without the
 * prefix. Every method rejects with a `MeridianError`.
 */
export interface Namespace<In, Out> {
  /** The value of `key`, or undefined if it has none. Throws `INVALID_BODY`, with the key, where the stored bytes are not such a value; they stay. */
  get(key: string, options?: CallOptions): Promise<Out | undefined>;
  /** The stored bytes of `key` and what is known of them, or undefined if it has none. */
  getRaw(key: string, options?: CallOptions): Promise<RawEntry | undefined>;
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
  /** Deletes `key`, whether or not it has a value. Errors as in `set`. */
  delete(key: string, options?: WriteOptions): Promise<DeleteResult>;
  /** The keys that have a value, in key order, as the nodes hold them while the iteration goes on. */
  keys(options?: KeysOptions): AsyncGenerator<KeyInfo, void, undefined>;
}
