/**
 * Tells nodes who the members are. A node gets the whole list once, and then the changes, if it supports them. List and changes are encoded once for
 * all nodes. So a change costs each node a small message, and only new nodes cost a list.
 *
 * A node that has not read what was sent before gets nothing until it has, and then the whole list again.
 */
import { encodeMessage, type Member } from "@meridian/protocol";

/** A node that gets the news. */
export interface NewsReader {
  /** Whether there is room on its link. */
  readonly hasRoom: boolean;
  /** Whether it takes changes. */
  readonly takesChanges: boolean;
  sendText(message: string): void;
}

/** Sends the list of members, and later its changes, to every node that has room on its link. */
export class MemberNews {
  /** Each member by its id, as text: what the readers in `#informed` have been told. */
  #told: ReadonlyMap<string, string> = new Map();
  /** The readers that know all of `#told`. */
  readonly #informed = new WeakSet<NewsReader>();
  /** The whole list as an encoded message; undefined once the list has changed. */
  #whole: string | undefined;
  #members: readonly Member[] = [];

  /** Sends every informed reader what has changed since the last call. */
  tell(readers: Iterable<NewsReader>, members: readonly Member[], nowMs: number): void {
    const told = this.#told;
    const texts = new Map(members.map((member) => [member.id, JSON.stringify(member)]));
    const changed = members.filter(({ id }) => told.get(id) !== texts.get(id));
    const gone = [...told.keys()].filter((id) => !texts.has(id));
    this.#told = texts;
    this.#members = members;
    const isNews = changed.length > 0 || gone.length > 0;
    if (isNews) this.#whole = undefined;
    const message = { type: "members-changed", nowMs, changed, gone } as const;
    const news = isNews ? encodeMessage(message) : undefined;
    for (const reader of readers) {
      if (!this.#informed.has(reader)) this.inform(reader, nowMs);
      else if (news !== undefined) this.#sendNews(reader, news, nowMs);
    }
  }

  /** Tells a node the whole list if it does not know it, and if there is room. */
  inform(reader: NewsReader, nowMs: number): void {
    if (this.#informed.has(reader) || !reader.hasRoom) return;
    this.#whole ??= encodeMessage({ type: "members", nowMs, members: [...this.#members] });
    reader.sendText(this.#whole);
    this.#informed.add(reader);
  }

  #sendNews(reader: NewsReader, news: string, nowMs: number): void {
    if (reader.hasRoom && reader.takesChanges) return reader.sendText(news);
    this.#informed.delete(reader);
    this.inform(reader, nowMs);
  }
}
