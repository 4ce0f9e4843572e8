/** Encodes values as bytes, and decodes them. */
export interface Codec<In, Out = In> {
  /** The content type that is stored with the bytes, for readers without the codec. */
  readonly contentType: string;
  /** Throws for a value that it cannot encode. */
  encode(value: In): Uint8Array;
  /** Throws for bytes that `encode` cannot have returned. */
  decode(bytes: Uint8Array, contentType: string): Out;
}
