import { render } from "preact";

import { Shell } from "./shell/shell.tsx";
import { applyTheme } from "./shell/theme.ts";

applyTheme();
const root = document.querySelector("#console");
if (root !== null) render(<Shell />, root);
