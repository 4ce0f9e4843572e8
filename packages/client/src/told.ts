import type { ReceivedEntry } from "./answers.ts";

/** Which keys a node is to tell of: those that begin with `prefix`, or `key`. */
export interface WatchQuestion {
  readonly key?: string | undefined;
  readonly prefix?: string | undefined;
  /** Whether the values that are set are wanted. */
  readonly values?: boolean;
  /** Whether the node is to say how far it has told. */
  readonly positions?: boolean;
  /** The token behind which to go on. */
  readonly token: string | undefined;
  /** The node is taken for dead after so long without a byte, in milliseconds. */
  readonly quietMs: number;
  /** Whether the process is kept alive meanwhile, where that can be chosen. */
  readonly isHeld: boolean;
}

/** What has become of a key. */
export type ToldChange =
  | { readonly event: "set"; readonly key: string; readonly entry: ReceivedEntry }
  | { readonly event: "delete" | "expire"; readonly key: string; readonly etag: unknown };

/** A node's word on how far it has told its changes. */
export interface ToldPosition {
  readonly position: string;
  /** How long the node has been telling, in milliseconds. */
  readonly elapsedMs: number;
  /** The node's time. */
  readonly nowMs: number;
}

/** What a node tells, whatever it comes over. `token` is that of the place behind it, where it has one. */
export type Told = { readonly token: string | undefined } &
  /** The first word of a watch: from now on, the node tells all changes. It was asked at `askedAtMs` of the clock's `elapsedMs`, or later. */
  (
    | { readonly kind: "open"; readonly askedAtMs: number }
    | { readonly kind: "change"; readonly change: ToldChange }
    /** Changes were missed. */
    | { readonly kind: "reload" }
    | { readonly kind: "position"; readonly word: ToldPosition }
  );
