/**
 * Tells other directories the nodes of this one. Each of them gets the whole registry often. So the list of nodes is encoded at most once in a while,
 * for all of them; only the state of the log and the horizon is always current.
 */
import type { RegisteredMember } from "@meridian/protocol";

import type { DirectoryContext } from "./directory-context.ts";
import type { RosterNews } from "./roster.ts";

/** Where `RegistryNews` reads the registry. */
export interface RegistryNewsOptions {
  /** The nodes that have their link with this directory. */
  registered(): readonly RegisteredMember[];
  /** The remembered nodes that have changed after the first `changes` changes. */
  rememberedSince(changes: number): RosterNews;
}

/** How this directory's log and horizon stand. */
export interface RegistryStanding {
  readonly head: number;
  readonly lowestTime: number;
  /** Whether all nodes take frames before they are ordered, for a directory that serves beside this one. Default: that is not told. */
  readonly early?: boolean;
}

/** An encoded message, and the number of the last roster change in it. */
export interface RegistryMessage {
  readonly text: string;
  readonly changes: number;
}

/** Encodes the registry for the directories that follow this one, at most once in a while. */
export class RegistryNews {
  readonly #context: DirectoryContext;
  readonly #options: RegistryNewsOptions;
  #members = "[]";
  /** By the number of changes that a directory knows: the encoded later changes, and the number of the last one. */
  readonly #remembered = new Map<number, RegistryMessage>();
  #staleAtMs = -Infinity;

  constructor(context: DirectoryContext, options: RegistryNewsOptions) {
    this.#context = context;
    this.#options = options;
  }

  /** Encodes the nodes anew for the next message. */
  changed(): void {
    this.#staleAtMs = -Infinity;
  }

  /** What a directory that has heard of so many changes is to hear now. */
  messageFor(
    changes: number,
    { head, lowestTime, early = false }: RegistryStanding,
  ): RegistryMessage {
    const { clock } = this.#context;
    this.#refresh();
    const remembered = this.#rememberedSince(changes);
    // As `encodeMessage` would write it.
    const standing = `"nowMs":${clock.nowMs()},"head":${head},"lowestTime":${lowestTime}`;
    const members = `"members":${this.#members}${remembered.text}`;
    const text = `{"type":"registry",${standing},${members}${early ? ',"early":true' : ""}}`;
    return { text, changes: remembered.changes };
  }

  #refresh(): void {
    const { clock, limits } = this.#context;
    const nowMs = clock.elapsedMs();
    if (nowMs < this.#staleAtMs) return;
    // The encoded text is used until it is this old.
    this.#staleAtMs = nowMs + limits.announceMs;
    this.#members = JSON.stringify(this.#options.registered());
    this.#remembered.clear();
  }

  #rememberedSince(changes: number): RegistryMessage {
    const known = this.#remembered.get(changes);
    if (known !== undefined) return known;
    const news = this.#options.rememberedSince(changes);
    const text = news.members.length > 0 ? `,"remembered":${JSON.stringify(news.members)}` : "";
    const told = { text, changes: news.changes };
    this.#remembered.set(changes, told);
    return told;
  }
}
