import { Authority, type MadeCertificate } from "@meridian/certificates/authority";
import { systemClock } from "@meridian/runtime";

const validity = (days: number): { nowMs: number; days: number } => ({
  nowMs: systemClock.nowMs(),
  days,
});

/** An authority of a test. */
export function authority(name: string): Promise<Authority> {
  return Authority.create(name, validity(2));
}

/** An authority between another and its certificates. */
export function between(root: Authority): Promise<Authority> {
  return root.intermediate("between", validity(2));
}

/** A certificate for this machine, or for others; below no days it has expired. */
export function certificateOf(
  from: Authority,
  { hosts = ["127.0.0.1"], days = 1 }: { hosts?: readonly string[]; days?: number } = {},
): Promise<MadeCertificate> {
  return from.issue({ hosts, ...validity(days) });
}
