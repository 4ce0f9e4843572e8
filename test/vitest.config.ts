import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

// Workspace packages are resolved from `src`, so that no test ever runs a stale build.
const conditions = ["@meridian/source", ...defaultServerConditions];

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    reporters: ["default", fileURLToPath(new URL("closing-line-reporter.ts", import.meta.url))],
    coverage: { provider: "v8", include: ["{packages,apps}/*/src/**"] },
    hookTimeout: 120_000,
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          include: ["{packages,apps}/*/test/**/*.test.ts"],
          maxWorkers: availableParallelism(),
          // Far above what any of them takes: a machine with other things to do is no failure.
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["test/*.test.ts", "test/integration/**/*.test.ts"],
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
        },
      },
      {
        extends: true,
        test: {
          name: "e2e",
          include: ["test/e2e/**/*.test.ts"],
          testTimeout: 120_000,
          // Each file starts a cluster of its own, and spends much of its time waiting.
          maxWorkers: 2,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          // What needs more than Node.js: systemd, a browser, other languages, a compiler, mounts.
          name: "system",
          include: ["test/system/**/*.test.ts"],
          fileParallelism: false,
          sequence: { groupOrder: 1 },
          testTimeout: 120_000,
        },
      },
      {
        extends: true,
        test: {
          name: "simulation",
          include: ["test/simulation/**/*.test.ts"],
          // Nothing but arithmetic: every processor is worth using.
          maxWorkers: availableParallelism(),
          // Projects that run at once have to agree on that, so this one runs after the others.
          sequence: { groupOrder: 3 },
          testTimeout: 300_000,
        },
      },
    ],
  },
});
