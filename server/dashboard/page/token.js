// token: asks for the token when the service wants one.

import { events, forgetToken, giveToken, hasToken, needsToken } from "./api.js";
import { text } from "./dom.js";

const $ = (id) => document.getElementById(id);

function show() {
    const dialog = $("token");
    $("forget").hidden = !hasToken() || needsToken();
    if (needsToken() && !dialog.open) {
        text($("token-error"), "");
        dialog.showModal();
        $("token-input").focus();
    } else if (!needsToken() && dialog.open) {
        dialog.close();
    }
}

async function give(event) {
    event.preventDefault();
    const input = $("token-input");
    const button = event.target.querySelector("button");
    text($("token-error"), "");
    button.disabled = true;
    const right = await giveToken(input.value.trim());
    button.disabled = false;
    if (right) {
        input.value = "";
        return;
    }
    text($("token-error"), "That is not the token.");
    input.select();
}

export function startToken() {
    events.addEventListener("token", show);
    $("token-form").addEventListener("submit", give);
    $("token").addEventListener("cancel", (event) => event.preventDefault());
    $("forget").addEventListener("click", forgetToken);
    show();
}
