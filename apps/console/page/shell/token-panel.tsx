import { useEffect, useRef, useState } from "preact/hooks";

import { useStore } from "../store.ts";
import { Icon } from "./icon.tsx";
import { giveToken, program, tokenState, tokenWishes, wishForToken } from "./session.ts";

const KEY_ICON = "M14.5 9.5a5 5 0 1 0-3.9 4.9L12 16h2v2h2v2h4v-3.5L14.2 11";

/** Who sees a token, by who served the page. */
const RECEIVERS = {
  directory: "this directory, and through it to the nodes that you look at",
  region: "this region only",
};

/** Where a token is entered. It opens by itself when the program that served the page wants one. */
export function TokenPanel() {
  const { isGiven, refusal } = useStore(tokenState);
  const dialog = useDialog(refusal);
  const [text, setText] = useState("");
  const give = (token: string): void => {
    setText("");
    dialog.current?.close();
    giveToken(token);
  };
  return (
    <>
      <button
        type="button"
        class="quiet"
        onClick={wishForToken}
        aria-label={isGiven ? "Token: given. Change it" : "Token: none. Enter one"}
        title={isGiven ? "A token is used" : "No token is used"}
      >
        <Icon path={KEY_ICON} />
        {isGiven && <span class="dot" />}
      </button>
      <dialog ref={dialog} class="panel" aria-labelledby="token-title">
        <form
          method="dialog"
          onSubmit={(event) => {
            event.preventDefault();
            give(text);
          }}
        >
          <h2 id="token-title">Token</h2>
          {refusal !== undefined && (
            <p class="warning" role="alert">
              The program refused a request: {refusal.slice(0, 400)}
            </p>
          )}
          <label>
            A token of this cluster
            <input
              type="password"
              autocomplete="off"
              spellcheck={false}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </label>
          <p class="hint">
            It stays in the memory of this page, goes to {RECEIVERS[program]}, and is gone when the
            page is closed. <code>meridian token</code> issues tokens.
          </p>
          <div class="actions">
            {isGiven && (
              <button type="button" onClick={() => give("")}>
                Forget it
              </button>
            )}
            <button type="button" onClick={() => dialog.current?.close()}>
              Cancel
            </button>
            <button type="submit" class="primary" disabled={text.trim() === ""}>
              Use it
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

/** A dialog that opens when a program refuses a request, and when somebody wants it to. */
function useDialog(refusal: string | undefined) {
  const wishes = useStore(tokenWishes);
  const dialog = useRef<HTMLDialogElement>(null);
  const open = (): void => {
    if (dialog.current?.open === false) dialog.current.showModal();
  };
  // A wish opens it once: it must not open again when a token has put an end to a refusal.
  useEffect(() => {
    if (refusal !== undefined) open();
  }, [refusal]);
  useEffect(() => {
    if (wishes > 0) open();
  }, [wishes]);
  return dialog;
}
