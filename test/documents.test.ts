import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";

import { describe, expect, it } from "vitest";

import { generatedDocuments, readDocument as read, ROOT } from "./documents/documents.ts";

const LINES_MAX = 150;
const TABLE_COLUMNS_MAX = 110;

/** Every document of the repository, as paths from its root. */
const DOCUMENTS = [
  "README.md",
  ".github/CONTRIBUTING.md",
  ...["packages", "apps"].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md") && !/(^|\/)(node_modules|dist)\//.test(path))
      .map((path) => join(folder, path)),
  ),
];

/** The anchor that a heading gets. Source: GitHub's rendering of Markdown. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .replaceAll(/\s/g, "-");
}

function anchorsOf(document: string): readonly string[] {
  return [...document.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading));
}

it.each([...generatedDocuments()])("%s is what `npm run docs` writes", (path, text) => {
  expect(read(path)).toBe(text);
});

it("the README is short, and its tables fit a screen", () => {
  const lines = read("README.md").trimEnd().split("\n");
  expect(lines.length).toBeLessThanOrEqual(LINES_MAX);
  const wide = lines.filter((line) => line.startsWith("|") && line.length > TABLE_COLUMNS_MAX);
  expect(wide).toEqual([]);
});

describe("links between documents lead somewhere", () => {
  it.each(DOCUMENTS)("%s", (path) => {
    const dead = [...read(path).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, link = ""]) => link)
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => {
        const [file = "", anchor] = link.split("#");
        const target = file === "" ? path : join(dirname(path), file);
        if (!existsSync(join(ROOT, target))) return true;
        return anchor !== undefined && !anchorsOf(read(target)).includes(anchor);
      });
    expect(dead).toEqual([]);
  });
});
