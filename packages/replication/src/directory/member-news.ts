/**
 * Tells nodes who the members are. A node hears the whole list once and from then on what has changed, if it can take that; each is encoded once,
 * for all who hear it. So a change costs a message of its own size for each node, and the list only for those that come.
 *
 * Whoever has not read what was sent before hears nothing until it has, and then the whole list again.
 */
import { encodeMessage, type Member } from "@meridian/protocol";

/** A node that is told. */
export interface Listener {
  /** Whether there is room on its link. */
  readonly hasRoom: boolean;
  /** Whether it takes changes. */
  readonly takesChanges: boolean;
  sendText(message: string): void;
}

/** Sends the list of members, and later its changes, to every node that has room on its link. */
export class MemberNews {
  /** Each member by its id, as text: what the listeners in `#informed` have been told. */
  #told: ReadonlyMap<string, string> = new Map();
  /** The listeners that know all of `#told`. */
  readonly #informed = new WeakSet<Listener>();
  /** The whole list as an encoded message; undefined once the list has changed. */
  #whole: string | undefined;
  #members: readonly Member[] = [];

  /** Sends every informed listener what has changed since the last call. */
  tell(listeners: Iterable<Listener>, members: readonly Member[], nowMs: number): void {
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
    for (const listener of listeners) {
      if (!this.#informed.has(listener)) this.inform(listener, nowMs);
      else if (news !== undefined) this.#sendNews(listener, news, nowMs);
    }
  }

  /** Tells a node the whole list if it does not know it, and if there is room. */
  inform(listener: Listener, nowMs: number): void {
    if (this.#informed.has(listener) || !listener.hasRoom) return;
    this.#whole ??= encodeMessage({ type: "members", nowMs, members: [...this.#members] });
    listener.sendText(this.#whole);
    this.#informed.add(listener);
  }

  #sendNews(listener: Listener, news: string, nowMs: number): void {
    if (listener.hasRoom && listener.takesChanges) return listener.sendText(news);
    this.#informed.delete(listener);
    this.inform(listener, nowMs);
  }
}
