import { decodeDirectoryMessage } from "@meridian/protocol";
import { expect, it } from "vitest";

const nowMs = 1_750_000_000_000.5;

it("an acknowledgement is refused with numbers that its schema would refuse, and says so as the schema does", () => {
  const plain = { type: "acknowledge", nowMs, outboxThrough: 1, committedThrough: 2 };
  const wrong = [
    ["nowMs", 8.64e15 + 2],
    ["nowMs", -8.64e15 - 2],
    ["outboxThrough", -1],
    ["outboxThrough", 1.5],
    ["committedThrough", 2 ** 53],
  ] as const;
  for (const [member, value] of wrong) {
    const decodes = (): unknown =>
      decodeDirectoryMessage(JSON.stringify({ ...plain, [member]: value }));
    expect(decodes).toThrow(`at \`${member}\`, got ${value}`);
  }
  const odd = { ...plain, nowMs: -8.64e15, outboxThrough: 0, committedThrough: 2 ** 53 - 1 };
  expect(decodeDirectoryMessage(JSON.stringify(odd))).toEqual(odd);
});
