/** Text as bytes: UTF-8, and base64 for bytes that are none. */
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text that bytes stand for, a byte order mark included. Throws `TypeError` where they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}

/** Whether a text is base64 (RFC 4648, section 4) with its padding. Takes time in proportion to the text. */
export function isBase64(text: string): boolean {
  return text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
}
