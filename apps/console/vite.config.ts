import { defaultClientConditions, defineConfig } from "vite";

export default defineConfig({
  base: "/",
  // Nothing is taken from the environment into the page.
  envPrefix: "MERIDIAN_CONSOLE_NOTHING_",
  // Packages of this repository come from their sources: where `npm run dev` builds the page, nothing else may be built.
  resolve: { conditions: ["@meridian/source", ...defaultClientConditions] },
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "dist/page",
    emptyOutDir: true,
    // Programs serve the page under `/`, and all that it loads under `/console/`.
    assetsDir: "console",
    target: "es2023",
    modulePreload: { polyfill: false },
    // A file that stands in the page as `data:` would need another policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    license: { fileName: "licenses.json" },
  },
});
