import { decodeValue, encodeValue, type EncodedValue, type ReceivedValue } from "./values.ts";

/** How the values of a namespace are stored and read. What it returns may be a promise. */
export interface Shape<In, Out> {
  /** Throws `INVALID_ARGUMENT` for what it cannot hold. */
  encode(key: string, value: In, contentType: string | undefined): Given<EncodedValue>;
  /** Undefined where it is known that there is none. Throws `INVALID_BODY`, with the key, for other bytes. `shared`: others are given the same ones. */
  decode(key: string, received: ReceivedValue, shared: boolean): Given<Out | undefined>;
}

/** At once, or later. */
export type Given<Value> = Value | Promise<Value>;

/** The content type of what says that a loader found nothing. */
export const ABSENT_TYPE = "application/vnd.meridian.absent";

/** What is stored where a loader found nothing. */
export const ABSENT: EncodedValue = { bytes: new Uint8Array(0), contentType: ABSENT_TYPE };

/** Values as their content type says: JSON, text or bytes. */
export const plainShape: Shape<unknown, unknown> = {
  encode: (_, value, contentType) => encodeValue(value, contentType),
  decode: (key, received, shared) => {
    if (received.contentType === ABSENT_TYPE) return undefined;
    const value = decodeValue(key, received);
    // This caller may change it: others do not see that.
    return shared && value instanceof Uint8Array ? value.slice() : value;
  },
};
