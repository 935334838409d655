// theme: as the system has it, or light or dark as chosen; kept by the browser.

import { text } from "./dom.js";

const STORED = "poold-theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };

function stored() {
    try {
        return localStorage.getItem(STORED) || "auto";
    } catch {
        return "auto"; // storage may be forbidden
    }
}

export function startTheme(button) {
    let theme = stored() in NEXT ? stored() : "auto";
    function apply() {
        if (theme === "auto")
            delete document.documentElement.dataset.theme;
        else
            document.documentElement.dataset.theme = theme;
        text(button, `Theme: ${theme}`);
        dispatchEvent(new Event("themechange"));
    }
    button.addEventListener("click", () => {
        theme = NEXT[theme];
        try {
            localStorage.setItem(STORED, theme);
        } catch {
            // then it is for this page only
        }
        apply();
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply);
    apply();
}

// A colour of app.css as it is now, for canvases.
export function colour(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
