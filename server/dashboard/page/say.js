// say: tells something that is not part of a view: to a screen reader, as a note that goes away, or as a question.

import { isLocked } from "./access.js";
import { Unreachable } from "./api.js";
import { h, text } from "./dom.js";

const NOTE_MS = 8000;
const $ = (id) => document.getElementById(id);

export function announce(message) {
    text($("announce"), message);
}

export function note(message, kind = "good") {
    const element = h("div", { class: `toast ${kind}`, role: kind === "good" ? "status" : "alert" }, h("span", {}, message));
    const away = () => element.remove();
    element.append(h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: away }, "×"));
    $("toasts").append(element);
    while ($("toasts").children.length > 3)
        $("toasts").firstElementChild.remove();
    setTimeout(away, NOTE_MS);
}

// A refusal in words: what was wrong, and when to come again.
export function wording(error) {
    const title = error?.problem?.title, said = String(error?.message || error);
    const later = error?.retryAfter ? ` Try again in ${error.retryAfter} s.` : "";
    return (title && said !== title ? `${title}: ${said}${/[.!?]$/.test(said) ? "" : "."}` : said) + later;
}

export function failure(error) {
    if (error instanceof Unreachable && !error.message)
        return; // the banner says it
    note(wording(error), "bad");
}

// Runs what a button does: not twice at a time, not what the token may not do, and a failure is told.
export function action(button, work) {
    button.addEventListener("click", async () => {
        if (isLocked(button)) {
            note($(button.getAttribute("aria-describedby"))?.textContent || "This token may not do that.", "warn");
            return;
        }
        if (button.getAttribute("aria-busy"))
            return;
        button.setAttribute("aria-busy", "true");
        try {
            await work();
        } catch (error) {
            failure(error);
        }
        button.removeAttribute("aria-busy");
    });
    return button;
}

// Resolves to true for `yes`.
export function confirm(title, message, yes, no = "Keep it") {
    const dialog = $("confirm");
    text($("confirm-title"), title);
    text($("confirm-text"), message);
    text($("confirm-yes"), yes);
    text($("confirm-no"), no);
    return new Promise((resolve) => {
        const finish = (answer) => () => {
            dialog.onclose = null;
            dialog.close();
            resolve(answer);
        };
        $("confirm-yes").onclick = finish(true);
        $("confirm-no").onclick = finish(false);
        dialog.onclose = () => resolve(false); // Escape
        dialog.showModal();
        $("confirm-no").focus();
    });
}
