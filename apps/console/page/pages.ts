/**
 * The pages of the console, in the order of the navigation. Each lies in a folder of its own under `pages/`. Those that are not the
 * first view are loaded when they are opened.
 */
import type { ComponentType } from "preact";

import { MapPage } from "./pages/map/map-page.tsx";
import type { Program } from "./shell/session.ts";

/** What a page is given. */
export interface PageProps {
  /** The rest of the fragment, decoded: of `#/keys/user%3A42`, `["user:42"]`. */
  readonly parts: readonly string[];
}

/** A page of the console. */
export interface ConsolePage {
  /** Its place in the fragment of the URL. */
  readonly id: string;
  readonly title: string;
  /** The programs that have the page. The first page that a program has is its first view. */
  readonly programs: readonly Program[];
  /** Whether only the playground of a development cluster has it. */
  readonly isForTrying?: boolean;
  /** The path of its icon, in a square of 24 by 24, drawn with a stroke. */
  readonly icon: string;
  /** The page, or what loads it. */
  readonly view: ComponentType<PageProps> | (() => Promise<ComponentType<PageProps>>);
  /** Whether `view` loads the page. */
  readonly isLoaded: boolean;
}

/** A page that is there from the start. */
function present(
  page: Omit<ConsolePage, "view" | "isLoaded"> & { readonly view: ComponentType<PageProps> },
): ConsolePage {
  return { ...page, isLoaded: true };
}

/** A page that is loaded when it is opened. */
function later(
  page: Omit<ConsolePage, "view" | "isLoaded"> & {
    readonly view: () => Promise<ComponentType<PageProps>>;
  },
): ConsolePage {
  return { ...page, isLoaded: false };
}

const PAGES: readonly ConsolePage[] = [
  present({
    id: "map",
    title: "Map",
    programs: ["directory", "region"],
    icon: "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3.5 9.5h17M3.5 14.5h17M12 3c-5 5-5 13 0 18M12 3c5 5 5 13 0 18",
    view: MapPage,
  }),
  later({
    id: "region",
    title: "Regions",
    programs: ["directory", "region"],
    icon: "M4 19h16M6 15l4-5 3 3 5-7",
    view: async () => (await import("./pages/region/region-page.tsx")).RegionPage,
  }),
  later({
    id: "keys",
    title: "Keys",
    programs: ["directory", "region"],
    icon: "M15 3a6 6 0 1 0-5.7 7.9L4 16.2V20h3.8v-2.4h2.4v-2.4l1.6-1.6A6 6 0 0 0 15 3M16.5 7.5h0",
    view: async () => (await import("./pages/keys/keys-page.tsx")).KeysPage,
  }),
  later({
    id: "trouble",
    title: "Trouble",
    programs: ["directory", "region"],
    icon: "M12 4 2.8 20h18.4zM12 10v4.5M12 17.3h0",
    view: async () => (await import("./pages/trouble/trouble-page.tsx")).TroublePage,
  }),
  later({
    id: "try",
    title: "Try it",
    programs: ["directory"],
    isForTrying: true,
    icon: "M9 3h6M10 3v6L4.5 18.5A1.6 1.6 0 0 0 6 21h12a1.6 1.6 0 0 0 1.5-2.5L14 9V3M7.5 15h9",
    view: async () => (await import("./pages/try/try-page.tsx")).TryPage,
  }),
  later({
    id: "status",
    title: "Status",
    programs: ["directory", "region"],
    icon: "M4 19V5M4 19h16M8 15l3-4 3 2 5-6",
    view: async () => (await import("./pages/status/status-page.tsx")).StatusPage,
  }),
  later({
    id: "api",
    title: "API",
    programs: ["directory", "region"],
    icon: "M8 6l-5 6 5 6M16 6l5 6-5 6M13.5 4l-3 16",
    view: async () => (await import("./pages/api/api-page.tsx")).ApiPage,
  }),
];

/** Which page is the first view. One opens a directory to see the cluster, and a region to see what it holds. */
const FIRST: Readonly<Record<Program, string>> = { directory: "map", region: "region" };

/** The pages of a program, its first view first; those for trying only where a playground has served the page. */
export function pagesOf(program: Program, isPlayground: boolean): readonly ConsolePage[] {
  const isFirst = ({ id }: ConsolePage): number => Number(id === FIRST[program]);
  return PAGES.filter(
    ({ programs, isForTrying = false }) =>
      programs.includes(program) && (isPlayground || !isForTrying),
  ).toSorted((a, b) => isFirst(b) - isFirst(a));
}
