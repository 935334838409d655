// api: asks the service. One place knows the token and whether there is a connection.
//
// Events: "link" when the connection is lost or back, "token" when one is needed or given, "forbidden" when the token may
// not do what was asked, "slow" when the service wants fewer requests, or not any more, "forget" before all is forgotten.

const TIMEOUT_MS = 20000;
const BACKOFF_MAX_MS = 30000;
const PACE_MAX = 32, PACE_CALM_MS = 30000, RETRY_AFTER_MAX_S = 300;
const STORED = "poold-token";

export const events = new EventTarget();
// slowUntil: a 429 asked not to come before; pace: polls wait so many times as long as they would like to.
export const link = { lost: false, retryAt: 0, failures: 0, slowUntil: 0, pace: 1 };
let token = sessionStorage.getItem(STORED) || "";
let tokenWanted = false;
let probeTimer = 0, pacedAt = 0, paceLeast = 1;
let spacing = 0, nextAt = 0; // between requests, in ms
let told = "";

// What the service refused: its problem document, or as much as is known; retryAfter in seconds, or 0.
export class Refusal extends Error {
    constructor(status, problem, retryAfter = 0) {
        super(problem.detail || problem.title || `status ${status}`);
        this.status = status;
        this.problem = problem;
        this.retryAfter = retryAfter;
    }
}

// The service could not be asked, or the token is missing: whoever polls asks again later.
export class Unreachable extends Error {}

function say(name) {
    events.dispatchEvent(new Event(name));
}

// ---- the token ----

export function hasToken() {
    return token !== "";
}

export function needsToken() {
    return tokenWanted;
}

// The page begins anew, so that nothing of what it showed stays.
export function forgetToken() {
    say("forget");
    sessionStorage.clear();
    location.reload();
}

// Tries it: "right", "wrong", "slow" (too many tries), or "unreachable".
export async function giveToken(text) {
    let answer;
    try {
        answer = await fetch("/v1/access", {
            headers: { Accept: "application/json", Authorization: `Bearer ${text}` },
            cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS),
        });
    } catch {
        return "unreachable";
    }
    if (answer.status === 401 || answer.status === 429)
        return answer.status === 401 ? "wrong" : "slow";
    told = answer.ok ? await answer.text().catch(() => "") : "";
    token = text;
    tokenWanted = false;
    sessionStorage.setItem(STORED, token);
    found();
    say("token");
    return "right";
}

// ---- the connection ----

function lost() {
    link.failures++;
    link.lost = true;
    const pause = Math.min(BACKOFF_MAX_MS, 1000 * 2 ** (link.failures - 1)) * (0.8 + 0.4 * Math.random());
    link.retryAt = Date.now() + pause;
    clearTimeout(probeTimer);
    probeTimer = setTimeout(probe, pause);
    say("link");
}

function found() {
    const was = link.lost;
    link.lost = false;
    link.failures = 0;
    clearTimeout(probeTimer);
    if (was)
        say("link");
}

// Only one asks while the connection is lost.
export async function probe() {
    clearTimeout(probeTimer);
    link.retryAt = 0;
    say("link");
    try {
        const answer = await fetch("/healthz", { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) });
        if (!answer.ok)
            throw new Error("not well");
        found();
    } catch {
        lost();
    }
}

// What /v1/access said when the token was tried, once: "" if it was not.
export function lastTold() {
    const last = told;
    told = "";
    return last;
}

// ---- fewer requests ----

// What a client may ask in a second: polls take half of it at most.
export function allowance(rate) {
    const WANTED = 4; // a second, with all that polls
    const least = rate ? Math.min(PACE_MAX, Math.max(1, 2 * WANTED / rate)) : 1;
    spacing = rate ? 1400 / rate : 0; // two that poll at once are over a low rate, too
    if (least === paceLeast)
        return;
    link.pace = paceLeast = least;
    say("slow");
}

// Waits until it is its turn.
async function turn() {
    const now = Date.now(), at = Math.max(now, nextAt);
    nextAt = at + spacing;
    if (at > now)
        await new Promise((resolve) => setTimeout(resolve, at - now));
}

export function slowed() {
    return link.slowUntil > Date.now();
}

function slower(seconds) {
    const now = Date.now();
    link.slowUntil = Math.max(link.slowUntil, now + 1000 * Math.max(1, seconds));
    if (now - pacedAt > 1000) // several were on their way
        link.pace = Math.min(PACE_MAX, link.pace * 2);
    pacedAt = now;
    say("slow");
}

function calm() {
    if (link.pace <= paceLeast || Date.now() - pacedAt < PACE_CALM_MS)
        return;
    pacedAt = Date.now();
    link.pace = Math.max(paceLeast, link.pace / 2);
    say("slow");
}

// ---- asking ----

async function problemOf(answer) {
    try {
        return await answer.json();
    } catch {
        return { title: answer.statusText, status: answer.status };
    }
}

async function send(path, options) {
    const headers = { Accept: "application/json", ...options.headers };
    if (token)
        headers.Authorization = `Bearer ${token}`;
    const limit = AbortSignal.timeout(options.timeout || TIMEOUT_MS);
    const signal = options.signal ? AbortSignal.any([limit, options.signal]) : limit;
    return fetch(path, { method: options.method || "GET", body: options.body, headers, signal, cache: "no-store" });
}

async function ask(path, options) {
    if (tokenWanted || (!options.method && (link.lost || slowed())))
        throw new Unreachable();
    if (!options.method && spacing)
        await turn();
    let answer, text;
    try {
        answer = await send(path, options);
        text = answer.ok ? await answer.text() : "";
    } catch (error) {
        if (options.signal?.aborted)
            throw error;
        lost();
        throw new Unreachable("There is no connection to poold.");
    }
    found();
    if (answer.ok) {
        calm();
        return text;
    }
    throw await refusal(answer, options);
}

// The error for an answer that is no 2xx, and what follows from it for the whole page.
async function refusal(answer, options) {
    if (answer.status === 401) {
        tokenWanted = true;
        say("token");
        return new Unreachable("A token is needed.");
    }
    const retryAfter = Math.min(RETRY_AFTER_MAX_S, Number(answer.headers.get("Retry-After")) || 0);
    const refused = new Refusal(answer.status, await problemOf(answer), retryAfter);
    if (answer.status === 403)
        say("forbidden");
    if (answer.status !== 429)
        return refused;
    slower(retryAfter);
    return options.method ? refused : new Unreachable();
}

// The answer's text; options: method, body (text), headers, signal, timeout.
export function text(path, options = {}) {
    return ask(path, options);
}

export async function json(path, options = {}) {
    const body = options.body === undefined ? undefined
        : typeof options.body === "string" ? options.body : JSON.stringify(options.body);
    const headers = body === undefined ? options.headers
        : { "Content-Type": "application/json", ...options.headers };
    const answer = await ask(path, { ...options, body, headers });
    return answer ? JSON.parse(answer) : null;
}

// A path with parameters; those that are null, undefined or "" are left out.
export function path(base, parameters = {}) {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(parameters))
        if (value !== null && value !== undefined && value !== "")
            query.set(name, value);
    const string = query.toString();
    return string ? `${base}?${string}` : base;
}
