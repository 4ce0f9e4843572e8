/** The streams and the environment of the command. Tests pass their own. */
export interface CliIo {
  /** The stream for data. Nothing else is written to it. */
  readonly stdout: { write(data: string | Uint8Array): unknown };
  /** Whether stdout is a terminal. */
  readonly isTerminal?: boolean;
  /** Resolves once all written bytes have left this process. */
  readonly drained?: () => Promise<void>;
  /** Whether a long command shows its progress. */
  readonly showsProgress?: boolean;
  /** The stream for everything else: errors, notes and progress. */
  readonly stderr: { write(text: string): unknown };
  /** The input; undefined if it is a terminal, from which no value is read. */
  readonly stdin: AsyncIterable<Uint8Array> | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether to colour output for people. */
  readonly colour: boolean;
}
