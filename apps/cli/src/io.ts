/** What the command takes from its process. Tests give their own. */
export interface CliIo {
  /** Data, and nothing else. */
  readonly stdout: { write(data: string | Uint8Array): unknown };
  /** Whether people read it, to whom the next prompt belongs on a line of its own. */
  readonly isTerminal?: boolean;
  /** Resolves once what was written is not waiting in this process any more. */
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
