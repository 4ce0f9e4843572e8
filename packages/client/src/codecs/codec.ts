/** Makes bytes of values, and values of bytes. */
export interface Codec<In, Out = In> {
  /** The content type that is stored with the bytes, for whoever reads them otherwise. */
  readonly contentType: string;
  /** Throws for what it cannot hold. */
  encode(value: In): Uint8Array;
  /** Throws for bytes that it has not made. */
  decode(bytes: Uint8Array, contentType: string): Out;
}
