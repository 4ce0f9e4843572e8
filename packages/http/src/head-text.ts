import { STATUS_CODES } from "node:http";

import type { HeaderList } from "./answer.ts";

/** The lines of a head, each with its end. */
export function headTextOf(status: number, headers: HeaderList): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  for (let at = 0; at < headers.length; at += 2) {
    text += `${headers[at] ?? ""}: ${headers[at + 1] ?? ""}\r\n`;
  }
  return text;
}

/** The text of heads that have the same headers. Those whose values are empty in `headers` have another value each time. */
export class HeadText {
  /** What stands before, between and behind the values. */
  readonly #texts: readonly string[];
  /** Where the values stand in the list. */
  readonly #places: readonly number[];

  constructor(status: number, headers: HeaderList) {
    const texts: string[] = [];
    const places: number[] = [];
    let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
    for (let at = 0; at < headers.length; at += 2) {
      const [name = "", value = ""] = [headers[at], headers[at + 1]];
      text += `${name}: `;
      if (value === "") {
        texts.push(text);
        places.push(at + 1);
        text = "";
      }
      text += `${value}\r\n`;
    }
    texts.push(text);
    this.#texts = texts;
    this.#places = places;
  }

  /** The lines of a head with all its values, each line with its end. */
  of(headers: HeaderList): string {
    let text = this.#texts[0] ?? "";
    for (let at = 0; at < this.#places.length; at += 1) {
      text += (headers[this.#places[at] ?? 0] ?? "") + (this.#texts[at + 1] ?? "");
    }
    return text;
  }
}
