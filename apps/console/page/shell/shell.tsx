/** What is around every page: the name of the cluster, the navigation, the token, the theme. */
import type { ComponentType } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { messageOf } from "../api/api.ts";
import { pagesOf, type ConsolePage, type PageProps } from "../pages.ts";
import { useStore } from "../store.ts";
import { Icon } from "./icon.tsx";
import { followLocation } from "./location.ts";
import { fragmentOf } from "./place.ts";
import { isPlayground, program } from "./session.ts";
import { nextTheme, theme } from "./theme.ts";
import { TokenPanel } from "./token-panel.tsx";

const place = followLocation();

const THEME_ICONS = {
  system: "M4 5h16v11H4zM9 20h6M12 16v4",
  day: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8M12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M5 19l1.4-1.4M17.6 6.4 19 5",
  night: "M20 14.5A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.5",
} as const;

/** The whole page. */
export function Shell() {
  const { page: id, parts } = useStore(place);
  const pages = useMemo(() => pagesOf(program, isPlayground), []);
  const page = pages.find((each) => each.id === id) ?? pages[0];
  useEffect(() => {
    document.title = page === undefined ? "Meridian" : `${page.title} · Meridian`;
  }, [page]);
  return (
    <>
      <a class="skip" href="#content" onClick={skip}>
        Skip to the content
      </a>
      <header class="bar">
        <a class="brand" href={fragmentOf(pages[0]?.id ?? "")}>
          <Icon path="M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M3 12h18M12 3c-4.5 5-4.5 13 0 18M12 3c4.5 5 4.5 13 0 18" />
          Meridian
        </a>
        <nav aria-label="Pages">
          <ul>
            {pages.map((each) => (
              <li key={each.id}>
                <a
                  href={fragmentOf(each.id)}
                  aria-current={each === page ? "page" : undefined}
                  class="tab"
                >
                  <Icon path={each.icon} />
                  {each.title}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="tools">
          <TokenPanel />
          <ThemeSwitch />
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        {page !== undefined && <PageFrame key={page.id} page={page} parts={parts} />}
      </main>
    </>
  );
}

/** Moves the focus without touching the fragment, which says where one is. */
function skip(event: Event): void {
  event.preventDefault();
  document.querySelector<HTMLElement>("#content")?.focus();
}

function ThemeSwitch() {
  const current = useStore(theme);
  const next = nextTheme(current);
  return (
    <button
      type="button"
      class="quiet"
      onClick={() => theme.set(next)}
      aria-label={`Theme: ${current}. Switch to ${next}`}
      title={`Theme: ${current}`}
    >
      <Icon path={THEME_ICONS[current]} />
    </button>
  );
}

/** A page, once it has been loaded. */
function PageFrame({
  page,
  parts,
}: {
  readonly page: ConsolePage;
  readonly parts: readonly string[];
}) {
  const [View, setView] = useState<ComponentType<PageProps> | undefined>(() =>
    page.isLoaded ? (page.view as ComponentType<PageProps>) : undefined,
  );
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    if (page.isLoaded) return;
    const load = page.view as () => Promise<ComponentType<PageProps>>;
    load().then(
      (loaded) => setView(() => loaded),
      (cause: unknown) => setFailure(messageOf(cause)),
    );
  }, [page]);
  if (failure !== undefined) {
    return (
      <p class="notice" role="alert">
        This page could not be loaded: {failure}. The program may have been replaced by another
        version; <a href="/">load the console again</a>.
      </p>
    );
  }
  return View === undefined ? <p class="notice">Loading …</p> : <View parts={parts} />;
}
