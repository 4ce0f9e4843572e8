/** What is under which key: all keys of a region, and one key in every region. */
import type { PageProps } from "../../pages.ts";
import { useRegions } from "../../parties/use-nodes.ts";
import { fragmentOf } from "../../shell/place.ts";
import "../../styles/keys.css";
import { EntryView } from "./entry-view.tsx";
import { KeyList } from "./key-list.tsx";

/** The list, or the entry whose key is in the fragment. */
export function KeysPage({ parts: [kind, key] }: PageProps) {
  const regions = useRegions();
  const there = regions.filter(({ isThere }) => isThere);
  if (there.length === 0) {
    return (
      <section class="page" aria-labelledby="keys-title">
        <h1 id="keys-title">Keys</h1>
        <p class="notice">No region is there that could be asked.</p>
      </section>
    );
  }
  if (kind === "entry" && key !== undefined) {
    return <EntryView key={key} name={key} regions={regions} back={fragmentOf("keys")} />;
  }
  return <KeyList regions={there} />;
}
