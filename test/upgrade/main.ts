/**
 * A rolling upgrade from a release that is kept to today's programs, and back, under load:
 *
 *   npm run hunt:upgrade -- [--release <folder of tarballs>] [--rate <requests a second>]
 *
 * Exit code 1 if a write was lost, a guarantee broken, or a request of the SDK failed; 2 if there is no release.
 */
import { parseArgs } from "node:util";

import { newestRelease, programsOfToday, RELEASES, unpackRelease } from "./kept-release.ts";
import { upgrade } from "./rolling-upgrade.ts";

const { values } = parseArgs({
  options: { release: { type: "string" }, rate: { type: "string", default: "200" } },
});
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const folder = values.release ?? newestRelease();
if (folder === undefined) {
  process.stderr.write(`Expected a release in ${RELEASES}, or \`--release <folder>\`, got none\n`);
  process.exit(2);
}
const { programs, version, remove } = unpackRelease(folder);
try {
  const after = await programsOfToday();
  tell(`from ${version} to today's ${after.version}, and back`);
  const before = { programs, version };
  const report = await upgrade({ before, after, rate: Number(values.rate), tell });
  const { failures, acknowledged, sdkRequests } = report;
  for (const failure of failures.slice(0, 50)) tell(failure);
  tell(
    `${acknowledged} acknowledged writes, ${sdkRequests} requests of the SDK, ${failures.length} failures`,
  );
  process.exitCode = failures.length === 0 ? 0 : 1;
} finally {
  remove();
}
