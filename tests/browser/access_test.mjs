// access_test: the dashboard of a poold that wants a token: asked for, shown whose it is, what it may not do, taken back
// while the page is open, and limits.
//
//   POOLD_BROWSER_MODULES=DIR node access_test.mjs POOLD CHROMIUM    (run.sh does this)
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { openBrowser, openPage, Service } from "./kit.mjs";
import { accessible, badge, noComplaints, until } from "./steps.mjs";

const [poold, chromium] = process.argv.slice(2);
const secret = (name) => name.padEnd(40, "0123456789");
const LINES = {
    boss: `${secret("boss")} name=boss scopes=admin`,
    reader: `${secret("reader")} name=grafana scopes=read`,
    web: `${secret("web")} name=web scopes=read,submit functions=squ*`,
    writer: `${secret("writer")} name=writer scopes=submit`,
    slow: `${secret("slow")} name=slow scopes=read rate=1`,
};
let service, browser, job;

before(async () => {
    service = await Service.begin(poold, "--processes", "1", "--token-file", (folder) => Service.tokenFile(folder, Object.values(LINES)));
    service.token = secret("boss");
    browser = await openBrowser(chromium);
    job = await service.ask("POST", "/v1/jobs?wait=20", { function: "square", map: [1, "x"] });
});
after(async () => {
    await browser?.close();
    await service?.end();
});

// A page of its own: the token is the tab's.
async function visit(hash, token, work) {
    const guest = await openPage(browser);
    try {
        await guest.goto(`${service.url}/${hash}`);
        await guest.locator("#token").waitFor();
        if (token)
            await give(guest, token);
        await work(guest);
        noComplaints(guest);
    } finally {
        await guest.context().close();
    }
}

async function give(guest, token) {
    await guest.getByLabel("Token", { exact: true }).fill(token);
    await guest.keyboard.press("Enter");
    await guest.locator("#token").waitFor({ state: "hidden" });
}

// Why a control is locked, as a screen reader has it.
async function whyLocked(guest, control) {
    assert.equal(await control.getAttribute("aria-disabled"), "true");
    const why = await guest.locator(`#${await control.getAttribute("aria-describedby")}`);
    assert.ok(await why.isVisible());
    await control.focus();
    assert.ok(await control.evaluate((element) => element === document.activeElement), "the keyboard reaches it");
    return why.textContent();
}

test("asked for, kept in this tab, forgotten", () => visit("#/jobs", null, async (guest) => {
    await accessible(guest, "token");
    await guest.getByLabel("Token", { exact: true }).fill("wrong");
    await guest.getByRole("button", { name: "Go on" }).click();
    await guest.getByText("That is not a token of this poold.").waitFor();
    await guest.keyboard.press("Escape");
    assert.ok(await guest.locator("#token").isVisible(), "there is nothing behind it");
    await give(guest, secret("boss"));
    await guest.locator("tbody tr").first().waitFor();
    await guest.reload();
    await guest.locator("tbody tr").first().waitFor();
    assert.deepEqual(await guest.evaluate(() => Object.values(localStorage)), []);
    await guest.locator("#who summary").press("Enter");
    assert.match(await guest.locator("#who-facts").textContent(), /read, submit, admin/);
    await accessible(guest, "who");
    await guest.getByRole("button", { name: "Forget token" }).click();
    await guest.locator("#token").waitFor();
    assert.deepEqual(await guest.evaluate(() => Object.values(sessionStorage)), [], "nothing of it stays");
    assert.equal(await guest.locator("tbody tr").count(), 0);
}));

