import { base36, identityText } from "./base36.ts";
import { MeridianError } from "./errors.ts";

const IDENTITY_MAX = 2 ** 48 - 1;

/** A place in the outbox of a node. */
export interface OutboxPlace {
  readonly incarnation: number;
  readonly outboxPosition: number;
}

/**
 * What a client's session has seen: everything in the log through `sequence`, and everything that the node of
 * `incarnation` wrote through `outboxPosition`, whether the log has it yet or not.
 */
export interface Position extends OutboxPlace {
  readonly logId: number;
  readonly epoch: number;
  readonly sequence: number;
  /** 0 if the session has seen nothing that was not in the log, but for `early`. */
  readonly incarnation: number;
  /** What it has seen of other nodes before the log had it; absent where that is nothing, and at most `OUTBOXES_MAX`. */
  readonly early?: readonly OutboxPlace[];
}

/** How many outboxes a position names at most beside its own. */
export const OUTBOXES_MAX = 16;

/** The versions of the token's layout. Tokens begin with them. The second has what was seen early, and is written only where there is such. */
const PLAIN = "p1";
const WITH_EARLY = "p2";

const VERSIONS: readonly string[] = [PLAIN, WITH_EARLY];

/** The position as an opaque token, safe in a header. */
export function formatPosition(position: Position): string {
  const { logId, epoch, sequence, early = [] } = position;
  const place = `${identityText(logId)}.${identityText(epoch)}.${base36(sequence)}`;
  if (early.length === 0) return `${PLAIN}.${place}.${outboxText(position)}`;
  return `${WITH_EARLY}.${place}.${[position, ...early].map(outboxText).join(".")}`;
}

/**
 * Reads a token that `formatPosition` wrote. Throws `INVALID_POSITION` for every other text, for a token of another version, and for ids that
 * no log or outbox can have: the node forwards the ids to a directory, so a client must not be able to make them up.
 */
export function parsePosition(token: string): Position {
  const version = /^p\d{1,9}(?=\.)/.exec(token)?.[0];
  if (version !== undefined && !VERSIONS.includes(version)) {
    throw new MeridianError(
      "INVALID_POSITION",
      `Expected a position token of version ${PLAIN} or ${WITH_EARLY}, got one of ${version}: this node cannot read what another version of Meridian has issued`,
    );
  }
  const position = positionOf(numbersOf(token));
  if (isPosition(position) && formatPosition(position) === token) return position;
  throw new MeridianError(
    "INVALID_POSITION",
    `Expected a position token from an earlier answer, got \`${token.slice(0, 100)}\``,
  );
}

function outboxText({ incarnation, outboxPosition }: OutboxPlace): string {
  return `${identityText(incarnation)}.${base36(outboxPosition)}`;
}

/** The numbers of a token: five, and two more for each place of `early`. None for text that is no token. */
function numbersOf(token: string): readonly number[] {
  const parts = /^p[12]((?:\.[0-9a-z]{1,11}){5,37})$/.exec(token)?.[1]?.slice(1).split(".");
  return parts?.map((part) => parseInt(part, 36)) ?? [];
}

function positionOf(numbers: readonly number[]): Position {
  const [logId = NaN, epoch = NaN, sequence = NaN, incarnation = NaN, outboxPosition = NaN] =
    numbers;
  const early: OutboxPlace[] = [];
  for (let at = 5; at < numbers.length; at += 2) {
    early.push({ incarnation: numbers[at] ?? NaN, outboxPosition: numbers[at + 1] ?? NaN });
  }
  const plain = { logId, epoch, sequence, incarnation, outboxPosition };
  return early.length === 0 ? plain : { ...plain, early };
}

function isPosition(position: Position): boolean {
  const { logId, epoch, sequence, incarnation, outboxPosition, early = [] } = position;
  const outboxes = [position, ...early];
  const numbers = [
    logId,
    epoch,
    sequence,
    ...outboxes.flatMap((each) => [each.incarnation, each.outboxPosition]),
  ];
  const areIdentities = [logId, epoch, ...outboxes.map((each) => each.incarnation)].every(
    (id) => id <= IDENTITY_MAX,
  );
  const areNamed = (logId === 0 || epoch > 0) && (outboxPosition === 0 || incarnation > 0);
  const areEarly = early.every((each) => each.incarnation > 0 && each.outboxPosition > 0);
  return numbers.every(Number.isSafeInteger) && areIdentities && areNamed && areEarly;
}
