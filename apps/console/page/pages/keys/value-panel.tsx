/** A value: never as markup, whatever it says of itself. */
import { useMemo, useState } from "preact/hooks";

import { amountText } from "../region/amounts.ts";
import { InertText } from "./inert-text.tsx";
import {
  bytesOf,
  firstView,
  hexOf,
  imageTypeOf,
  jsonOf,
  SHOWN_AT_FIRST,
  SHOWN_MORE,
  type ToldValue,
  type ValueView,
} from "./value.ts";

const VIEWS: readonly (readonly [ValueView, string])[] = [
  ["text", "Text"],
  ["json", "JSON"],
  ["hex", "Hex"],
  ["image", "Image"],
];

/** Shows a value. */
export function ValuePanel({ told }: { readonly told: ToldValue }) {
  const bytes = useMemo(() => bytesOf(told), [told]);
  const [chosen, setChosen] = useState<ValueView>();
  const first = useMemo(() => firstView(told), [told]);
  const view = chosen ?? first;
  const text = useMemo(() => textOf(view, told, bytes), [view, told, bytes]);
  return (
    <div class="value">
      <div class="heading">
        <p class="hint">
          {amountText(bytes.length, "bytes")}, <InertText text={told.contentType.slice(0, 200)} />
        </p>
        <div class="switch" role="group" aria-label="Show the value as">
          {VIEWS.map(([id, name]) => (
            <button key={id} type="button" aria-pressed={id === view} onClick={() => setChosen(id)}>
              {name}
            </button>
          ))}
        </div>
      </div>
      {view === "image" ? <Picture bytes={bytes} told={told} /> : <Lines key={view} text={text} />}
    </div>
  );
}

/** What a view says; undefined if the value cannot be shown so. */
function textOf(view: ValueView, told: ToldValue, bytes: Uint8Array): string | undefined {
  if (view === "image") return undefined;
  if (view === "hex") return hexOf(bytes);
  if (view === "json") return jsonOf(told);
  return told.encoding === "utf8" ? told.value : new TextDecoder().decode(bytes);
}

function Lines({ text }: { readonly text: string | undefined }) {
  const [length, setLength] = useState(SHOWN_AT_FIRST);
  if (text === undefined) return <p class="notice">The value is no JSON.</p>;
  if (text === "") return <p class="notice">The value is empty.</p>;
  const left = text.length - length;
  return (
    <>
      <pre class="scroll" tabIndex={0} role="region" aria-label="The value">
        <InertText text={text.slice(0, length)} isLong />
      </pre>
      {left > 0 && (
        <button type="button" onClick={() => setLength(length + SHOWN_MORE)}>
          Show more: {left.toLocaleString("en")} characters are left
        </button>
      )}
    </>
  );
}

function Picture({
  bytes,
  told,
}: {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly told: ToldValue;
}) {
  const type = imageTypeOf(bytes);
  const [isBroken, setIsBroken] = useState(false);
  if (type === undefined || told.encoding !== "base64" || isBroken) {
    return (
      <p class="notice">
        The value is no image that is shown here: those are PNG, JPEG, GIF, WebP and AVIF.
      </p>
    );
  }
  return (
    <img
      class="picture"
      src={`data:${type};base64,${told.value}`}
      alt="The value, as an image"
      onError={() => setIsBroken(true)}
    />
  );
}
