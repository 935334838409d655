// steps: what the tests of the dashboard do again and again.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { axePath, sleep, WAIT } from "./kit.mjs";

const axe = readFileSync(axePath, "utf8");

export async function until(what, condition) {
    for (const end = Date.now() + WAIT; Date.now() < end; await sleep(50))
        if (await condition())
            return;
    assert.fail(`it never came: ${what}`);
}

export function noComplaints(of) {
    assert.deepEqual(of.complaints.splice(0), [], "the console");
    assert.ok([...of.hosts].every((host) => host.startsWith("127.0.0.1:") || host === ""), [...of.hosts].join());
}

// A job's page says that it is in this state.
export function badge(state, of) {
    return of.locator(".job-head .badge", { hasText: state }).waitFor();
}

async function violations(of, options) {
    const { violations: found } = await of.evaluate((how) => globalThis.axe.run(document, how), { resultTypes: ["violations"], ...options });
    return found.filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${one.id}: ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
}

// Nothing serious by axe-core: as it is, and in the other theme, which differs in its colours only.
export async function accessible(of, where) {
    await of.evaluate(axe);
    assert.deepEqual(await violations(of, {}), [], where);
    const before = await of.evaluate(() => {
        const { dataset } = document.documentElement, chosen = dataset.theme ?? null;
        const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
        dataset.theme = dark ? "light" : "dark";
        return chosen;
    });
    assert.deepEqual(await violations(of, { runOnly: ["color-contrast", "link-in-text-block"] }), [], `${where}, the other theme`);
    await of.evaluate((chosen) => {
        if (chosen)
            document.documentElement.dataset.theme = chosen;
        else
            delete document.documentElement.dataset.theme;
    }, before);
}

// ---- fluid ----

// Notes for how long the page did nothing else, and how long what was pressed waited; and that this is noticed at all.
export async function watch(of) {
    await of.evaluate(() => {
        globalThis.seen = { longest: 0, long: 0, input: 0 };
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
            globalThis.seen.longest = Math.max(globalThis.seen.longest, entry.duration);
            globalThis.seen.long++;
        })).observe({ entryTypes: ["longtask"] });
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
            globalThis.seen.input = Math.max(globalThis.seen.input, entry.processingStart - entry.startTime);
        })).observe({ type: "event", durationThreshold: 16 });
        setTimeout(() => {
            for (const end = performance.now() + 150; performance.now() < end;);
        }, 0);
    });
    await until("a long task is noticed", () => of.evaluate(() => globalThis.seen.longest >= 150));
    await of.evaluate(() => { globalThis.seen = { longest: 0, long: 0, input: 0 }; });
}

// The bounds are for a page that hangs, not for a machine that is slow.
export async function fluid(of, what, t) {
    const { longest, long, input, elements, heap } = await of.evaluate(() => ({
        ...globalThis.seen, elements: document.getElementsByTagName("*").length, heap: performance.memory?.usedJSHeapSize ?? 0,
    }));
    t.diagnostic(`${what}: ${long} tasks over 50 ms, the longest ${Math.round(longest)} ms; input waited ${Math.round(input)} ms at most; `
        + `${elements} elements; heap ${Math.round(heap / 1e6)} MB`);
    assert.ok(longest < 1000, `${what}: the page stood still for ${longest} ms`);
    assert.ok(input < 1000, `${what}: what was pressed waited ${input} ms`);
    assert.ok(elements < 5000, `${what}: ${elements} elements`);
}
