/** Types: the values that JSON holds, and the values that are read back. What types cannot express is checked when a value is set. */

type Scalar = string | number | boolean | null;

/** `Value` if JSON holds it without loss, or if it is bytes or unknown; else a type that it is not assignable to. */
export type Storable<Value> = unknown extends Value
  ? Value
  : Value extends Uint8Array
    ? Value
    : JsonPart<Value>;

type JsonPart<Part> = unknown extends Part
  ? Part
  : Part extends Scalar
    ? Part
    : Part extends Unholdable
      ? never
      : Part extends { toJSON(): unknown }
        ? Part
        : { [Name in keyof Part]: JsonPart<Part[Name]> };

/** What JSON leaves out, or makes something else of. */
type Unholdable =
  | undefined
  | bigint
  | symbol
  | Error
  | ArrayBuffer
  | ArrayBufferView
  | ReadonlyMap<unknown, unknown>
  | ReadonlySet<unknown>
  | WeakKeyed
  | PromiseLike<unknown>
  | RegExp
  | ((...args: never[]) => unknown);

type WeakKeyed = WeakMap<object, unknown> | WeakSet<object>;

/** An entry to set whose value is `Storable`. */
export type StorableEntry<Entry> = Entry extends { readonly value: infer Value }
  ? { readonly value: Storable<Value> }
  : never;

/** What is read of a `Value` that was set: a `Date`, for example, comes back as text. */
export type Stored<Value> = unknown extends Value
  ? Value
  : Value extends Uint8Array
    ? Uint8Array
    : JsonRead<Value>;

type JsonRead<Part> = unknown extends Part
  ? Part
  : Part extends Scalar | undefined
    ? Part
    : Part extends { toJSON(): infer Said }
      ? JsonRead<Said>
      : { [Name in keyof Part]: JsonRead<Part[Name]> };
