// dashboard_test: the dashboard in a real browser, with real jobs: every view, what can be done there, what happens when
// the service goes away or wants a token, by keyboard, on a phone, in the dark, and with very much in it.
//
//   POOLD_BROWSER_MODULES=DIR node dashboard_test.mjs POOLD CHROMIUM    (run.sh does this)
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { axePath, openBrowser, openPage, Service, sleep, WAIT } from "./kit.mjs";

const [poold, chromium] = process.argv.slice(2);
const axe = readFileSync(axePath, "utf8");
let service, browser, page, house;

before(async () => {
    service = await Service.begin(poold, "--processes", "3", "--test-functions", "--functions", functions());
    browser = await openBrowser(chromium);
    page = await openPage(browser);
});
after(async () => {
    await browser?.close();
    await service?.end();
    rmSync(house, { recursive: true, force: true });
});
afterEach(() => noComplaints(page));

// A function that waits for a shared object.
function functions() {
    house = mkdtempSync(join(tmpdir(), "poold-browser-"));
    writeFileSync(join(house, "through.json"), JSON.stringify({
        command: ["poold-call", "locks/door", "run", "--", "echo", "1"], output: "json",
    }));
    return house;
}

function noComplaints(of) {
    assert.deepEqual(of.complaints.splice(0), [], "the console");
    assert.ok([...of.hosts].every((host) => host.startsWith("127.0.0.1:") || host === ""), [...of.hosts].join());
}

const go = (hash, of = page, at = service) => of.goto(`${at.url}/${hash}`);
const job = (id) => service.ask("GET", `/v1/jobs/${id}`);
const submit = (body) => service.ask("POST", "/v1/jobs", body);
const finish = (id) => service.ask("GET", `/v1/jobs/${id}?wait=60`);
const badge = (state, of = page) => of.locator(".job-head .badge", { hasText: state }).waitFor();

async function until(what, condition) {
    for (const end = Date.now() + WAIT; Date.now() < end; await sleep(100))
        if (await condition())
            return;
    assert.fail(`it never came: ${what}`);
}

