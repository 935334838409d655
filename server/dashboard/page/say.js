// say: tells something that is not part of a view: to a screen reader, as a note that goes away, or as a question.

import { Unreachable } from "./api.js";
import { h, text } from "./dom.js";

const NOTE_MS = 8000;
const $ = (id) => document.getElementById(id);

export function announce(message) {
    text($("announce"), message);
}

export function note(message, kind = "good") {
    const element = h("div", { class: `toast ${kind}`, role: kind === "bad" ? "alert" : "status" }, h("span", {}, message));
    const away = () => element.remove();
    element.append(h("button", { type: "button", class: "quiet", "aria-label": "Dismiss", onclick: away }, "×"));
    $("toasts").append(element);
    while ($("toasts").children.length > 3)
        $("toasts").firstElementChild.remove();
    setTimeout(away, NOTE_MS);
}

export function failure(error) {
    if (error instanceof Unreachable && !error.message)
        return; // the banner says it
    note(error?.problem?.title && error.message !== error.problem.title
        ? `${error.problem.title}: ${error.message}` : String(error?.message || error), "bad");
}

// Runs what a button does: not twice at a time, and a failure is told.
export function action(button, work) {
    button.addEventListener("click", async () => {
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

// Resolves to true for yes.
export function confirm(title, message, yes) {
    const dialog = $("confirm");
    text($("confirm-title"), title);
    text($("confirm-text"), message);
    text($("confirm-yes"), yes);
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
