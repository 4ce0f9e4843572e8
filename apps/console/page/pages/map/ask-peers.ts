import { pathAtDirectory } from "../../parties/views.ts";
import { api } from "../../shell/session.ts";
import type { DirectoryFacts, PeerFacts } from "./directories.ts";

/** What each directory says that one follows, or said when it could be asked. Rejects with the signal's reason. */
export async function factsOfPeers(
  { peers }: DirectoryFacts,
  before: PeerFacts,
  signal: AbortSignal,
): Promise<PeerFacts> {
  const facts = new Map<string, DirectoryFacts>();
  await Promise.all(
    peers.map(async ({ name }) => {
      const path = pathAtDirectory(`/peers/${encodeURIComponent(name)}/view/status`);
      const told = await api
        .json<DirectoryFacts>("GET", path, { signal })
        .catch(() => before.get(name));
      if (told !== undefined) facts.set(name, told);
    }),
  );
  signal.throwIfAborted();
  return facts;
}
