import { readPlace } from "@meridian/log-jetstream/source/lineage";
import type { LogStream } from "@meridian/log-jetstream/source/log-stream";
import type { StreamRules } from "@meridian/log-jetstream/source/rules";
import { NO_BYTES } from "@meridian/protocol";

import type { ClusterParts } from "../parts.ts";
import type { Nats } from "../stream/nats.ts";
import type { ProcessState } from "../stream/stream-parts.ts";
import { lateWriters, streamsSetBack } from "./circumstances.ts";
import type { Rule } from "./rule.ts";

/** Parts whose logs have a rule switched off. */
function off(rule: keyof StreamRules): ClusterParts {
  return { stream: { rules: { [rule]: false } } };
}

/** Parts whose connections to the stream do some things in another way. */
function connections(
  change: (stream: LogStream, state: () => ProcessState) => Partial<LogStream>,
): ClusterParts {
  return {
    stream: {
      connection: (stream, state) => {
        const changed = change(stream, state);
        return new Proxy(stream, {
          get: (target, name) => {
            const member: unknown = Reflect.get(name in changed ? changed : target, name);
            return typeof member === "function" ? member.bind(target) : member;
          },
        });
      },
    },
  };
}

/** Rules of the log in a stream, and of several directories over one. */
export const STREAM_RULES: readonly Rule[] = [
  {
    rule: "what an older writer had on its way is passed over",
    off: "every message counts",
    faults: "stream",
    directories: 2,
    seed: 11,
    harder: () => lateWriters(),
    parts: () => off("olderEpochsArePassedOver"),
  },
  {
    rule: "a message is stored for its place only",
    off: "the stream stores it wherever it ends",
    faults: "stream",
    directories: 2,
    seed: 6,
    harder: () => lateWriters(),
    parts: () => ({
      stream: {
        nats: ({ log }: Nats) => {
          log.mindsPlaces = false;
        },
      },
    }),
  },
  {
    rule: "a record is durable once the stream has acknowledged it",
    off: "it is once it was sent",
    faults: "stream",
    seed: 2,
    parts: () =>
      connections((stream) => ({
        publish: async (message, after) => {
          const stored = stream.publish(message, after);
          if (message.subject === "epoch") return stored;
          stored.catch(() => {});
          return after + 1;
        },
      })),
  },
  {
    rule: "a writer ends once another one has begun an epoch",
    off: "it goes on",
    faults: "stream",
    directories: 2,
    seed: 26,
    harder: () => lateWriters(),
    parts: () => off("fencedWritersEnd"),
  },
  {
    rule: "a writer knows the message at its place by its id",
    off: "by its sequence",
    faults: "stream",
    directories: 2,
    seed: 138,
    harder: () => streamsSetBack(),
    parts: () => off("placesHaveIds"),
  },
  {
    rule: "a database that has what the stream lacks is not the stream's",
    off: "the stream is believed to have its last message",
    faults: "stream",
    seed: 1,
    harder: () => streamsSetBack(),
    parts: () =>
      connections((stream, state) => ({
        get: async (sequence) => {
          const found = await stream.get(sequence);
          const { place } = state().database;
          if (place?.sequence !== sequence) return found;
          const { message: id } = readPlace(place.id);
          return { subject: "log", sequence, data: NO_BYTES, ...found, id };
        },
      })),
  },
  {
    rule: "a stream is trimmed behind a snapshot only",
    off: "it is trimmed behind its last message",
    faults: "stream",
    seed: 1,
    parts: () =>
      connections((stream) => ({
        trim: async () => stream.trim((await stream.bounds()).last + 1),
      })),
  },
  {
    rule: "the begin of an epoch is said again before it is trimmed",
    off: "it is trimmed",
    faults: "stream",
    seed: 3,
    parts: () => off("beginsAreSaidAgain"),
  },
  {
    rule: "duplicates are told by the marks of the log",
    off: "the log has no marks",
    faults: "stream",
    seed: 6,
    parts: () => ({
      stream: {
        opened: (log) => {
          log.outboxMark = () => undefined;
        },
      },
    }),
  },
  {
    rule: "cursors go no further than the writer knows to be durable",
    off: "they go as far as the stream has come",
    faults: "stream",
    directories: 2,
    seed: 2,
    parts: () => ({ stream: { committed: () => Infinity } }),
  },
];
