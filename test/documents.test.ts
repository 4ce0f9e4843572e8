import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";

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

describe("the maps of the code are true", () => {
  const sources = readdirSync(join(ROOT, "packages"), { recursive: true, encoding: "utf8" })
    .filter((path) => /\/src\/.*\.ts$/.test(path) && !path.includes("node_modules"))
    .map((path) => join("packages", path));
  const classes = new Set(
    sources.flatMap((path) => [...read(path).matchAll(/\bclass (\w+)/g)].map(([, name]) => name)),
  );
  const replication = sources.filter((path) => path.startsWith("packages/replication/src/"));

  it("every name in a flowchart of ARCHITECTURE.md is a class", () => {
    const charts = read("packages/ARCHITECTURE.md").matchAll(
      /```mermaid\nflowchart LR\n([^`]*)```/g,
    );
    const lines = [...charts].flatMap(([, chart = ""]) => chart.split("\n"));
    const names = lines
      .filter((line) => !/^\s*(subgraph\b|end$)/.test(line))
      .flatMap((line) => line.replaceAll(/\|\w+\|/g, "").match(/\w+/g) ?? []);
    expect(names.length).toBeGreaterThan(100);
    expect(names.filter((name) => !classes.has(name))).toEqual([]);
  });

  it("ARCHITECTURE.md names every class of replication whose file has more than a hundred lines", () => {
    const text = read("packages/ARCHITECTURE.md");
    const big = replication
      .filter((path) => read(path).split("\n").length > 100)
      .flatMap((path) =>
        [...read(path).matchAll(/^export class (\w+)/gm)].map(([, name = ""]) => name),
      );
    expect(big.filter((name) => !new RegExp(`\\b${name}\\b`).test(text))).toEqual([]);
  });

  it("replication's README names every file, and no other", () => {
    const text = read("packages/replication/README.md");
    const names = replication.map((path) => basename(path)).filter((name) => name !== "index.ts");
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
    const named = [...text.matchAll(/`([\w/-]+\.ts)`/g)].map(([, name = ""]) => basename(name));
    expect(named.filter((name) => !names.includes(name))).toEqual([]);
  });
});
