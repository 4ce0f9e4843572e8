/** Values as text in JSON. */
import { MeridianError } from "@meridian/protocol";

/** The content type of values that are given as text. */
export const TEXT_CONTENT_TYPE = "text/plain; charset=utf-8";

/** The bytes of a value that JSON holds as text of an encoding. Throws `INVALID_ARGUMENT` for text that is not of it. */
export function bytesOf(text: string, encoding: string): Uint8Array {
  if (encoding === "utf8") {
    if (!/\p{Surrogate}/u.test(text)) return new TextEncoder().encode(text);
    throw invalid("Expected `value` of well-formed Unicode, got a lone surrogate");
  }
  if (encoding !== "base64") {
    throw invalid(
      `Expected \`encoding\` to be \`utf8\` or \`base64\`, got \`${encoding.slice(0, 100)}\``,
    );
  }
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) {
    throw invalid("Expected `value` in padded base64, got something else");
  }
  return new Uint8Array(Buffer.from(text, "base64"));
}

function invalid(message: string): MeridianError {
  return new MeridianError("INVALID_ARGUMENT", message);
}
