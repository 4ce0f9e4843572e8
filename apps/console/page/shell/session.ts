/** What all pages share: the program, the requests, and the token, which is nowhere but in this module's memory. */
import { Api, type ApiProblem } from "../api/api.ts";
import { Store } from "../store.ts";

/** The program that served the page. */
export type Program = "directory" | "region";

/** What is known of the token. */
export interface TokenState {
  readonly isGiven: boolean;
  /** What a program said when it refused a request for want of a token, or of a better one. */
  readonly refusal: string | undefined;
}

/** The token as pages see it: never the token itself. */
export const tokenState = new Store<TokenState>({ isGiven: false, refusal: undefined });

/** Asks the program that served the page. */
export const api = new Api((problem: ApiProblem) => {
  tokenState.set({ ...tokenState.value, refusal: problem.message });
});

/** Counts the tokens that were given, so that what was refused is asked again. */
export const tokenChanges = new Store(0);

/** Counts how often somebody wanted to enter a token. */
export const tokenWishes = new Store(0);

/** Opens the place to enter a token. */
export function wishForToken(): void {
  tokenWishes.set(tokenWishes.value + 1);
}

/** Sends that token from here on; an empty one for none. */
export function giveToken(text: string): void {
  const token = text.trim();
  api.useToken(token === "" ? undefined : token);
  tokenState.set({ isGiven: token !== "", refusal: undefined });
  tokenChanges.set(tokenChanges.value + 1);
}

/** The program, as the page says that it was served. */
export const program: Program =
  document.querySelector<HTMLMetaElement>('meta[name="meridian-program"]')?.content === "region"
    ? "region"
    : "directory";

/** Whether the page was served by the playground of a development cluster, which has put a token into the page for what it alone can do. */
export const isPlayground: boolean = takePlaygroundToken();

function takePlaygroundToken(): boolean {
  const meta = document.querySelector<HTMLMetaElement>('meta[name="meridian-dev"]');
  if (meta === null) return false;
  api.usePlaygroundToken(meta.content);
  // From here on it is in the memory of `api` alone.
  meta.remove();
  return true;
}
