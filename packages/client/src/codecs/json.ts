import { decodeUtf8 } from "@meridian/protocol";

import { jsonTextOf } from "../json-value.ts";
import type { Storable, Stored } from "../storable.ts";
import type { Codec } from "./codec.ts";

const encoder = new TextEncoder();

/** A codec for JSON, whatever the stored content type says. */
export function json<Value = unknown>(): Codec<Storable<Value>, Stored<Value>> {
  return {
    contentType: "application/json",
    encode: (value) => encoder.encode(jsonTextOf(value)),
    decode: (bytes) => JSON.parse(decodeUtf8(bytes)) as Stored<Value>,
  };
}
