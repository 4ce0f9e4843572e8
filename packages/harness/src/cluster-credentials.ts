/** Makes the certificate files of a cluster with TLS, signed by an authority of the cluster's own. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { Authority } from "@meridian/certificates/authority";
import type { SecureParts } from "@meridian/local-cluster";
import { systemClock } from "@meridian/runtime";
import { onTestFinished } from "vitest";

import { clusterFetch, trustAuthority } from "./region-requests.ts";

const HOSTS = ["localhost", "127.0.0.1"];
const DAYS = 30;

/** The certificate files, and the options that name them. */
export interface ClusterCredentials extends SecureParts {
  readonly caFile: string;
  /** Replaces the certificate of all programs by a new one. */
  renew(): Promise<void>;
}

/** Makes certificate files for the running test. Requests of this package trust their authority. */
export async function makeCredentials(): Promise<ClusterCredentials> {
  const folder = mkdtempSync(join(tmpdir(), "meridian-certificates-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const cert = join(folder, "cert.pem");
  const key = join(folder, "key.pem");
  const caFile = join(folder, "ca.pem");
  const validity = { nowMs: systemClock.nowMs(), days: DAYS };
  const authority = await Authority.create("cluster", validity);
  const renew = async (): Promise<void> => {
    const made = await authority.issue({ hosts: HOSTS, ...validity });
    writeFileSync(cert, made.cert);
    writeFileSync(key, made.key);
  };
  await renew();
  writeFileSync(caFile, authority.cert);
  trustAuthority(authority.cert);
  const args = [`--tls-cert=${cert}`, `--tls-key=${key}`, `--tls-ca=${caFile}`];
  return { args: [...args, `--tls-client-ca=${caFile}`], caFile, renew, fetch: clusterFetch };
}
