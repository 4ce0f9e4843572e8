/**
 * Checks that a link is used only for what its token grants. A node must greet with an id that its token names; a directory needs a token that names
 * all ids. A link lasts no longer than its token: once that has expired or been revoked, or its key is trusted no more, the link is closed with
 * `UNAUTHENTICATED`, and its other end may dial again with another token.
 */
import type { Authenticator } from "@meridian/http";
import type { Link, LinkEvents } from "@meridian/ports";
import {
  asMeridianError,
  closeCodeOf,
  GREETING_BYTES_MAX,
  MeridianError,
} from "@meridian/protocol";
import type { Principal } from "@meridian/protocol/http-api";
import type { Clock, Logger } from "@meridian/runtime";

/** The authenticator and the clock. */
export interface LinkTokensOptions {
  readonly authenticator: Authenticator;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** What a link was opened with. */
export interface LinkCredentials {
  readonly principal: Principal;
  /** The header. */
  readonly authorization: string | undefined;
}

interface GuardedLink extends LinkCredentials {
  readonly link: Link;
}

/** How often it is looked whose token has expired, in milliseconds. */
const WATCH_MS = 1_000;

/** How long a link goes on after its token has expired, in milliseconds: clocks differ, and a new link with the token would be accepted for as long. */
const TOLERANCE_MS = 10_000;

/** Databases whose nodes are remembered. */
const OWNERS_MAX = 10_000;

/** Looks after the tokens of open links. */
export class LinkTokens {
  readonly #options: LinkTokensOptions;
  readonly #links = new Set<GuardedLink>();
  /** Which node has introduced itself with a database, by the identity of that; the oldest first. */
  readonly #owners = new Map<unknown, string>();
  #isStopped = false;
  #cancel: () => void = () => {};

  constructor(options: LinkTokensOptions) {
    this.#options = options;
    options.authenticator.onVoid(() => {
      for (const each of this.#links) {
        if (options.authenticator.isVoid(each.principal)) void this.#verify(each);
      }
    });
  }

  /** Begins to look whose token has expired. */
  start(): void {
    if (this.#isStopped) return;
    const nowMs = this.#options.clock.nowMs();
    for (const each of this.#links) {
      if (each.principal.expiresAtMs + TOLERANCE_MS <= nowMs) void this.#verify(each);
    }
    this.#cancel = this.#options.clock.after(WATCH_MS, () => this.start());
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancel();
  }

  /** The same events, of a link whose other end does nothing that its token does not cover. */
  guard(link: Link, events: LinkEvents, credentials: LinkCredentials): LinkEvents {
    const { principal } = credentials;
    const guarded = { link, ...credentials };
    this.#links.add(guarded);
    // It may have become void while the link was being opened.
    if (this.#options.authenticator.isVoid(principal)) void this.#verify(guarded);
    let isIntroduced = false;
    return {
      onOpen: () => events.onOpen(),
      onMessage: (message) => {
        // Nobody is introduced twice on a link.
        if (!isIntroduced && typeof message === "string") {
          isIntroduced = this.#checkIntroduction(message, principal);
        }
        events.onMessage(message);
      },
      onPart: () => events.onPart(),
      onDrain: () => events.onDrain(),
      onClose: (code, reason) => {
        this.#links.delete(guarded);
        events.onClose(code, reason);
      },
    };
  }

  /**
   * Whether a message introduces the other end. Throws `FORBIDDEN` or `INCARNATION_REUSED` where it may not, and `MALFORMED_MESSAGE` for a text
   * that is too long to be parsed: what was not looked at goes no further, so that it introduces nobody.
   */
  #checkIntroduction(text: string, { nodes }: Principal): boolean {
    if (text.length > GREETING_BYTES_MAX) {
      const said = `Expected text of at most ${GREETING_BYTES_MAX} bytes before a greeting, got ${text.length}`;
      throw new MeridianError("MALFORMED_MESSAGE", said);
    }
    const { type, nodeId, incarnation } = membersOf(text);
    if (type !== "hello" && type !== "follow") return false;
    const covers = (id: string): boolean => nodes.includes("*") || nodes.includes(id);
    const id = type === "hello" ? String(nodeId) : "*";
    if (!covers(id)) {
      const got = type === "hello" ? `a node \`${id.slice(0, 63)}\`` : "a directory";
      const said = `Expected who is named by the token of the link, got ${got}`;
      throw new MeridianError("FORBIDDEN", said);
    }
    if (type === "hello") this.#checkOwner(incarnation, id, covers);
    return true;
  }

  /**
   * Frames name the database that they come from, not the node. A node that names another node's database could claim that all writes of that node
   * have been sent. So the first node that greets with a database owns it. A node that is refused for this takes a new identity by itself.
   */
  #checkOwner(incarnation: unknown, id: string, covers: (id: string) => boolean): void {
    const owner = this.#owners.get(incarnation);
    if (owner !== undefined && !covers(owner)) {
      throw new MeridianError(
        "INCARNATION_REUSED",
        "Expected a database of its own, got that of a node that the token of the link does not name",
      );
    }
    this.#owners.delete(incarnation);
    this.#owners.set(incarnation, id);
    if (this.#owners.size <= OWNERS_MAX) return;
    for (const oldest of this.#owners.keys()) return void this.#owners.delete(oldest);
  }

  async #verify(guarded: GuardedLink): Promise<void> {
    try {
      await this.#options.authenticator.verify(guarded.authorization);
    } catch (cause) {
      this.#close(guarded, asMeridianError(cause));
    }
  }

  #close(guarded: GuardedLink, { code, message }: MeridianError): void {
    if (!this.#links.delete(guarded)) return;
    const { id, subject } = guarded.principal;
    this.#options.logger.info("a link is closed for its token", { token: id, subject, message });
    guarded.link.close(closeCodeOf(code), message);
  }
}

/** The members of a message; none if it is no object. */
export function membersOf(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? { ...value } : {};
  } catch {
    // The machine says what is wrong with it.
    return {};
  }
}
