/** The parts of the benchmark of peers that read what peers say, and that write tables and charts. */
import { describe, expect, it } from "vitest";

import { chart, threeDigits } from "../bench/peers/chart.ts";
import { parseVersion } from "../bench/peers/installed.ts";
import { parseNatsHead } from "../bench/peers/nats-connection.ts";
import { nginxSettings } from "../bench/peers/nginx.ts";
import {
  captionOf,
  chartOf,
  documentOf,
  tableOf,
  withPeers,
  type RowHead,
  type RowRecord,
} from "../bench/peers/results.ts";

const HEAD: RowHead = {
  name: "get",
  title: "GET & more",
  method: "By `wrk`.",
  figures: [
    { figure: "rate", title: "requests/s", ratio: true },
    { figure: "cpu", title: "CPU µs" },
  ],
  yardstick: "bare",
};
const RECORD: RowRecord = {
  samples: {
    bare: { rate: [50_000, 40_000, 60_000], cpu: [18, 19, 20] },
    Meridian: { rate: [25_000, 20_000, 30_000], cpu: [30.04, 31, 32] },
    other: { rate: [1, 2, 3] },
  },
  failures: { gone: "it ended" },
  date: "2026-01-31",
  machine: "2 × a processor",
  processors: 2,
  versions: { Meridian: "0.2.0 (abc)", redis: "7.0.15" },
  extent: { rounds: 3 },
  load: [5.25, 6],
  disk: "tmpfs",
  skipped: ["webdis is not installed"],
};

describe("tables", () => {
  it("a row has a line for each contender, with the ratio to its yardstick", () => {
    expect(tableOf(HEAD, RECORD).split("\n")).toEqual([
      "|  | requests/s | of bare | CPU µs |",
      "| --- | --- | --- | --- |",
      "| bare | 50 000 | 1.00 | 19 |",
      "| **Meridian** | 25 000 | 0.50 | 31 |",
      "| other | 2 | 0.00 | – |",
    ]);
  });

  it("without the yardstick there is no ratio", () => {
    const { Meridian = {} } = RECORD.samples;
    const table = tableOf(HEAD, { ...RECORD, samples: { Meridian } });
    expect(table).toContain("| **Meridian** | 25 000 | – | 31 |");
  });

  it("a caption says when, where, on what load, who was skipped and who failed", () => {
    const caption = captionOf(HEAD, RECORD);
    for (const part of [
      "2026-01-31; 2 × a processor; data on tmpfs; Meridian 0.2.0 (abc), redis 7.0.15; rounds 3.",
      "5.3 and 6.0",
      "only the ratios count",
      "Skipped: webdis is not installed.",
      "Failed: gone (it ended).",
      "`npm run bench:peers -- --only get`",
    ]) {
      expect(caption).toContain(part);
    }
    expect(captionOf(HEAD, { ...RECORD, load: [0.5, 2] })).not.toContain("only the ratios");
  });

  it("a document keeps what is around its part", () => {
    const part = documentOf([HEAD], { get: RECORD }, (name) => `${name}.svg`);
    expect(part).toContain("![GET & more](get.svg)");
    const document = "before\n\n<!-- peers -->\n\nold\n\n<!-- end of peers -->\n\nafter\n";
    const made = withPeers(document, part);
    expect(made.startsWith("before\n\n<!-- peers -->\n\n### GET & more")).toBe(true);
    expect(made.endsWith("<!-- end of peers -->\n\nafter\n")).toBe(true);
    expect(made).not.toContain("old");
    expect(() => withPeers("no marks", part)).toThrow("Expected <!-- peers -->");
  });

  it("a row that was never measured is left out", () => {
    expect(documentOf([HEAD], {}, (name) => name)).toBe("");
  });
});

describe("charts", () => {
  it("a bar has the median, and a line from the lowest to the highest value", () => {
    const svg = chartOf(HEAD, RECORD);
    expect(svg).toContain("GET &amp; more");
    expect(svg).toContain(">50 000</text>");
    expect(svg.match(/<rect /g)).toHaveLength(4);
    // 450 points stand for the highest value, 60 000.
    expect(svg).toContain('<line x1="600" x2="750"');
    expect(svg).toContain('width="188" height="16" fill="#2b7a78"');
  });

  it("a chart without values is empty", () => {
    expect(chart("a", "b", [])).toContain("</svg>");
  });

  it.each([
    [12_345.6, "12 346"],
    [0.123_45, "0.123"],
    [99.96, "100"],
    [NaN, "–"],
  ])("%d is told as %s", (value, told) => {
    expect(threeDigits(value)).toBe(told);
  });
});

describe("peers", () => {
  it.each([
    ["Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.2.1", "7.0.15"],
    ["nginx version: nginx/1.22.1", "1.22.1"],
    ["nats-server: v2.9.10", "2.9.10"],
    ["", "unknown"],
  ])("the version in `%s` is %s", (printed, version) => {
    expect(parseVersion(printed)).toBe(version);
  });

  it("the head of a message of NATS says how long its headers and all of it are", () => {
    expect(parseNatsHead("MSG _INBOX.1.2 1 11")).toEqual({
      subject: "_INBOX.1.2",
      bytes: 11,
      headerBytes: 0,
    });
    expect(parseNatsHead("HMSG a 1 reply 30 47")).toMatchObject({ headerBytes: 30, bytes: 47 });
    expect(parseNatsHead("PING")).toBeUndefined();
  });

  it("nginx keeps the answers of an origin, and serves a file without one", () => {
    const origin = {
      url: "http://127.0.0.1:1/cache/a",
      pids: [],
      check: () => Promise.resolve(),
      stop: () => Promise.resolve(),
    };
    expect(nginxSettings("/f", 2, { origin })).toContain("proxy_pass http://127.0.0.1:1;");
    expect(nginxSettings("/f", 2, {})).toContain("root /f/files;");
  });
});
