// much_test: the dashboard stays fluid with very much in it: 10,000 jobs, and a job with 1,000,000 items.
//
//   POOLD_BROWSER_MODULES=DIR node much_test.mjs POOLD CHROMIUM    (run.sh does this)
import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { openBrowser, openPage, Service } from "./kit.mjs";
import { badge, fluid, noComplaints, until, watch } from "./steps.mjs";

const ITEMS = 1000000, JOBS = 10000, AT_ONCE = 32;
const [poold, chromium] = process.argv.slice(2);
let service, browser, page;

before(async () => {
    service = await Service.begin(poold, "--processes", "2");
    browser = await openBrowser(chromium);
    page = await openPage(browser);
});
after(async () => {
    await browser?.close();
    await service?.end();
});
afterEach(() => noComplaints(page));

const go = (hash) => page.goto(`${service.url}/${hash}`);

test("a job with 1,000,000 items", async (t) => {
    const lines = Array.from({ length: ITEMS }, (_, i) => (i % 1000 === 999 ? '"x"' : i)).join("\n");
    const id = await service.upload("square", `${lines}\n`);
    await go(`#/jobs/${id}`);
    await watch(page);
    await page.locator(".results tbody tr").nth(50).waitFor();
    await page.getByLabel("follow the newest").check();
    await page.getByRole("link", { name: "Timeline" }).click();
    await page.locator(".timeline .span, .empty").first().waitFor();
    await page.getByRole("link", { name: "Results" }).click();
    for (let state = "running"; state === "running" || state === "ready";)
        ({ state } = await service.ask("GET", `/v1/jobs/${id}?wait=60`));
    await badge("failed", page);
    await page.getByLabel("From").fill("999900");
    await page.getByRole("button", { name: "Go" }).click();
    await page.locator(".results tbody th", { hasText: "999,950" }).waitFor();
    await page.getByLabel("Order").selectOption("completion");
    await until("a page of the other order", async () => await page.locator(".results tbody tr").count() === 100);
    await page.getByRole("button", { name: "Last" }).click();
    await until("the last page", async () => /999,900 to 999,999/.test(await page.locator("main").textContent()));
    await page.getByRole("link", { name: "Failed" }).click();
    await until("a hundred that failed", async () => await page.locator(".failure").count() >= 100);
    await fluid(page, "1,000,000 items", t);
});

test("10,000 jobs", async (t) => {
    let made = 0;
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
        while (made++ < JOBS)
            await service.ask("POST", "/v1/jobs", { function: made % 100 ? "echo" : "cube", apply: made });
    }));
    await go("#/jobs");
    await watch(page);
    const rows = page.locator("tbody tr"), first = () => page.locator("tbody tr .id").first().textContent();
    await until("a page", async () => await rows.count() === 50);
    const top = await first();
    for (const name of [...Array(5).fill("Older"), ...Array(5).fill("Newer")]) {
        const before = await first();
        await page.getByRole("button", { name }).click();
        await until(`${name} jobs`, async () => await first() !== before);
        assert.equal(await rows.count(), 50);
    }
    assert.equal(await first(), top);
    await page.getByLabel("Function").selectOption("cube");
    await until("the few of another function", async () => await rows.count() > 0
        && (await page.locator("tbody .row-link").allTextContents()).every((name) => name === "cube"));
    await fluid(page, "10,000 jobs", t);
});