async function accessible(of, where) {
    await of.evaluate(axe);
    const { violations } = await of.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const serious = violations.filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${where}: ${one.id}: ${one.nodes.map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
    assert.deepEqual(serious, []);
}

test("the policy: what is inline does not run, and is noticed", async () => {
    await go("");
    await page.evaluate(() => {
        const script = document.createElement("script");
        script.textContent = "globalThis.owned = true";
        document.body.append(script, Object.assign(document.createElement("img"), { src: "http://elsewhere.invalid/x.png" }));
    });
    await until("both are told", () => ["script-src", "img-src"].every((name) =>
        page.complaints.some((line) => line.includes("CSP violation") && line.includes(name))));
    assert.equal(await page.evaluate(() => globalThis.owned), undefined);
    page.complaints.length = 0;
    page.hosts.delete("elsewhere.invalid");
});

test("pool: a tile for each worker, what it does, resize", async () => {
    await go("");
    await page.locator(".tile").nth(2).waitFor();
    assert.equal(await page.locator(".tile").count(), 3);
    const { id } = await submit({ function: "sleep", map: Array(400).fill(0.5) });
    const link = page.locator(`.tile a[href="#/jobs/${id}"]`).first();
    await link.waitFor();
    assert.equal(await link.textContent(), "sleep");
    await page.getByLabel("One process more").click();
    await page.getByLabel("One process more").click();
    await page.getByRole("button", { name: "Resize" }).click();
    await until("five tiles", async () => await page.locator(".tile").count() === 5);
    assert.equal((await service.ask("GET", "/v1/pool")).processes, 5);
    await page.getByLabel("Processes", { exact: true }).fill("3");
    await page.getByLabel("Processes", { exact: true }).press("Enter");
    await until("three tiles", async () => await page.locator(".tile").count() === 3);
    await page.locator(".timeline .span").first().waitFor();
    await until("a chart of what is done", () =>
        page.locator("canvas").first().getAttribute("aria-label").then((label) => /succeeded [1-9]/.test(label)));
    assert.equal(await page.evaluate(() => typeof globalThis.Chart), "function");
    const painted = await page.locator("canvas").first().evaluate((canvas) =>
        canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some((value) => value));
    assert.ok(painted, "the chart is drawn");
    await accessible(page, "pool");
    await link.click();
    await badge("running");
    await page.getByRole("button", { name: "Cancel" }).click();
    await badge("cancelled");
    assert.equal((await job(id)).state, "cancelled");
});

test("pool: what a worker waits for", async () => {
    await service.ask("PUT", "/v1/locks/door", {});
    const { token } = await service.ask("POST", "/v1/locks/door/acquire", { ttl: 600 });
    const { id } = await submit({ function: "through", map: [1] });
    await go("");
    await page.getByText("waits for lock door (acquire)").waitFor();
    await page.locator('.badge[data-state="waiting"]').first().waitFor();
    await service.ask("POST", "/v1/locks/door/release", { token });
    await finish(id);
    await until("nobody waits", async () => await page.locator(".tile-waits:not(:empty)").count() === 0);
});

test("jobs: what is running, and filters", async () => {
    const good = await submit({ function: "square", map: [1, 2, 3], name: "three squares" });
    const bad = await submit({ function: "cube", map: [1, "x"] });
    await finish(good.id);
    await finish(bad.id);
    await go("#/jobs");
    const row = (id) => page.locator("tbody tr", { hasText: id });
    await row(good.id).getByText("three squares").waitFor();
    assert.match(await row(good.id).textContent(), /succeeded.*3 \/ 3 · 100 %/);
    await page.getByLabel("State").selectOption("failed");
    await until("only what failed", async () => await row(good.id).count() === 0 && await row(bad.id).count() === 1);
    await page.getByLabel("Function").selectOption("square");
    await page.getByText("No job is like that.").waitFor();
    await page.getByLabel("State").selectOption("");
    await row(good.id).waitFor();
    assert.equal(await row(bad.id).count(), 0);
    await page.reload(); // the address has the filters
    await row(good.id).waitFor();
    assert.equal(await page.getByLabel("Function").inputValue(), "square");
    await accessible(page, "jobs");
});

test("job: results as they come, in either order", async () => {
    const { id } = await submit({ function: "sleep", map: [3, 0.1, 0.2, 0.3], chunksize: 1 });
    await go(`#/jobs/${id}?order=completion`);
    const first = page.locator(".results tbody tr th").first();
    await first.waitFor();
    assert.equal((await job(id)).state, "running", "it is shown before the end");
    assert.equal(await first.textContent(), "1");
    await badge("succeeded");
    await until("all of them", async () => await page.locator(".results tbody tr").count() === 4);
    assert.deepEqual(await page.locator(".results tbody th").allTextContents(), ["1", "2", "3", "0"]);
    await page.getByLabel("Order").selectOption("input");
    await until("the order of the input", async () =>
        (await page.locator(".results tbody th").allTextContents()).join() === "0,1,2,3");
    await accessible(page, "job");
});

test("job: failures, an item with its attempts and log, retry, delete", async () => {
    const { id } = await submit({ function: "fail", map: [{ until: 2 }, 1, { until: 5 }], max_attempts: 2, backoff: 0.01 });
    await finish(id);
    await go(`#/jobs/${id}/failed`);
    await until("two that failed", async () => await page.locator("tbody tr").count() === 2);
    await accessible(page, "failed");
    await page.locator("tbody tr th a").first().click();
    await page.getByText("Attempts that failed").waitFor();
    assert.equal(await page.locator("table tbody tr").count(), 2);
    await accessible(page, "item");
    await page.goBack();
    await page.getByRole("button", { name: "Retry failed" }).click();
    await page.getByText("Retry of").waitFor();
    const next = /jobs\/(\w+)/.exec(page.url())[1];
    assert.equal((await job(next)).retry_of, id);
    await finish(next);
    await page.getByRole("button", { name: "Delete" }).click();
    await page.locator("#confirm-no").click();
    assert.equal((await job(next)).id, next, "who says no keeps it");
    await page.getByRole("button", { name: "Delete" }).first().click();
    await page.locator("#confirm-yes").click();
    await page.getByRole("heading", { name: "Jobs" }).waitFor();
    await assert.rejects(job(next), /410/);
    await go(`#/jobs/${next}`);
    await page.getByText("This job is gone.").waitFor();
});

test("job: the log, and text that looks like markup is text", async () => {
    const nasty = "<img src=x onerror=\"document.title='owned'\"><script>alert(1)</script>";
    const { id } = await submit({ function: "print", map: [nasty, "second"], name: nasty.slice(0, 60) });
    await finish(id);
    await go(`#/jobs/${id}/log`);
    await page.locator(".log-line", { hasText: "<img src=x" }).first().waitFor();
    await page.getByLabel("Item").fill("1");
    await page.getByLabel("Item").press("Enter");
    await until("only the second's", async () => (await page.locator(".log-line").count()) > 0
        && await page.locator(".log-line", { hasText: "<img" }).count() === 0);
    await accessible(page, "log");
    await page.getByRole("link", { name: "Results" }).click();
    await page.locator(".results code", { hasText: "<script>" }).waitFor();
    assert.equal(await page.locator("main img").count(), 0);
});

test("job: the timeline, and the same as a trace", async () => {
    const { id } = await submit({ function: "sleep", map: [1.5, 1.5, 1.5] });
    await go(`#/jobs/${id}/timeline`);
    await page.locator(".timeline .span").nth(2).waitFor();
    await finish(id);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByText("Download trace").click()]);
    const { traceEvents } = JSON.parse(readFileSync(await download.path(), "utf8"));
    const spans = traceEvents.filter((event) => event.ph === "X");
    assert.deepEqual(spans.map((span) => span.args.item).sort(), [0, 1, 2]);
    assert.ok(spans.every((span) => span.args.job === id && span.dur > 500e3 && span.dur < 20e6), JSON.stringify(spans));
    assert.ok(traceEvents.some((event) => event.ph === "M" && event.name === "thread_name"));
    await accessible(page, "timeline");
});

