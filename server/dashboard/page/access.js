// access: who one is and what the token may do, as /v1/access says. What it may not do stays in reach and says why.
//
// Event: "access" when it has changed.

import { allowance, events, json, lastTold, link, needsToken, Refusal } from "./api.js";
import { h } from "./dom.js";

const AGAIN_MS = 60000;
const SCOPES = ["read", "submit", "admin"];
const ANYBODY = { name: null, scopes: SCOPES, functions: null, limits: {} };

let mine = ANYBODY, text = "";

export function me() {
    return mine;
}

export function may(scope) {
    return mine.scopes.includes(scope);
}

// The list has names, and beginnings of names with a * behind.
export function mayCall(name) {
    return !mine.functions || mine.functions.some((pattern) => pattern === name
        || (pattern.endsWith("*") && name.startsWith(pattern.slice(0, -1))));
}

let reasons = 0;

// null if the token may; else an element that says why not, to stand beside what `locks` ties to it.
export function whyNot(scope, what) {
    return may(scope) ? null : reason(`This token may not ${what}: it has no scope “${scope}”.`);
}

export function reason(sentence) {
    return h("p", { class: "locked", id: `locked-${++reasons}` }, h("span", { class: "lock", "aria-hidden": "true" }), sentence);
}

// The controls stay in the order of the keyboard, but do nothing (see action() in say.js); a screen reader reads why.
export function locks(why, ...controls) {
    if (!why)
        return;
    for (const control of controls) {
        control.setAttribute("aria-disabled", "true");
        control.setAttribute("aria-describedby", why.id);
        if (["INPUT", "TEXTAREA"].includes(control.tagName))
            control.readOnly = true;
    }
}

export function isLocked(control) {
    return control.getAttribute("aria-disabled") === "true";
}

// Asks anew; false if it could not. A service without this path knows no scopes: who is let in may do all.
async function learn() {
    let answer = ANYBODY;
    try {
        const last = lastTold();
        answer = last ? JSON.parse(last) : await json("/v1/access");
    } catch (error) {
        if (!(error instanceof Refusal))
            return false;
    }
    allowance(answer.limits?.rate);
    if (JSON.stringify(answer) === text)
        return true;
    text = JSON.stringify(answer);
    mine = answer;
    events.dispatchEvent(new Event("access"));
    return true;
}

export function startAccess() {
    let asking = false;
    const again = async () => {
        if (asking || needsToken())
            return;
        asking = true;
        const learnt = await learn();
        asking = false;
        if (!learnt && !link.lost && !needsToken()) // it was told to come later
            setTimeout(again, Math.max(1000, link.slowUntil - Date.now()));
    };
    events.addEventListener("token", again);
    events.addEventListener("link", again);
    events.addEventListener("forbidden", again);
    setInterval(again, AGAIN_MS);
    return again();
}
