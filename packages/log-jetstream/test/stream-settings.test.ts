import type { StreamConfig } from "@nats-io/jetstream";
import { describe, expect, it } from "vitest";

import { checkSettings, namesOf, newSettings } from "../src/stream-settings.ts";

const NAMES = namesOf("shop");

/** The settings of a stream that was made for three replicas, and `other` ones. */
function settings(other: Partial<StreamConfig> = {}): StreamConfig {
  return { ...newSettings(NAMES, 3), ...other } as StreamConfig;
}

describe("a stream", () => {
  it("that a directory has made is adopted", () => {
    expect(() => checkSettings(settings(), NAMES, null)).not.toThrow();
    expect(() => checkSettings(settings(), NAMES, 3)).not.toThrow();
    const bounded = settings({ max_bytes: 1_000_000, num_replicas: 5 });
    expect(() => checkSettings(bounded, NAMES, 3)).not.toThrow();
  });

  it.each([
    ["discards the oldest", { discard: "old" }, "`discard` of `new`"],
    ["discards what is old", { max_age: 1 }, "no `max_age`"],
    ["keeps one message", { max_msgs_per_subject: 1 }, "no `max_msgs_per_subject`"],
    ["forgets what was read", { retention: "workqueue" }, "`retention` of `limits`"],
    ["is in memory", { storage: "memory" }, "`storage` of `file`"],
    ["has other subjects, too", { subjects: [NAMES.log, NAMES.epoch, "x"] }, "the subjects"],
    ["is a mirror", { subjects: undefined, mirror: { name: "x" } }, "no `mirror`"],
    ["has sources", { sources: [{ name: "x" }] }, "no `mirror` and no `sources`"],
    ["is sealed", { sealed: true }, "not sealed"],
    ["does not acknowledge", { no_ack: true }, "that acknowledges"],
    ["has fewer replicas than asked", { num_replicas: 1 }, "3 replicas or more, got `1`"],
  ])("that %s is refused", (_, other, said) => {
    const wrong = settings(other as unknown as Partial<StreamConfig>);
    expect(() => checkSettings(wrong, NAMES, 3)).toThrow(said);
  });
});
