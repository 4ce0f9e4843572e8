import type { DirectoryMessage, Member } from "@meridian/protocol";

/** The registered nodes, as the directory has told them: the whole list first, then what has changed. */
export class KnownMembers {
  #list: readonly Member[] = [];

  get list(): readonly Member[] {
    return this.#list;
  }

  take(message: Extract<DirectoryMessage, { type: "members" | "members-changed" }>): void {
    if (message.type === "members") this.#list = message.members;
    else {
      const outdated = new Set([...message.changed.map(({ id }) => id), ...message.gone]);
      this.#list = [...this.#list.filter(({ id }) => !outdated.has(id)), ...message.changed];
    }
  }

  /** The link is down: the list is not kept up to date any more. */
  clear(): void {
    this.#list = [];
  }
}
