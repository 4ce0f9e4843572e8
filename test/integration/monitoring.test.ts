/** Compares the alert rules and the dashboard with the metrics that both programs export, and ALERTS.md with the rules. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

import { request, ROOT, startBothPrograms } from "@meridian/harness";
import { beforeAll, expect, it } from "vitest";
import { parse } from "yaml";

const FOLDER = "packages/supervision/monitoring";

function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

/** The names of metrics in one query or in a text of several. */
function namesIn(text: string): readonly string[] {
  return [...new Set(text.match(/\b(?:meridian|process|nodejs)_[a-z\d_]+\b/g))];
}

/** The names of all metrics that a program exports, from the text of its `/metrics`. */
function exportedBy(text: string): readonly string[] {
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = "", kind]) =>
    kind === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  );
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

let exported: ReadonlySet<string>;

beforeAll(async () => {
  const both = await startBothPrograms();
  const texts: string[] = [];
  // The histogram of requests is exported only once there has been a request.
  for (const url of [both.region, both.directory]) {
    await request(`${url}/healthz`);
    texts.push(await (await request(`${url}/metrics`)).text());
  }
  await both.stop();
  exported = new Set(texts.flatMap(exportedBy));
});

it("every number in the alert rules is exported", () => {
  const names = namesIn(read(`${FOLDER}/alerts.yml`));
  expect(names.length).toBeGreaterThan(15);
  expect(names.filter((name) => !exported.has(name))).toEqual([]);
});

it("every number in the dashboard is exported, and no panel is without", () => {
  const { panels } = JSON.parse(read(`${FOLDER}/dashboard.json`)) as {
    readonly panels: readonly (Panel & { readonly type: string })[];
  };
  const charts = panels.filter(({ type }) => type !== "row");
  expect(charts.length).toBeGreaterThan(20);
  for (const { title, targets = [] } of charts) {
    const names = targets.flatMap(({ expr }) => namesIn(expr));
    const isKnown = names.length > 0 && names.every((name) => exported.has(name));
    expect([title, isKnown ? [] : names]).toEqual([title, []]);
  }
});

it("the page of alerts says of every rule when it fires and what to do, and each has its cases", () => {
  const { groups } = parse(read(`${FOLDER}/alerts.yml`)) as {
    readonly groups: readonly { readonly rules: readonly Rule[] }[];
  };
  const rules = groups.flatMap((group) => group.rules);
  const page = read("packages/ALERTS.md");
  const told = page.split(/^### /m).slice(1);
  expect(told.map((each) => each.split("\n")[0])).toEqual(rules.map(({ alert }) => alert));
  const { tests } = parse(read(`${FOLDER}/alerts.test.yml`)) as {
    readonly tests: readonly { readonly name: string }[];
  };
  const cases = tests.map(({ name }) => name);
  for (const [index, { alert, expr }] of rules.entries()) {
    expect(told[index]).toContain(`while \`${expr}\``);
    expect(told[index]?.split("\n\n")[2]?.length).toBeGreaterThan(40);
    expect(cases).toEqual(expect.arrayContaining([`${alert} fires`, `${alert} is quiet`]));
  }
});