test("functions: try one; what comes back is what was written", async () => {
    await go("#/functions");
    await page.getByLabel("Find").fill("echo");
    await page.locator("summary", { hasText: "echo" }).click();
    const form = page.locator(".function[open] form");
    assert.equal(await form.getByLabel("Items, as JSON").inputValue(), '{"any":"JSON"}');
    await form.getByLabel("Items, as JSON").fill('[12345678901234567890, 1.10, -0, 1e400]');
    await form.getByRole("button", { name: "Run" }).click();
    await form.locator("pre.value").waitFor();
    assert.equal(await form.locator("pre.value").textContent(), "[12345678901234567890, 1.10, -0, 1e400]");
    await form.getByLabel("Items, as JSON").fill("{");
    await form.getByRole("button", { name: "Run" }).click();
    await form.getByText("This is not JSON").waitFor();
    await form.getByLabel("Call").selectOption("map");
    await form.getByRole("button", { name: "Run" }).click();
    await form.getByText("3 items").waitFor();
    await accessible(page, "functions");
    await form.locator("a").click();
    await badge("succeeded");
});

test("objects: none, a list, and what is in one", async () => {
    await go("#/objects/dicts");
    await page.getByText("There are no dicts.").waitFor();
    await service.ask("PUT", "/v1/dicts/settings", {});
    for (let i = 0; i < 120; i++)
        await service.ask("PUT", `/v1/dicts/settings/key${String(i).padStart(3, "0")}`, { n: i });
    await page.getByRole("link", { name: "settings" }).click();
    await page.locator("tbody tr", { hasText: "key000" }).waitFor();
    assert.equal(await page.locator("tbody tr").count(), 100);
    await page.getByRole("button", { name: "Next" }).click();
    await page.locator("tbody tr", { hasText: "key119" }).waitFor();
    assert.equal(await page.locator("tbody tr").count(), 20);
    await accessible(page, "object");
    await service.ask("PUT", "/v1/arrays/grid", { typecode: "d", length: 1000 });
    await go("#/objects/arrays/grid");
    await until("a page of the array", async () => await page.locator("tbody tr").count() === 100);
    for (const kind of ["queues", "locks", "pipes", "lists", "values", "arrays"]) {
        await go(`#/objects/${kind}`);
        await page.locator(".empty, tbody tr").first().waitFor();
    }
    await accessible(page, "objects");
});

