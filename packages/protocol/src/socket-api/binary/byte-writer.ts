const encoder = new TextEncoder();
const TEXT_BYTES_MAX = 0xff_ff;

/** Writes the fields of a binary message. All numbers are big-endian. */
export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  /** `size` is how many bytes the message is likely to have. */
  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** How many bytes there are. */
  get length(): number {
    return this.#length;
  }

  /** What was written. */
  end(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  u8(value: number): this {
    const at = this.#take(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    const at = this.#take(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#take(4);
    this.#view.setUint32(at, value);
    return this;
  }

  f64(value: number): this {
    const at = this.#take(8);
    this.#view.setFloat64(at, value);
    return this;
  }

  /** A text of at most 65 535 bytes. Throws `RangeError` for a longer one. */
  text(text: string): this {
    const { length } = text;
    const at = this.#take(2 + 3 * length);
    const start = at + 2;
    for (let index = 0; index < length; index += 1) {
      const unit = text.charCodeAt(index);
      if (unit >= 0x80) return this.#unicode(text, at);
      this.#bytes[start + index] = unit;
    }
    return this.#endText(at, length);
  }

  /** Bytes with their number in front. */
  value(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  #unicode(text: string, at: number): this {
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(at + 2));
    return this.#endText(at, written);
  }

  #endText(at: number, bytes: number): this {
    if (bytes > TEXT_BYTES_MAX) {
      throw new RangeError(`Expected a text of at most ${TEXT_BYTES_MAX} bytes, got ${bytes}`);
    }
    this.#view.setUint16(at, bytes);
    this.#length = at + 2 + bytes;
    return this;
  }

  /** Makes room for so many bytes. Returns where they begin. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) this.#grow(at);
    return at;
  }

  #grow(used: number): void {
    const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
    grown.set(this.#bytes.subarray(0, used));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}
