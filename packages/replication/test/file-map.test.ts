import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

it("has each of its files in the map of its README", () => {
  const readme = readFileSync(`${root}README.md`, "utf8");
  const files = readdirSync(`${root}src`, { recursive: true, encoding: "utf8" })
    .map((file) => file.replaceAll("\\", "/"))
    .filter((file) => file.endsWith(".ts") && file !== "index.ts");
  expect(files.length).toBeGreaterThan(70);
  // A row names its file by its path, and those that go with it by their names.
  const missing = files.filter((file) => {
    const name = file.slice(file.lastIndexOf("/") + 1);
    return !readme.includes(`\`${file}\``) && !readme.includes(`\`${name}\``);
  });
  expect(missing).toEqual([]);
});
