// token: asks for the token when the service wants one, and shows whose it is.

import { me } from "./access.js";
import { events, forgetToken, giveToken, hasToken, needsToken } from "./api.js";
import { h, text } from "./dom.js";
import * as format from "./format.js";

const $ = (id) => document.getElementById(id);

// ---- the question ----

function show() {
    const dialog = $("token");
    if (needsToken() && !dialog.open) {
        const before = hasToken();
        text($("token-title"), before ? "The token is no longer accepted" : "Token needed");
        text($("token-text"), before ? "It was taken back or replaced. What you see is from before."
            : "This poold answers only who sends a token of its token file.");
        text($("token-error"), "");
        dialog.showModal();
        $("token-input").focus();
    } else if (!needsToken() && dialog.open) {
        dialog.close();
    }
    showWho();
}

const WRONG = {
    wrong: "That is not a token of this poold.",
    unreachable: "There is no connection to poold. Try again.",
    slow: "poold wants fewer requests. Try again in a moment.",
};

async function give(event) {
    event.preventDefault();
    const input = $("token-input"), button = event.target.querySelector("button");
    text($("token-error"), "");
    button.disabled = true;
    const answer = await giveToken(input.value.trim());
    button.disabled = false;
    if (answer === "right") {
        input.value = "";
        return;
    }
    text($("token-error"), WRONG[answer]);
    input.select();
}

// ---- whose it is ----

function facts({ scopes, functions, limits }) {
    const said = { rate: "requests a second", jobs: "unfinished jobs", streams: "streams" };
    const most = Object.entries(limits || {}).filter(([, value]) => value)
        .map(([name, value]) => `${format.count(value)} ${said[name] || name}`);
    return [["May", scopes.join(", ")], ["Functions", functions ? functions.join(", ") : "all"],
        ["At most", most.join(", ") || "no limits"]];
}

function showWho() {
    const mine = me();
    $("who").hidden = !hasToken();
    if (needsToken())
        $("who").open = false;
    text($("who-name"), mine.name || "token");
    $("who-facts").replaceChildren(...facts(mine).flatMap(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

// It closes as menus do.
function closes(event) {
    const who = $("who");
    if (!who.open || (event.type === "keydown" ? event.key !== "Escape" : who.contains(event.target)))
        return;
    who.open = false;
    if (event.type === "keydown")
        who.querySelector("summary").focus();
}

export function startToken() {
    events.addEventListener("token", show);
    events.addEventListener("access", showWho);
    $("token-form").addEventListener("submit", give);
    $("token").addEventListener("cancel", (event) => event.preventDefault());
    $("forget").addEventListener("click", forgetToken);
    addEventListener("keydown", closes);
    addEventListener("pointerdown", closes);
    show();
}
