// The page at /docs in headless Chromium: it shows itself without a script and without asking elsewhere, reads well in
// both themes for people and machines, fits a phone and paper.
//
//   POOLD_BROWSER_MODULES=DIR node --test docs_test.mjs; run.sh does that: node docs_test.mjs POOLD CHROMIUM
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { axePath, openBrowser, openPage, Service } from "./kit.mjs";

const [poold, chromium] = process.argv.slice(2);
const axe = readFileSync(axePath, "utf8");
let service, browser;

before(async () => {
    service = await Service.begin(poold, "--processes", "1");
    browser = await openBrowser(chromium);
});
after(async () => {
    await browser?.close();
    await service?.end();
});

// Opens /docs; what it complained of, and whom it asked, is judged at the end.
async function shown(options, where, look) {
    const page = await openPage(browser, options);
    const answer = await page.goto(`${service.url}/docs${where}`);
    assert.match(answer.headers()["content-security-policy"], /^default-src 'none'/);
    await look(page);
    assert.deepEqual(page.complaints, []);
    assert.deepEqual([...page.hosts], [new URL(service.url).host]);
    await page.context().close();
}

// All of axe-core's rules take seconds for so long a page, whose parts repeat: a few of each kind are left of it.
async function accessible(page, where) {
    await page.evaluate(() => {
        for (const kind of [".operation", ".schema", "nav.contents ul ul", "#problems tr"])
            for (const more of [...document.querySelectorAll(kind)].slice(4))
                more.remove();
    });
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
    const serious = violations.filter((one) => ["serious", "critical"].includes(one.impact))
        .map((one) => `${where}: ${one.id}: ${one.nodes.slice(0, 5).map((node) => `${node.html} ${node.failureSummary}`).join("; ")}`);
    assert.deepEqual(serious, []);
}

const width = (page) => page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
const top = (page, selector) => page.locator(selector).evaluate((node) => node.getBoundingClientRect().top);

for (const colorScheme of ["light", "dark"])
    test(`${colorScheme}: nothing is in the way of reading`, () => shown({ colorScheme }, "", async (page) => {
        const background = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const light = background.match(/\d+/g).map(Number).reduce((sum, part) => sum + part) / 3 > 127;
        assert.equal(light, colorScheme === "light");
        await accessible(page, colorScheme);
    }));

test("a link of the contents leads there, below what stays on top", () => shown({}, "", async (page) => {
    await page.locator("nav.contents a[href='#submitJob']").click();
    assert.match(page.url(), /#submitJob$/);
    const bar = await page.locator("header.top").evaluate((node) => node.getBoundingClientRect().bottom);
    const title = await top(page, "#submitJob-title");
    assert.ok(title >= bar && title < 300, `the title is at ${title}, the bar ends at ${bar}`);
    await page.locator("#submitJob .refusals a[href='#problem-invalid-json']").click();
    assert.ok(await top(page, "#problem-invalid-json") < 300);
}));

test("a phone of 360 px: nothing is cut off, the contents are a touch away", () =>
    shown({ viewport: { width: 360, height: 740 } }, "#schema-Job", async (page) => {
        assert.deepEqual(await width(page), [360, 360]);
        await page.locator("a.up").click();
        assert.ok(Math.abs(await top(page, "#contents")) < 400);
        await page.locator("nav.contents a[href='#tag-queues']").click();
        assert.ok(await top(page, "#tag-queues-title") < 300);
    }));

test("the structure of the whole: headings, landmarks, names, lists", () => shown({}, "", async (page) => {
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document,
        { resultTypes: ["violations"], runOnly: ["heading-order", "landmark-one-main", "region", "document-title", "list", "definition-list", "dlitem", "link-name", "duplicate-id-aria", "scrollable-region-focusable", "html-has-lang"] }));
    assert.deepEqual(violations.map((one) => `${one.id}: ${one.nodes[0].html}`), []);
}));

test("by keyboard: the first stop skips to the content", () => shown({}, "", async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.getAttribute("href")), "#main");
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main");
}));

test("on paper there is only the text, and nothing is cut off", () => shown({ viewport: { width: 700, height: 900 } }, "", async (page) => {
    await page.emulateMedia({ media: "print" });
    assert.equal(await page.locator("nav.contents").isVisible(), false);
    assert.equal(await page.locator("a.up").isVisible(), false);
    assert.deepEqual(await width(page), [700, 700]);
}));

test("the dashboard leads there", async () => {
    const page = await openPage(browser);
    await page.goto(service.url);
    await page.locator("header a[href='/docs']").click();
    await page.locator("#getDocs").waitFor();
    await page.locator("header a[href='/#/jobs']").click();
    await page.locator("main h1", { hasText: "Jobs" }).waitFor();
    await page.context().close();
});
