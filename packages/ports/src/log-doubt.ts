/** Why a directory's log may lack what it has acknowledged, or what another log had before it: conditions are not decided by such a log. */
export interface LogDoubt {
  /** What has shown it, in words. */
  readonly why: string;
  /** When that was, in milliseconds since the Unix epoch. */
  readonly sinceMs: number;
}
