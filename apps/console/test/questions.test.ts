import { expect, it } from "vitest";

import { Questions } from "../page/pages/keys/questions.ts";

/** Parties that answer when they are told to. */
function parties() {
  const asked: string[] = [];
  const answers = new Map<string, () => void>();
  const ask = (name: string) => (): Promise<void> => {
    asked.push(name);
    return new Promise((resolve) => answers.set(name, resolve));
  };
  const answer = async (name: string): Promise<void> => {
    answers.get(name)?.();
    await new Promise(setImmediate);
  };
  return { asked, ask, answer };
}

it("a few parties are asked at once, and the next when one has answered", async () => {
  const { asked, ask, answer } = parties();
  const questions = new Questions(2);
  for (const name of ["a", "b", "c", "d"]) questions.want(name, ask(name));
  expect(asked).toEqual(["a", "b"]);
  await answer("b");
  expect(asked).toEqual(["a", "b", "c"]);
  questions.clear();
  await answer("a");
  expect(asked).toEqual(["a", "b", "c"]);
});

it("a party is asked one thing at a time, and once more for all that was wanted meanwhile", async () => {
  const { asked, ask, answer } = parties();
  const questions = new Questions(4);
  for (let round = 0; round < 5; round += 1) questions.want("a", ask("a"));
  questions.want("b", ask("b"));
  expect(asked).toEqual(["a", "b"]);
  await answer("a");
  expect(asked).toEqual(["a", "b", "a"]);
  await answer("a");
  expect(asked).toEqual(["a", "b", "a"]);
});
