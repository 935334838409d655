// screenshots: takes the pictures of the dashboard that the README shows, of a poold that has something to do.
//
//   POOLD_BROWSER_MODULES=DIR node screenshots.mjs POOLD CHROMIUM FOLDER
import { join } from "node:path";
import { openBrowser, openPage, Service, sleep } from "./kit.mjs";

const [poold, chromium, folder] = process.argv.slice(2);
const service = await Service.begin(poold, "--processes", "4");
const browser = await openBrowser(chromium);

async function shoot(page, name) {
    await page.screenshot({ path: join(folder, `${name}.png`) });
}

try {
    const submit = (body) => service.ask("POST", "/v1/jobs", body);
    const page = await openPage(browser, { viewport: { width: 1280, height: 1120 } });
    await page.goto(service.url);
    await submit({ function: "sleep", map: Array.from({ length: 90 }, (_, i) => 0.2 + (i % 7) / 5), name: "nightly report" });
    await submit({ function: "fibonacci", map: Array(24).fill(39), name: "load", processes: 2 });
    const { id } = await submit({ function: "square", map: Array.from({ length: 4000 }, (_, i) => (i % 90 === 7 ? "x" : i)) });
    await submit({ function: "greet", map: ["Ada", "Grace", "Edsger"] });
    await sleep(14000);
    await shoot(page, "pool");
    await page.goto(`${service.url}/#/jobs`);
    await sleep(2500);
    await page.setViewportSize({ width: 1280, height: 620 });
    await shoot(page, "jobs");
    const phone = await openPage(browser, { viewport: { width: 390, height: 844 }, colorScheme: "dark", deviceScaleFactor: 2 });
    await phone.goto(`${service.url}/#/jobs/${id}/failed`);
    await sleep(2500);
    await shoot(phone, "phone");
} finally {
    await browser.close();
    await service.end();
}
