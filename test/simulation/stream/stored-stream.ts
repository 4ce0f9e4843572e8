/**
 * One stream of JetStream as its servers have it, whoever of them leads. It keeps what it has acknowledged. What it has not acknowledged when its
 * leader is lost, it may have or not; and a new leader may not know the newest messages for a while.
 */
import type {
  StoredMessage,
  StreamBounds,
  StreamMessage,
} from "@meridian/log-jetstream/source/log-stream";

import type { World } from "../world.ts";

/** What a stream has. */
export interface StoredContents {
  readonly messages: Map<number, StoredMessage>;
  /** All messages that there ever were, also those that were removed: for the auditor. */
  readonly history: StoredMessage[];
  readonly first: number;
  readonly last: number;
}

/** Answers a request: with what it gives, or with why it gives nothing. */
export type Answer<T> = (given: T | Error) => void;

/** Who is sent the messages of a stream. */
export interface Consumer {
  /** The sequence from which on messages are to come. */
  next: number;
  /** Whether a server knows this consumer. */
  isAttached: boolean;
  /** How many messages were sent. */
  sent: number;
  deliver(message: StoredMessage): void;
}

interface Publish {
  readonly message: StreamMessage;
  readonly after: number;
  readonly answer: Answer<number>;
}

/** What a server has of a stream: all, or less if it lags behind. */
export interface View {
  first: number;
  last: number;
  readonly messages: Map<number, StoredMessage>;
}

/** How long the servers take at most to store a message. */
const STORING_MS = 4;

/** For how long a new leader may lag behind, and by how many changes at most. */
const BEHIND_MS = 2_500;
const BEHIND_MAX = 6;

/** How many messages one read gives at most. */
const READ_MAX = 5;

/** A stream, and what its servers do. */
export class StoredStream {
  readonly #world: World;
  #messages = new Map<number, StoredMessage>();
  #history: StoredMessage[] = [];
  #first = 1;
  #last = 0;
  #ids = new Map<string, number>();
  #pending: Publish[] = [];
  #storesAtMs = 0;
  /** Counts the times that the leader was lost: what was pending before is not stored after. */
  #terms = 0;
  #leadsFromMs = 0;
  /** What a new leader knows until then. */
  #behind: { readonly untilMs: number; readonly view: View } | undefined;
  /** How the last changes are taken back, the oldest first. */
  readonly #changes: ((view: View) => void)[] = [];
  readonly #consumers = new Set<Consumer>();
  /** Called with each message that is stored. */
  onStored: (message: StoredMessage) => void = () => {};
  /** How often the stream was set back. */
  restores = 0;
  /** Whether a message is stored only for its place. Rules switch it off. */
  mindsPlaces = true;

  constructor(world: World) {
    this.#world = world;
  }

  get last(): number {
    return this.#last;
  }

  /** All messages that there ever were, in their order. */
  get history(): readonly StoredMessage[] {
    return this.#history;
  }

  /** Whether a server leads the stream, and answers. */
  get isLed(): boolean {
    return this.#world.nowMs >= this.#leadsFromMs;
  }

