// dashboard_test: the dashboard in a real browser, with real jobs: every view, what can be done there, what happens when
// the service goes away, by keyboard, on a phone, in light and dark.
//
//   POOLD_BROWSER_MODULES=DIR node dashboard_test.mjs POOLD CHROMIUM    (run.sh does this)
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, test } from "node:test";
import { openBrowser, openPage, Service } from "./kit.mjs";
import { accessible, badge as badgeOf, noComplaints, until } from "./steps.mjs";

const [poold, chromium] = process.argv.slice(2);
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
    writeFileSync(join(house, "hostname.json"), JSON.stringify({ command: ["cat", "/etc/hostname"], output: "text", files: { read: ["/etc/hostname"] } }));
    writeFileSync(join(house, "broken.json"), JSON.stringify({ runtime: ["python3", "-m", "poold_worker", "not_there"] }));
    return house;
}

const go = (hash, of = page, at = service) => of.goto(`${at.url}/${hash}`);
const job = (id) => service.ask("GET", `/v1/jobs/${id}`);
const submit = (body) => service.ask("POST", "/v1/jobs", body);
const badge = (state, of = page) => badgeOf(state, of);
const finish = (id) => service.ask("GET", `/v1/jobs/${id}?wait=60`);

test("the policy: nothing from elsewhere, no text becomes markup or script, and it is noticed", async () => {
    await go("");
    const refused = await page.evaluate(async () => {
        document.body.append(Object.assign(document.createElement("img"), { src: "http://elsewhere.invalid/x.png" }));
        const attempts = {
            markup: () => document.body.insertAdjacentHTML("beforeend", "<p>text</p>"),
            handler: () => document.body.setAttribute("onclick", "globalThis.owned = true"),
            script: () => { document.createElement("script").textContent = "globalThis.owned = true"; },
            elsewhere: () => fetch("http://elsewhere.invalid/"),
        };
        const threw = [];
        for (const [name, attempt] of Object.entries(attempts))
            await Promise.resolve().then(attempt).catch((error) => threw.push(`${name}: ${error.name}`));
        return threw;
    });
    assert.deepEqual(refused, ["markup: TypeError", "handler: TypeError", "script: TypeError", "elsewhere: TypeError"]);
    await until("all are told", () => ["connect-src", "img-src", "require-trusted-types-for"].every((name) =>
        page.complaints.some((line) => line.includes("CSP violation") && line.includes(name))));
    await page.reload(); // without the image
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
    await page.getByText("As a table").click();
    await page.locator(".as-table tbody tr", { hasText: "sleep · item" }).first().waitFor();
    await until("all are busy, at one look at least", async () => /workers busy3 of 3/.test(await page.locator(".figures").textContent()));
    const { sandbox } = await service.ask("GET", "/v1/pool");
    assert.equal(await page.locator('.sandbox [data-on="true"]').count(),
        ["no_new_privs", "seccomp", "landlock", "signals", "user"].filter((rule) => sandbox[rule]).length);
    await page.reload();
    await until("what was seen outlives a reload", async () => await page.locator(".timeline .span").count() > 5);
    await link.click();
    await badge("running");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.locator("#confirm-no").click();
    assert.equal((await job(id)).state, "running", "who says no lets it run");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByRole("button", { name: "Cancel the job" }).click();
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
    assert.notEqual(await first.textContent(), "0");
    await badge("succeeded");
    await until("all of them", async () => await page.locator(".results tbody tr").count() === 4);
    const { results } = await service.ask("GET", `/v1/jobs/${id}/results?order=completion&format=json`);
    assert.equal(results.at(-1).index, 0);
    assert.deepEqual(await page.locator(".results tbody th").allTextContents(), results.map((result) => String(result.index)));
    await page.getByLabel("Order").selectOption("input");
    await until("the order of the input", async () =>
        (await page.locator(".results tbody th").allTextContents()).join() === "0,1,2,3");
    await accessible(page, "job");
});

test("job: failures, an item with its attempts and log, retry, delete", async () => {
    const { id } = await submit({ function: "fail", map: [{ until: 2 }, 1, { until: 5 }], max_attempts: 2, backoff: 0.01 });
    await finish(id);
    await go(`#/jobs/${id}/failed`);
    await until("two that failed", async () => await page.locator(".failure").count() === 2);
    const opened = page.locator(".failure", { hasText: "Item 1" });
    await opened.locator("summary").press("Enter");
    await opened.getByText("Attempts that failed").first().waitFor();
    assert.equal(await opened.locator("tbody tr").count(), 2);
    await opened.getByText("It has printed nothing.").waitFor();
    await accessible(page, "failed");
    await opened.getByRole("link", { name: "Page of item 1" }).click();
    await page.getByRole("heading", { name: "Item 1" }).waitFor();
    await until("both attempts", async () => await page.locator("table tbody tr").count() === 2);
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
    await page.getByLabel("Item", { exact: true }).fill("1");
    await page.getByLabel("Item", { exact: true }).press("Enter");
    await until("only the second's", async () => (await page.locator(".log-line").count()) > 0
        && await page.locator(".log-line", { hasText: "<img" }).count() === 0);
    await accessible(page, "log");
    await page.getByRole("link", { name: "Results" }).click();
    await page.locator(".results code", { hasText: "<script>" }).waitFor();
    assert.equal(await page.locator("main img").count(), 0);
});

