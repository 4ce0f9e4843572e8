/**
 * A service whose answers take a second to compute, and are the same for everybody: it keeps them in the cluster, so that
 * a region computes only what no region has computed within the last minute.
 *
 * Environment: `DIRECTORY` (http://127.0.0.1:7400), `LAT` and `LON` (48.9 and 2.4), `PORT` (8080; 0 takes any).
 */
import { setTimeout as sleep } from "node:timers/promises";

import { serve } from "@hono/node-server";
import { connect } from "@meridian/client";
import { Hono } from "hono";

interface Report {
  readonly city: string;
  readonly temperature: number;
}

const {
  DIRECTORY = "http://127.0.0.1:7400",
  LAT = "48.9",
  LON = "2.4",
  PORT = "8080",
} = process.env;

/** Lazy, so that the service starts while the cluster is away. A short deadline: an answer is worth less than its delay. */
const cache = await connect({
  directory: DIRECTORY,
  location: { lat: Number(LAT), lon: Number(LON) },
  lazy: true,
  deadlineMs: 500,
});

/** A report is computed once for all who ask a region. A cluster that is away costs time, and no answers. */
const reports = cache.namespace<Report>("report", { ttl: "60s", fill: { lock: "region" } });

const app = new Hono();

app.get("/reports/:city", async (context) => {
  let origin = "hit";
  const report = await reports.getOrSet(context.req.param("city"), ({ key: city }) => {
    origin = "miss";
    return compute(city);
  });
  return context.json(report, 200, { "X-Cache": origin });
});

/** Everybody sees the correction, each in the own region, as soon as it has travelled there: some hundred milliseconds. */
app.put("/reports/:city", async (context) => {
  const city = context.req.param("city");
  const { temperature } = await context.req.json<{ temperature: number }>();
  await reports.set(city, { city, temperature });
  return context.body(null, 204);
});

app.delete("/reports/:city", async (context) => {
  await reports.delete(context.req.param("city"));
  return context.body(null, 204);
});

const server = serve(
  { fetch: app.fetch, hostname: "127.0.0.1", port: Number(PORT) },
  ({ port }) => {
    console.log(`listening on http://127.0.0.1:${port}`);
  },
);
process.once("SIGTERM", () => {
  server.close();
  cache.close();
});

/** The work that the cache saves. */
async function compute(city: string): Promise<Report> {
  await sleep(1_000);
  return { city, temperature: 10 + (city.length % 20) };
}
