/** Who may say hello on a link: a node under an id that its token names, and a directory whose token names all. */
import type { LinkEvents } from "@meridian/ports";
import { MeridianError } from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";

/** The same events, of a link whose other end says no hello that its token does not cover: that closes it with `FORBIDDEN`. */
export function identified(events: LinkEvents, principal: Principal): LinkEvents {
  let isIntroduced = false;
  return {
    onOpen: () => events.onOpen(),
    onMessage: (message) => {
      // Nobody is introduced twice on a link.
      if (!isIntroduced && typeof message === "string") {
        isIntroduced = checkIntroduction(message, principal);
      }
      events.onMessage(message);
    },
    onDrain: () => events.onDrain(),
    onClose: (code, reason) => events.onClose(code, reason),
  };
}

/** Whether a message introduces the other end. Throws `FORBIDDEN` where it may not. */
function checkIntroduction(text: string, { nodes }: Principal): boolean {
  const { type, nodeId } = membersOf(text);
  if (type !== "hello" && type !== "follow") return false;
  if (nodes.includes("*") || (type === "hello" && nodes.includes(String(nodeId)))) return true;
  const got = type === "hello" ? `a node \`${String(nodeId).slice(0, 63)}\`` : "a directory";
  throw new MeridianError(
    "FORBIDDEN",
    `Expected who is named by the token of the link, got ${got}`,
  );
}

function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // The machine says what is wrong with it.
    return {};
  }
}