// As Perfetto reads it: each thread is a worker with its name, its stretches come one after the other, in µs.
function wellFormed(traceEvents) {
    const named = new Map(traceEvents.filter((event) => event.name === "thread_name").map((event) => [event.tid, event.args.name]));
    const ends = new Map();
    for (const event of traceEvents) {
        assert.ok(["M", "X"].includes(event.ph) && event.pid === 1, JSON.stringify(event));
        if (event.ph === "M")
            continue;
        assert.equal(named.get(event.tid), `worker ${event.args.worker}`);
        assert.ok(event.args.process > 0 && event.args.generation > 0, JSON.stringify(event));
        assert.ok(event.ts >= (ends.get(event.tid) ?? 0), "no stretch begins before the one before it has ended");
        assert.ok(Math.abs(event.ts / 1000 - Date.now()) < 3600e3, "the time of day");
        ends.set(event.tid, event.ts + event.dur);
    }
    assert.ok(ends.size > 1, "on more than one worker");
}

test("job: the timeline, and the same as a trace", async () => {
    const { id } = await submit({ function: "sleep", map: [2.5, 2.5, 2.5] });
    await go(`#/jobs/${id}/timeline`);
    await page.locator(".timeline .span").nth(2).waitFor();
    await page.reload(); // what runs goes on
    await page.locator(".timeline .live").first().waitFor();
    await finish(id);
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByText("Download trace").click()]);
    const { traceEvents } = JSON.parse(readFileSync(await download.path(), "utf8"));
    const spans = traceEvents.filter((event) => event.ph === "X");
    assert.deepEqual(spans.map((span) => span.args.item).sort(), [0, 1, 2]);
    assert.ok(spans.every((span) => span.args.job === id && span.dur > 500e3 && span.dur < 20e6), JSON.stringify(spans));
    wellFormed(traceEvents);
    await accessible(page, "timeline");
    await page.reload();
    await until("all of the job, though it has ended", async () => await page.locator(".timeline .span").count() >= 3);
    const unseen = await submit({ function: "square", apply: 2 });
    await finish(unseen.id);
    await page.goto("about:blank"); // nobody looked
    await go(`#/jobs/${unseen.id}/timeline`);
    await page.getByText("Nothing was seen of this job.").waitFor();
});