test("the connection: lost, told, and back", async () => {
    const { id } = await submit({ function: "sleep", map: [0.2, 0.2, 0.2, 60] });
    await go(`#/jobs/${id}`);
    await badge("running");
    await service.stop("SIGKILL");
    try {
        await page.getByText("The connection to poold is lost.").waitFor();
        assert.match(await page.locator("#announce").textContent(), /lost/);
        await accessible(page, "lost");
    } finally {
        await service.start();
    }
    await page.getByRole("button", { name: "Try now" }).click().catch(() => {}); // it may be back by itself
    await page.locator("#banner").waitFor({ state: "hidden" });
    await page.getByRole("button", { name: "Cancel" }).click();
    await badge("cancelled");
});

test("keyboard: skip link, focus, theme", async () => {
    await go("#/jobs");
    await page.reload(); // a change of view leaves the focus at its heading
    await page.locator("tbody tr").first().waitFor();
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "skip");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.id), "filter-state");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    await page.locator("tbody tr a").first().press("Enter");
    await page.locator(".job-head h1").waitFor();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.locator("#theme").press("Enter"); // auto → light
    await page.locator("#theme").press("Enter"); // → dark
    assert.notEqual(await background(), light);
    await page.reload();
    await page.locator(".job-head h1").waitFor();
    assert.notEqual(await background(), light, "it is kept");
    await accessible(page, "dark job");
    await page.locator("#theme").press("Enter");
});

test("a phone, in the dark", async () => {
    const phone = await openPage(browser, { viewport: { width: 360, height: 740 }, colorScheme: "dark", hasTouch: true, isMobile: true });
    const { id } = await submit({ function: "square", map: [1, "x", "a".repeat(500)] });
    await finish(id);
    for (const [hash, ready] of [["", ".tile"], ["#/jobs", "tbody tr"], [`#/jobs/${id}`, ".results tr"], [`#/jobs/${id}/failed`, "tbody tr"],
        [`#/jobs/${id}/items/1`, ".card"], ["#/functions/square", ".try"], ["#/objects/dicts", "tbody tr, .empty"], ["#/objects/dicts/settings", "tbody tr"]]) {
        await go(hash, phone);
        await phone.locator(ready).first().waitFor();
        const [width, wanted] = await phone.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
        assert.ok(width <= wanted, `${hash} is ${width} wide`);
        await accessible(phone, `phone ${hash}`);
    }
    noComplaints(phone);
    await phone.context().close();
});

test("a token: asked for, kept in this tab, forgotten", async () => {
    const token = "0123456789abcdef0123456789abcdef0123456789abcdef";
    const guarded = await Service.begin(poold, "--processes", "1").then(async (made) => {
        await made.stop("SIGTERM");
        made.token = token;
        made.command.push("--token-file", made.tokenFile(token));
        await made.start();
        return made;
    });
    const guest = await openPage(browser);
    try {
        await go("#/jobs", guest, guarded);
        const dialog = guest.locator("#token");
        await dialog.waitFor();
        await accessible(guest, "token");
        await guest.getByLabel("Token", { exact: true }).fill("wrong");
        await guest.getByRole("button", { name: "Go on" }).click();
        await guest.getByText("That is not the token.").waitFor();
        await guest.getByLabel("Token", { exact: true }).fill(token);
        await guest.keyboard.press("Enter");
        await dialog.waitFor({ state: "hidden" });
        await guest.getByText("There are no jobs yet.").waitFor();
        await guest.reload();
        await guest.getByText("There are no jobs yet.").waitFor();
        assert.deepEqual(await guest.evaluate(() => Object.values(localStorage)), []);
        await guest.getByRole("button", { name: "Forget token" }).click();
        await dialog.waitFor();
        noComplaints(guest);
    } finally {
        await guest.context().close();
        await guarded.end();
    }
});

