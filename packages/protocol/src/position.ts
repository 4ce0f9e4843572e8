import { base36, identityText } from "./base36.ts";
import { MeridianError } from "./errors.ts";

const IDENTITY_MAX = 2 ** 48 - 1;

/**
 * What a client's session has seen: everything in the log through `sequence`, and everything that the node of
 * `incarnation` wrote through `outboxPosition`, whether the log has it yet or not.
 */
export interface Position {
  readonly logId: number;
  readonly epoch: number;
  readonly sequence: number;
  /** 0 if the session has seen nothing that was not in the log. */
  readonly incarnation: number;
  readonly outboxPosition: number;
}

/** The version of the token's layout. Tokens begin with it. */
const TOKEN_VERSION = "p1";

/** The position as an opaque token, safe in a header. */
export function formatPosition(position: Position): string {
  const { logId, epoch, sequence, incarnation, outboxPosition } = position;
  const place = `${identityText(logId)}.${identityText(epoch)}.${base36(sequence)}`;
  return `${TOKEN_VERSION}.${place}.${identityText(incarnation)}.${base36(outboxPosition)}`;
}

/**
 * Reads a token that `formatPosition` wrote. Throws `INVALID_POSITION` for every other text, for a token of another version, and for ids that
 * no log or outbox can have: the node forwards the ids to a directory, so a client must not be able to make them up.
 */
export function parsePosition(token: string): Position {
  const version = /^p\d{1,9}(?=\.)/.exec(token)?.[0];
  if (version !== undefined && version !== TOKEN_VERSION) {
    throw new MeridianError(
      "INVALID_POSITION",
      `Expected a position token of version ${TOKEN_VERSION}, got one of ${version}: this node cannot read what another version of Meridian has issued`,
    );
  }
  const parts = /^p1((?:\.[0-9a-z]{1,11}){5})$/.exec(token)?.[1]?.slice(1).split(".") ?? [];
  const numbers = parts.map((part) => parseInt(part, 36));
  const [logId = NaN, epoch = NaN, sequence = NaN, incarnation = NaN, outboxPosition = NaN] =
    numbers;
  const position = { logId, epoch, sequence, incarnation, outboxPosition };
  const isWhole = numbers.every(Number.isSafeInteger) && formatPosition(position) === token;
  const areIdentities = [logId, epoch, incarnation].every((id) => id <= IDENTITY_MAX);
  const areNamed = (logId === 0 || epoch > 0) && (outboxPosition === 0 || incarnation > 0);
  if (isWhole && areIdentities && areNamed) return position;
  throw new MeridianError(
    "INVALID_POSITION",
    `Expected a position token from an earlier answer, got \`${token.slice(0, 100)}\``,
  );
}
