import { X509Certificate } from "node:crypto";

import type { Metrics } from "@meridian/runtime";

import type { Security } from "./security.ts";

/** Registers when the program's certificate expires. */
export function registerSecurity(metrics: Metrics, security: Pick<Security, "serving">): void {
  let read: string | Buffer | undefined;
  let seconds: number | undefined;
  metrics.gauge(
    "meridian_certificate_not_after_timestamp_seconds",
    "When the certificate expires that clients are shown, in seconds since the Unix epoch.",
    () => {
      const { certificate } = security.serving;
      if (certificate === undefined) return undefined;
      if (certificate.cert !== read) {
        read = certificate.cert;
        seconds = Date.parse(new X509Certificate(read).validTo) / 1_000;
      }
      return seconds;
    },
  );
}
