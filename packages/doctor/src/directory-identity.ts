import { withoutTrailingSlashes } from "@meridian/protocol";

/** What a directory says of which one it is, and which others there are. */
export interface DirectoryStanding {
  readonly logId: number;
  /** Where nodes reach it; null or left out if it does not know. */
  readonly url?: string | null | undefined;
  /** Those that it follows. */
  readonly peers: readonly { readonly name: string; readonly logId: number }[];
  /** Those with the same log, in one stream. */
  readonly beside?: readonly { readonly url: string }[] | undefined;
}

/**
 * A name for a directory, equal for all URLs by which it may be reached. Directories over one stream have one log, and are told apart by what
 * they say is their URL: those that say none count as one.
 */
export function identityOf({ logId, url }: Pick<DirectoryStanding, "logId" | "url">): string {
  return `${logId} ${withoutTrailingSlashes(url ?? "")}`;
}

/** The URLs of the directories that one names, and whose identity is not in `known`. Without a last slash. */
export function namedBy(
  { logId, peers, beside = [] }: DirectoryStanding,
  known: ReadonlySet<string>,
): readonly string[] {
  const logs = new Set([...known].map((identity) => Number(identity.split(" ", 1)[0])));
  return [
    ...peers
      .filter((peer) => !logs.has(peer.logId))
      .map(({ name }) => withoutTrailingSlashes(name)),
    ...beside
      .filter(({ url }) => !known.has(identityOf({ logId, url })))
      .map(({ url }) => withoutTrailingSlashes(url)),
  ];
}