test("functions: try one; what comes back is what was written", async () => {
    await go("#/functions");
    await page.getByLabel("Find").fill("echo");
    await page.locator("summary", { hasText: "echo" }).click();
    const form = page.locator(".function[open] form");
    assert.equal(await form.getByLabel("The item, as JSON").inputValue(), '{"any":"JSON"}');
    await form.getByLabel("The item, as JSON").fill('[12345678901234567890, 1.10, -0, 1e400]');
    await form.getByRole("button", { name: "Run" }).click();
    await form.locator(".answer pre").waitFor();
    assert.equal(await form.locator(".answer pre").textContent(), "[12345678901234567890, 1.10, -0, 1e400]");
    await form.getByLabel("The item, as JSON").fill("{");
    await form.getByRole("button", { name: "Run" }).click();
    await form.getByText("This is not JSON").waitFor();
    await form.getByLabel("Call").selectOption("map");
    await form.getByText("Options").click();
    await form.getByLabel("Priority").fill("9");
    await form.getByRole("button", { name: "Run" }).click();
    await until("three results", async () => await form.locator(".answers code", { hasText: '{"any":"JSON"}' }).count() === 3);
    await form.getByText("The same with curl").click();
    assert.match(await form.locator("pre[aria-label*=curl]").textContent(), /^curl 'http:.*\?wait=10' .*"map":\[.*,"priority":9\}'$/s);
    await accessible(page, "functions");
    await form.locator(".answer a").click();
    await badge("succeeded");
    assert.match(await page.locator(".job-head .facts").textContent(), /priority 9/);
});

test("functions: an error is shown, and one that does not start says why", async () => {
    await go("#/functions/fail");
    const form = page.locator(".function[open] form");
    await form.getByLabel("The item, as JSON").fill("1");
    await form.getByRole("button", { name: "Run" }).click();
    await form.locator('.answer .badge[data-state="failed"]').waitFor();
    assert.match(await form.locator(".answer .error").textContent(), /^error: /);
    await page.locator('.function[data-name="broken"]').getByText("No module named 'not_there'").waitFor();
    await page.locator('.function[data-name="broken"] .badge[data-state="broken"]').waitFor();
    await page.locator('.function[data-name="hostname"] summary').first().click();
    await page.getByText("Files: reads /etc/hostname.").waitFor();
    await accessible(page, "broken functions");
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

test("the connection: lost, told, and back; results go on", async () => {
    const { id } = await submit({ function: "sleep", map: Array(60).fill(0.4), chunksize: 1 });
    await go(`#/jobs/${id}?order=completion`);
    await badge("running");
    const shown = () => page.locator(".results tbody tr").count();
    await until("the first results", async () => await shown() > 2);
    await service.stop("SIGKILL");
    try {
        await page.getByText("The connection to poold is lost.").waitFor();
        assert.match(await page.locator("#announce").textContent(), /lost/);
        assert.equal(await page.locator("#link-text").textContent(), "lost");
        await accessible(page, "lost");
    } finally {
        await service.start();
    }
    const before = await shown();
    await page.locator("#banner").waitFor({ state: "hidden" }); // by itself
    assert.match(await page.locator("#announce").textContent(), /back/);
    await until("more results", async () => await shown() > before + 2);
    const indices = await page.locator(".results tbody th").allTextContents();
    assert.equal(new Set(indices).size, indices.length, "none twice");
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.locator("#confirm-yes").click();
    await badge("cancelled");
});

test("nothing there yet, and no such page", async () => {
    for (const [hash, words] of [["#/jobs/1m7zen7av0000004", "There was never such a job."], ["#/jobs?function=pid", "No job is like that."],
        ["#/objects/pipes", "There are no pipes."], ["#/objects/dicts/none", "There is no such object."], ["#/elsewhere", "There is no such page"]]) {
        await go(hash);
        await page.getByText(words).waitFor();
    }
    await accessible(page, "no such page");
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

test("keyboard: run a function, look at its job, cancel it", async () => {
    await go("#/functions");
    await page.reload();
    await page.locator(".function").first().waitFor();
    const press = async (key, times = 1) => {
        for (let i = 0; i < times; i++)
            await page.keyboard.press(key);
    };
    const focused = () => page.evaluate(() => document.activeElement.textContent || document.activeElement.id);
    await page.keyboard.press("Tab");
    for (let i = 0; i < 20 && await page.evaluate(() => document.activeElement.id) !== "search"; i++)
        await press("Tab");
    await page.keyboard.type("sleep");
    await until("one function", async () => await page.locator(".function").count() === 1);
    await press("Tab");
    await press("Enter"); // opens it
    await page.locator(".function[open] form").waitFor();
    await press("Tab", 2); // over what it is called with
    await press("Control+A");
    await page.keyboard.type("60");
    for (let i = 0; i < 6 && await focused() !== "Run"; i++)
        await press("Tab");
    await press("Enter");
    await page.locator(".answer a").waitFor();
    for (let i = 0; i < 4 && !/^Job /.test(await focused()); i++)
        await press("Tab");
    await press("Enter");
    await badge("running");
    assert.equal(await page.evaluate(() => document.activeElement.tagName), "H1", "the view's heading has the focus");
    for (let i = 0; i < 4 && await focused() !== "Cancel"; i++)
        await press("Tab");
    await press("Enter");
    await page.locator("#confirm").waitFor();
    assert.equal(await focused(), "Let it run", "what destroys nothing has the focus");
    await press("Tab");
    await press("Enter");
    await badge("cancelled");
    await until("the focus is not lost", () => page.evaluate(() => document.activeElement.tagName === "H1"));
});

test("a phone, in the dark", async () => {
    const phone = await openPage(browser, { viewport: { width: 320, height: 640 }, colorScheme: "dark", hasTouch: true, isMobile: true });
    const { id } = await submit({ function: "square", map: [1, "x", "a".repeat(500)] });
    await finish(id);
    for (const [hash, ready] of [["", ".tile"], ["#/jobs", "tbody tr"], [`#/jobs/${id}`, ".results tr"], [`#/jobs/${id}/failed`, ".failure"],
        [`#/jobs/${id}/items/1`, ".card"], ["#/functions/square", ".try"], ["#/objects/dicts", "tbody tr, .empty"], ["#/objects/dicts/settings", "tbody tr"]]) {
        await go(hash, phone);
        await phone.locator(ready).first().waitFor();
        const width = await phone.evaluate(() => Math.max(innerWidth, document.documentElement.scrollWidth));
        assert.equal(width, 320, hash); // of what is wider the browser would show less at once
        const small = await phone.evaluate(() => [...document.querySelectorAll("button, select, input:not([type=checkbox]), nav a")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 32).map((one) => one.outerHTML));
        assert.deepEqual(small, [], `${hash} has what a finger misses`);
    }
    await accessible(phone, "phone");
    noComplaints(phone);
    await phone.context().close();
});

