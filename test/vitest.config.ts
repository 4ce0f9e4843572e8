import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

import { LongestFirst } from "./longest-first.ts";
import { memoryFolder } from "./memory-folder.ts";

// Workspace packages are resolved from `src`, so that no test ever runs a stale build.
// Modules that are for bundlers name files without extensions, which Node.js does not find.
const conditions = [
  "@meridian/source",
  ...defaultServerConditions.filter((condition) => condition !== "module"),
];

const BACKGROUND = fileURLToPath(new URL("background.ts", import.meta.url));
const EQUAL_BYTES = fileURLToPath(new URL("equal-bytes.ts", import.meta.url));
const LEFTOVERS = fileURLToPath(new URL("leftovers.ts", import.meta.url));

// The processes of tests, and those that tests start, put temporary folders there.
const MEMORY = memoryFolder();
if (MEMORY !== undefined) process.env["TMPDIR"] ??= MEMORY;

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    reporters: ["default", fileURLToPath(new URL("closing-line-reporter.ts", import.meta.url))],
    coverage: { provider: "v8", include: ["{packages,apps}/*/src/**"] },
    hookTimeout: 120_000,
    // As often as by default, for as long as a busy machine may take.
    expect: { poll: { timeout: 10_000 } },
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongestFirst },
    // For runs over sources that stay as they are: a kept module goes on importing what it did, wherever packages have put it since.
    experimental: { fsModuleCache: process.env["KEEP_MODULES"] === "1" },
    // `npm test` runs the projects in two processes side by side: e2e, which starts clusters and mostly waits for leases, restarts and links, and
    // all others, which mostly compute. Those that keep no real leases have a lower priority, and get the processor time that the rest leaves.
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{packages,apps}/*/test/**/*.test.ts"],
          // A process loads each module once for all files that it runs: loading took longer than testing. No file may
          // leave anything behind that another could notice.
          isolate: false,
          setupFiles: [BACKGROUND, LEFTOVERS, EQUAL_BYTES],
          // Far more than any test takes, so that a busy machine does not make tests fail.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/*.test.ts", "test/integration/**/*.test.ts"],
          isolate: false,
          setupFiles: [LEFTOVERS, EQUAL_BYTES],
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          isolate: false,
          testTimeout: 300_000,
          setupFiles: [BACKGROUND],
        },
      },
      {
        extends: true,
        test: {
          // Tests of the packages as they are published.
          name: "packing",
          include: ["test/api/**/*.test.ts"],
          setupFiles: [BACKGROUND],
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          isolate: false,
          setupFiles: [LEFTOVERS, EQUAL_BYTES],
          testTimeout: 120_000,
          // Each file starts a cluster of its own. No more files run at once than there are processors: with twice as many,
          // nodes lose their leases.
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          // Tests that need more than Node.js: systemd, a browser, other languages, a compiler, mounts.
          name: "system",
          include: ["test/system/**/*.test.ts"],
          isolate: false,
          // These tests mostly wait for systemd, mounts and browsers.
          maxWorkers: 2 * availableParallelism(),
          setupFiles: [EQUAL_BYTES],
          sequence: { groupOrder: 2 },
          testTimeout: 120_000,
        },
      },
    ],
  },
});