  publish(message: StreamMessage, after: number, answer: Answer<number>): void {
    if (!this.isLed) return this.#refuse(answer);
    const { nowMs } = this.#world;
    this.#storesAtMs = Math.max(this.#storesAtMs, nowMs + this.#world.between(0, STORING_MS));
    this.#pending.push({ message, after, answer });
    const term = this.#terms;
    this.#world.schedule(this.#storesAtMs - nowMs, () => {
      if (term !== this.#terms) return;
      const next = this.#pending.shift();
      if (next !== undefined) this.#store(next);
    });
  }

  /** What the servers know of the stream, or a server that lags behind. Undefined without a leader. */
  ask<T>(run: (view: View) => T, answer: Answer<T>): void {
    if (!this.isLed) return this.#refuse(answer);
    answer(run(this.#view()));
  }

  read(after: number, through: number, answer: Answer<readonly StoredMessage[]>): void {
    if (!this.isLed) return this.#refuse(answer);
    const { last, messages } = this.#view();
    const read: StoredMessage[] = [];
    const count = 1 + this.#world.below(READ_MAX);
    for (let sequence = after + 1; sequence <= Math.min(last, through, after + count);) {
      const message = messages.get(sequence);
      if (message === undefined) break;
      read.push(message);
      sequence += 1;
    }
    answer(read.length > 0 ? read : new Error(`no message ${after + 1}`));
  }

  trim(first: number): void {
    // Nothing is given a sequence twice, even if nothing is left.
    const before = Math.min(first, this.#last + 1);
    const firstBefore = this.#first;
    this.#remove(firstBefore, before - 1, (view) => {
      view.first = firstBefore;
    });
    this.#first = Math.max(firstBefore, before);
  }

  discard(after: number, through: number): void {
    this.#remove(after + 1, through, () => {});
  }

  #remove(from: number, through: number, undo: (view: View) => void): void {
    const removed: StoredMessage[] = [];
    for (let sequence = from; sequence <= through; sequence += 1) {
      const message = this.#messages.get(sequence);
      if (message !== undefined) removed.push(message);
      this.#messages.delete(sequence);
    }
    this.#change((view) => {
      undo(view);
      for (const message of removed) view.messages.set(message.sequence, message);
    });
  }

  #change(undo: (view: View) => void): void {
    this.#changes.push(undo);
    if (this.#changes.length > BEHIND_MAX) this.#changes.shift();
  }

  attach(consumer: Consumer): void {
    if (!this.isLed) return;
    this.#consumers.add(consumer);
    consumer.isAttached = true;
    this.#feed(consumer);
  }

  detach(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    consumer.isAttached = false;
  }

  /** The leader is lost. Another one leads after `ms`. */
  loseLeader(ms: number): void {
    const { nowMs } = this.#world;
    // The others have some of what the leader had not acknowledged.
    const kept = this.#pending.splice(0, this.#world.below(this.#pending.length + 1));
    for (const publish of kept) this.#store({ ...publish, answer: () => {} });
    this.#pending = [];
    this.#terms += 1;
    this.#leadsFromMs = nowMs + ms;
    const view = { ...this.#whole(), messages: new Map(this.#messages) };
    const lacks = this.#world.below(this.#changes.length + 1);
    for (const undo of lacks === 0 ? [] : this.#changes.slice(-lacks).toReversed()) undo(view);
    this.#behind = { untilMs: this.#leadsFromMs + this.#world.between(0, BEHIND_MS), view };
    for (const consumer of this.#consumers) if (this.#world.chance(0.7)) this.detach(consumer);
  }

  /** A server leads at once, and knows everything. */
  mend(): void {
    this.#leadsFromMs = this.#world.nowMs;
    this.#behind = undefined;
  }

  backUp(): StoredContents {
    const [messages, history] = [new Map(this.#messages), [...this.#history]];
    return { messages, history, first: this.#first, last: this.#last };
  }

  /** Puts what the stream had in the place of what it has. */
  restore({ messages, history, first, last }: StoredContents): void {
    this.restores += 1;
    this.#terms += 1;
    this.#pending = [];
    this.#messages = new Map(messages);
    this.#history = [...history];
    this.#first = first;
    this.#last = last;
    this.#changes.length = 0;
    this.#ids = new Map([...messages.values()].map(({ id, sequence }) => [id, sequence]));
    this.#behind = undefined;
    for (const consumer of this.#consumers) this.detach(consumer);
  }

  #whole(): View {
    return { first: this.#first, last: this.#last, messages: this.#messages };
  }

  #view(): View {
    const behind = this.#behind;
    const isBehind = behind !== undefined && this.#world.nowMs < behind.untilMs;
    return isBehind && this.#world.chance(0.5) ? behind.view : this.#whole();
  }

  /** Says that no server leads, or nothing. */
  #refuse(answer: Answer<never>): void {
    if (this.#world.chance(0.5)) answer(new Error("no responders"));
  }

  #store({ message, after, answer }: Publish): void {
    const known = this.#ids.get(message.id);
    if (known !== undefined) return answer(known);
    if (this.mindsPlaces && after !== this.#last) {
      return answer(new Error(`wrong last sequence: ${this.#last}`));
    }
    this.#last += 1;
    const stored = { ...message, data: message.data.slice(), sequence: this.#last };
    this.#messages.set(stored.sequence, stored);
    this.#history.push(stored);
    this.#ids.set(message.id, stored.sequence);
    this.#change((view) => {
      view.last = stored.sequence - 1;
      view.messages.delete(stored.sequence);
    });
    this.onStored(stored);
    for (const consumer of this.#consumers) this.#feed(consumer);
    answer(stored.sequence);
  }

  #feed(consumer: Consumer): void {
    // A server passes over what was removed.
    for (let next = Math.max(consumer.next, this.#first); next <= this.#last; next += 1) {
      const message = this.#messages.get(next);
      consumer.next = next + 1;
      if (message !== undefined) consumer.deliver(message);
    }
  }
}

/** The message of a sequence. */
export function messageIn(sequence: number, { messages }: View): StoredMessage | undefined {
  return messages.get(sequence);
}

/** The newest begin of an epoch. */
export function epochIn({ first, last, messages }: View): StoredMessage | undefined {
  for (let sequence = last; sequence >= first; sequence -= 1) {
    const message = messages.get(sequence);
    if (message?.subject === "epoch") return message;
  }
  return undefined;
}

/** Where it begins and ends, and how much is between. */
export function boundsIn({ first, last, messages }: View): StreamBounds {
  let bytes = 0;
  for (const { data } of messages.values()) bytes += data.byteLength;
  return { first, last, bytes, bytesMax: null };
}
