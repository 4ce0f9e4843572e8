/** The streams and the environment of the command. Tests pass their own. */
export interface CliIo {
  /** Data, and nothing else. */
  readonly stdout: { write(data: string | Uint8Array): unknown };
  /** Whether stdout is a terminal. */
  readonly isTerminal?: boolean;
  /** Resolves once all written bytes have left this process. */
  readonly drained?: () => Promise<void>;
  /** Whether people watch how a long command goes on. */
  readonly showsProgress?: boolean;
  /** Everything else. */
  readonly stderr: { write(text: string): unknown };
  /** Undefined where it is a terminal, from which no value is read. */
  readonly stdin: AsyncIterable<Uint8Array> | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether to colour what people read. */
  readonly colour: boolean;
}
