/** Serves the page and its script, which it bundles at the start. Environment: `PORT` (8081; 0 takes any). */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { serve } from "@hono/node-server";
import { build } from "esbuild";
import { Hono } from "hono";

const file = (name: string): string => fileURLToPath(new URL(name, import.meta.url));
const page = readFileSync(file("index.html"), "utf8");
const { outputFiles } = await build({
  entryPoints: [file("main.js")],
  bundle: true,
  write: false,
  format: "esm",
  platform: "browser",
  target: "es2023",
  conditions: ["@meridian/source"],
});
const script = outputFiles[0]?.text ?? "";

const app = new Hono();
app.get("/", (context) => context.html(page));
app.get("/main.js", (context) => context.body(script, 200, { "Content-Type": "text/javascript" }));

const server = serve(
  { fetch: app.fetch, hostname: "127.0.0.1", port: Number(process.env["PORT"] ?? "8081") },
  ({ port }) => console.log(`listening on http://127.0.0.1:${port}`),
);
process.once("SIGTERM", () => server.close());
