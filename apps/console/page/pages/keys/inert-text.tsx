import { shownParts } from "./inert.ts";

/** A text that anybody may have written, in one line or, with `isLong`, in many. */
export function InertText({
  text,
  isLong = false,
}: {
  readonly text: string;
  readonly isLong?: boolean;
}) {
  return (
    <bdi class="inert" dir={isLong ? "auto" : "ltr"}>
      {shownParts(text, isLong).map((part, at) =>
        part.isName ? (
          <span key={at} class="character" title="A character that is not seen">
            {part.text}
          </span>
        ) : (
          part.text
        ),
      )}
    </bdi>
  );
}
