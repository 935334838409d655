// api: asks the service. One place knows the token and whether there is a connection.
//
// Events: "link" when the connection is lost or back, "token" when one is needed.

const TIMEOUT_MS = 20000;
const BACKOFF_MAX_MS = 30000;
const STORED = "poold-token";

export const events = new EventTarget();
export const link = { lost: false, retryAt: 0, failures: 0 };
let token = sessionStorage.getItem(STORED) || "";
let tokenWanted = false;
let probeTimer = 0;

// What the service refused: its problem document, or as much as is known.
export class Refusal extends Error {
    constructor(status, problem) {
        super(problem.detail || problem.title || `status ${status}`);
        this.status = status;
        this.problem = problem;
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

export function forgetToken() {
    token = "";
    sessionStorage.removeItem(STORED);
    tokenWanted = true;
    say("token");
}

// Tries it; true if it is the right one.
export async function giveToken(text) {
    const before = token;
    token = text;
    tokenWanted = false;
    try {
        await json("/v1/pool");
    } catch (error) {
        if (!(error instanceof Refusal && error.status !== 401)) { // a 403 knows the token, at least
            token = before;
            tokenWanted = true;
            return false;
        }
    }
    sessionStorage.setItem(STORED, token);
    say("token");
    return true;
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
    if (tokenWanted || (link.lost && !options.method))
        throw new Unreachable();
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
    if (answer.status === 401) {
        tokenWanted = true;
        say("token");
        throw new Unreachable("A token is needed.");
    }
    if (!answer.ok)
        throw new Refusal(answer.status, await problemOf(answer));
    return text;
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