// ---- very much ----

// Notes the longest time for which the page did nothing else; and that this is noticed at all.
async function watch(of) {
    await of.evaluate(() => {
        globalThis.longest = 0;
        new PerformanceObserver((list) => list.getEntries().forEach((entry) => {
            globalThis.longest = Math.max(globalThis.longest, entry.duration);
        })).observe({ entryTypes: ["longtask"] });
        setTimeout(() => {
            for (const end = performance.now() + 150; performance.now() < end;);
        }, 0);
    });
    await until("a long task is noticed", () => of.evaluate(() => globalThis.longest >= 150));
    await of.evaluate(() => { globalThis.longest = 0; });
}
async function fluid(of, what) {
    const [longest, elements] = await of.evaluate(() => [globalThis.longest, document.getElementsByTagName("*").length]);
    assert.ok(longest < 500, `${what}: the page stood still for ${longest} ms`);
    assert.ok(elements < 5000, `${what}: ${elements} elements`);
}

test("a job with 1,000,000 items stays fluid", async (t) => {
    const ITEMS = 1000000;
    const lines = Array.from({ length: ITEMS }, (_, i) => (i % 1000 === 999 ? '"x"' : i)).join("\n");
    const id = await service.upload("square", `${lines}\n`);
    await go(`#/jobs/${id}`);
    await watch(page);
    await page.locator(".results tbody tr").nth(50).waitFor();
    for (let state = "running"; state === "running" || state === "ready";)
        ({ state } = await finish(id));
    await badge("failed");
    await page.getByLabel("From").fill("999900");
    await page.getByRole("button", { name: "Go" }).click();
    await page.locator(".results tbody th", { hasText: "999,950" }).waitFor();
    await page.getByLabel("Order").selectOption("completion");
    await until("a page of the other order", async () => await page.locator(".results tbody tr").count() === 100);
    await page.getByRole("button", { name: "Last" }).click();
    await until("the last page", async () => /999,900 to 999,999/.test(await page.locator("main").textContent()));
    await page.getByRole("link", { name: "Failed" }).click();
    await until("a hundred that failed", async () => await page.locator("tbody tr").count() >= 100);
    await fluid(page, "1,000,000 items");
    t.diagnostic(`longest task ${await page.evaluate(() => globalThis.longest)} ms`);
});

test("10,000 jobs stay fluid", async (t) => {
    const JOBS = 10000, AT_ONCE = 32;
    let made = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (made++ < JOBS)
            await submit({ function: "echo", apply: made });
    }));
    await go("#/jobs");
    await watch(page);
    await until("a page", async () => await page.locator("tbody tr").count() === 50);
    const top = await page.locator("tbody tr .id").first().textContent();
    for (let i = 0; i < 5; i++) {
        const before = await page.locator("tbody tr .id").first().textContent();
        await page.getByRole("button", { name: "Older" }).click();
        await until("older jobs", async () => await page.locator("tbody tr .id").first().textContent() !== before);
        assert.equal(await page.locator("tbody tr").count(), 50);
    }
    for (let i = 0; i < 5; i++) {
        const before = await page.locator("tbody tr .id").first().textContent();
        await page.getByRole("button", { name: "Newer" }).click();
        await until("newer jobs", async () => await page.locator("tbody tr .id").first().textContent() !== before);
    }
    assert.equal(await page.locator("tbody tr .id").first().textContent(), top);
    await page.getByLabel("Function").selectOption("cube");
    await until("the few of another function", async () => await page.locator("tbody tr").count() > 0
        && (await page.locator("tbody .row-link").allTextContents()).every((name) => name === "cube"));
    await fluid(page, "10,000 jobs");
    t.diagnostic(`longest task ${await page.evaluate(() => globalThis.longest)} ms`);
});
