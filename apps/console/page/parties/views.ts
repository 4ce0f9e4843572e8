/** Where a program is asked: at the page's own origin, which hands on what another party has to answer. */
import { program } from "../shell/session.ts";

/** A program that pages can show: a node, or the program that served the page. */
export interface Party {
  /** The id of a node; undefined for the program that served the page. */
  readonly id: string | undefined;
  readonly name: string;
  readonly isThere: boolean;
}

/** The path at which the map is asked for: the directory that served the page hands nothing on for it, a region asks its directory. */
export function pathAtDirectory(path: string): string {
  return program === "region" ? `/directory/view${path}` : path;
}

/** The path at which a party's own path is asked. */
export function pathAt(id: string | undefined, path: string): string {
  if (program === "region" || id === undefined) return path;
  return `/nodes/${encodeURIComponent(id)}/view${path}`;
}
