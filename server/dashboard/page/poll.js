// poll: calls again and again, as long as somebody looks: slower in a tab that is not seen or when the service wants
// fewer requests, not at all without a connection, at once when it is back.

import { events, link, needsToken, slowed, Unreachable } from "./api.js";

const HIDDEN_FACTOR = 10;

// poll(ms, step) calls step() now and every `ms`, never two at a time; `stop()` ends it, `now()` does not wait.
// An error that is not about the connection goes to `failed`.
export function poll(ms, step, failed = () => {}) {
    let timer = 0, running = false, again = false, stopped = false;

    function schedule(pause) {
        clearTimeout(timer);
        if (!stopped)
            timer = setTimeout(run, pause);
    }

    // Not all at once when they may again.
    const wait = () => link.slowUntil - Date.now() + Math.random() * 500 * link.pace;

    async function run() {
        if (stopped || link.lost || needsToken())
            return;
        if (slowed()) {
            schedule(wait());
            return;
        }
        if (running) {
            again = true;
            return;
        }
        running = true;
        try {
            await step();
        } catch (error) {
            if (!stopped && !(error instanceof Unreachable))
                failed(error);
        }
        running = false;
        const pause = again ? 0 : ms * link.pace * (document.hidden ? HIDDEN_FACTOR : 1);
        again = false;
        schedule(slowed() ? Math.max(pause, wait()) : pause);
    }

    const now = () => {
        if (running)
            again = true;
        else
            schedule(0);
    };
    const seen = () => document.hidden || now();
    events.addEventListener("link", now);
    events.addEventListener("token", now);
    document.addEventListener("visibilitychange", seen);
    run();
    return {
        now,
        stop() {
            stopped = true;
            clearTimeout(timer);
            events.removeEventListener("link", now);
            events.removeEventListener("token", now);
            document.removeEventListener("visibilitychange", seen);
        },
    };
}