test("a token that only reads", () => visit("", secret("reader"), async (guest) => {
    await until("its name", async () => await guest.locator("#who-name").textContent() === "grafana");
    const resize = guest.getByRole("button", { name: "Resize" });
    assert.match(await whyLocked(guest, resize), /may not resize the pool: it has no scope “admin”/);
    await guest.getByLabel("One process more").press("Enter");
    await guest.locator(".toast", { hasText: "may not resize" }).waitFor();
    assert.equal(await guest.getByLabel("Processes", { exact: true }).inputValue(), "1");
    await accessible(guest, "a pool that cannot be resized");
    await guest.goto(`${service.url}/#/jobs/${job.id}`);
    await badge("failed", guest);
    assert.match(await whyLocked(guest, guest.getByRole("button", { name: "Delete" })), /no scope “submit”/);
    await guest.getByRole("button", { name: "Delete" }).press("Enter");
    assert.equal(await guest.locator("#confirm").isVisible(), false);
    await accessible(guest, "a job that cannot be changed");
    await guest.goto(`${service.url}/#/functions/square`);
    assert.match(await whyLocked(guest, guest.getByRole("button", { name: "Run" })), /may not run functions/);
    assert.equal((await service.ask("GET", "/v1/jobs")).jobs.length, 1);
}));

test("a token for some functions", () => visit("#/functions/square", secret("web"), async (guest) => {
    await guest.getByRole("button", { name: "Run" }).click();
    await guest.locator(".answer pre", { hasText: "49" }).waitFor();
    assert.equal(await guest.locator("#who-name").textContent(), "web");
    const others = await guest.locator(".function").evaluateAll((cards) => cards.map((card) => card.dataset.name).filter((name) => name !== "square"));
    if (others.length) { // it may look at what it may not call
        await guest.goto(`${service.url}/#/functions/${others[0]}`);
        await guest.reload();
        assert.match(await whyLocked(guest, guest.locator(".function[open]").getByRole("button", { name: "Run" })), /may not use this function/);
    }
    const other = await service.ask("POST", "/v1/jobs?wait=20", { function: "cube", apply: 3 });
    await guest.goto(`${service.url}/#/jobs/${other.id}`);
    await guest.getByText(/may only use squ\*/).waitFor();
    await accessible(guest, "a job of another's");
}));

test("a token that only submits", () => visit("", secret("writer"), async (guest) => {
    await guest.getByText("This token may not look at anything.").waitFor();
    await accessible(guest, "nothing to see");
}));

test("taken back while the page is open, and another one given", () => visit("", secret("reader"), async (guest) => {
    await guest.locator(".tile").first().waitFor();
    service.writeTokens(Object.values(LINES).filter((line) => line !== LINES.reader));
    service.process.kill("SIGHUP");
    await guest.getByText("The token is no longer accepted").waitFor();
    await accessible(guest, "taken back");
    await give(guest, secret("boss"));
    await guest.locator('button:not([aria-disabled])', { hasText: "Resize" }).waitFor();
    assert.equal(await guest.locator("#who-name").textContent(), "boss");
    service.writeTokens(Object.values(LINES));
    service.process.kill("SIGHUP");
}));

test("few requests: the page looks less often, and says so", () => visit("", secret("slow"), async (guest) => {
    let refused = 0, asked = 0;
    guest.on("response", (answer) => {
        asked++;
        refused += answer.status() === 429;
    });
    await guest.locator(".tile").first().waitFor();
    await until("it says so", async () => await guest.locator("#link-text").textContent() === "slowed");
    await guest.locator("#who summary").click();
    await guest.getByText("1 requests a second").waitFor();
    await guest.waitForTimeout(4000);
    assert.ok(asked - refused <= 20 && refused <= 1, `${asked} asked, ${refused} refused`);
    await guest.setViewportSize({ width: 320, height: 640 });
    const panel = await guest.locator(".who-panel").boundingBox();
    assert.ok(panel.x >= 0 && panel.x + panel.width <= 320, "it is all on a phone's screen");
    assert.equal(await guest.evaluate(() => document.documentElement.scrollWidth), 320);
}));

test("few requests of an address: the page itself still comes", async () => {
    const strict = await Service.begin(poold, "--processes", "1", "--client-rate", "5");
    const guest = await openPage(browser);
    try {
        await guest.goto(strict.url);
        await guest.locator(".tile").first().waitFor();
        await until("it says so", async () => await guest.locator("#link-text").textContent() === "slowed");
        noComplaints(guest);
    } finally {
        await guest.context().close();
        await strict.end();
    }
});
