/**
 * A rolling upgrade from a release that is kept to today's programs, and back, under load:
 *
 *   npm run hunt:upgrade -- [--release <folder of tarballs>] [--rate <requests a second>] [--only plain | secure]
 *
 * The first run is without TLS and tokens, the second one with both.
 * Exit code 1 if a write was lost, a guarantee broken, or a request of the SDK failed; 2 if there is no release.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { Secrets } from "../support/secrets.ts";
import { newestRelease, programsOfToday, RELEASES, unpackRelease } from "./kept-release.ts";
import { upgrade } from "./rolling-upgrade.ts";

const { values } = parseArgs({
  options: {
    release: { type: "string" },
    rate: { type: "string", default: "200" },
    only: { type: "string" },
  },
});
const KINDS = ["plain", "secure"];
if (values.only !== undefined && !KINDS.includes(values.only)) {
  throw new Error(`Expected \`--only\` as ${KINDS.join(" or ")}, got \`${values.only}\``);
}
const tell = (line: string): void => void process.stdout.write(`${line}\n`);
const folder = values.release ?? newestRelease();
if (folder === undefined) {
  process.stderr.write(`Expected a release in ${RELEASES}, or \`--release <folder>\`, got none\n`);
  process.exit(2);
}
const work = mkdtempSync(join(tmpdir(), "meridian-upgrade-"));
const { programs, version, remove } = unpackRelease(folder);
try {
  const after = await programsOfToday();
  tell(`from ${version} to today's ${after.version}, and back`);
  const before = { programs, version };
  let failed = 0;
  for (const kind of KINDS.filter((each) => each === (values.only ?? each))) {
    tell(kind === "plain" ? "without TLS and tokens" : "with TLS and tokens");
    const secrets = kind === "plain" ? undefined : await Secrets.make(join(work, "secrets"));
    const rate = Number(values.rate);
    const report = await upgrade({ before, after, rate, tell, secrets });
    await secrets?.close();
    const { failures, acknowledged, sdkRequests } = report;
    for (const failure of failures.slice(0, 50)) tell(failure);
    tell(
      `${acknowledged} acknowledged writes, ${sdkRequests} requests of the SDK, ${failures.length} failures`,
    );
    failed += failures.length;
  }
  process.exitCode = failed === 0 ? 0 : 1;
} finally {
  remove();
  rmSync(work, { recursive: true });
}
