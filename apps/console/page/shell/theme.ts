import { Store } from "../store.ts";

/** As the system has it, or one of the two. */
export type Theme = "system" | "day" | "night";

const KEY = "meridian-theme";
const THEMES: readonly Theme[] = ["system", "day", "night"];

/** The theme. It is the only thing that the page keeps beyond its life. */
export const theme = new Store<Theme>(kept());

/** The theme after one, round and round. */
export function nextTheme(current: Theme): Theme {
  return THEMES[(THEMES.indexOf(current) + 1) % THEMES.length] ?? "system";
}

/** Shows the page in the theme, and follows its changes. */
export function applyTheme(): void {
  const apply = (): void => {
    document.documentElement.dataset["theme"] = theme.value;
    try {
      localStorage.setItem(KEY, theme.value);
    } catch {
      // A browser that keeps nothing still shows it.
    }
  };
  apply();
  theme.listen(apply);
}

function kept(): Theme {
  try {
    const found = localStorage.getItem(KEY);
    return THEMES.find((each) => each === found) ?? "system";
  } catch {
    return "system";
  }
}
