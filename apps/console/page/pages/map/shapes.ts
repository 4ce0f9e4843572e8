/** How the status of a node or a directory looks: a colour, and a shape for those who see no colours. */
import type { Standing } from "./directories.ts";
import type { ShownNode } from "./nodes.ts";

/** Every status of a node, as directories tell it. */
export type ShownStatus = ShownNode["status"];

/** How a status is shown. */
export interface StatusLook {
  /** A path around the point 0,0, about 12 pixels wide. */
  readonly shape: string;
  /** What it means, in a few words. */
  readonly meaning: string;
}

const RING = "M0-6a6 6 0 1 0 0 12 6 6 0 1 0 0-12z";

/** The looks of all of them. The names of their colours are those of the statuses, in `base.css`. */
export const STATUS_LOOKS: Readonly<Record<ShownStatus, StatusLook>> = {
  ready: { shape: RING, meaning: "serves, and is offered to clients" },
  syncing: { shape: "M0-7 6.6 4.8H-6.6z", meaning: "catches up before it serves" },
  joining: {
    shape: `${RING}M0-2.8a2.8 2.8 0 1 1 0 5.6 2.8 2.8 0 1 1 0-5.6z`,
    meaning: "waits for a directory",
  },
  standalone: { shape: "M0-7.4 7.4 0 0 7.4-7.4 0z", meaning: "serves without a directory" },
  full: { shape: "M-5.6-5.6H5.6V5.6H-5.6z", meaning: "reads and deletes only: its disk is full" },
  draining: { shape: "M0 7 6.6-4.8H-6.6z", meaning: "is about to stop" },
  gone: {
    shape:
      "M-6.4-3.9-3.9-6.4 0-2.5 3.9-6.4 6.4-3.9 2.5 0 6.4 3.9 3.9 6.4 0 2.5-3.9 6.4-6.4 3.9-2.5 0z",
    meaning: "has no link to a directory",
  },
};

/** The look of a status. One of another version looks like a node that joins. */
export function lookOf(status: string): StatusLook {
  return Object.hasOwn(STATUS_LOOKS, status)
    ? STATUS_LOOKS[status as ShownStatus]
    : { shape: STATUS_LOOKS.joining.shape, meaning: "a status of another version" };
}

/** The class for the colour of a status. */
export function colourOf(status: string): string {
  return Object.hasOwn(STATUS_LOOKS, status) ? `is-${status}` : "is-joining";
}

const HEXAGON = "M0-8.4 7.3-4.2V4.2L0 8.4-7.3 4.2V-4.2z";

/** The looks of directories: what no node looks like. The class of their colour is `is-directory`, with one for the standing. */
export const DIRECTORY_LOOKS: Readonly<Record<Standing, StatusLook>> = {
  here: {
    shape: `${HEXAGON}M0-2.6a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 1 0 0-5.2z`,
    meaning: "tells this page of the cluster",
  },
  followed: {
    shape: HEXAGON,
    meaning: "is followed by the one that tells this page of the cluster",
  },
  unreached: {
    shape: `${HEXAGON}M0-5 4.3-2.5V2.5L0 5-4.3 2.5V-2.5z`,
    meaning: "has no link to the one that tells this page of the cluster",
  },
};

/** What a comparison says of a party. */
export type Verdict = "same" | "differs" | "unknown";

/** The looks of verdicts, each with the class of its colour. */
export const VERDICT_LOOKS: Readonly<Record<Verdict, StatusLook & { readonly colour: string }>> = {
  same: { shape: RING, colour: "is-ready", meaning: "holds the same" },
  differs: {
    shape: "M-7.4 0 0-7.4 7.4 0 0 7.4zM-3.6-1.9H3.6V-.7H-3.6zM-3.6.7H3.6V1.9H-3.6z",
    colour: "is-gone",
    meaning: "differs",
  },
  unknown: { shape: STATUS_LOOKS.gone.shape, colour: "is-draining", meaning: "was not compared" },
};
