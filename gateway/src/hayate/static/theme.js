// Light or dark: as the system has it, unless the person has chosen here.

import { byId } from "./elements.js";

const KEY = "theme";
const dark = matchMedia("(prefers-color-scheme: dark)");

/** @param {string | null} theme */
function show(theme) {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

export function startTheme() {
  show(localStorage.getItem(KEY));
  byId("theme", HTMLButtonElement).onclick = () => {
    const isDark = (document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light")) === "dark";
    const chosen = isDark ? "light" : "dark";
    if ((chosen === "dark") === dark.matches) localStorage.removeItem(KEY); // as the system has it
    else localStorage.setItem(KEY, chosen);
    show(localStorage.getItem(KEY));
  };
}
