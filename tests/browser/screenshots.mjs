// screenshots: takes the pictures of the dashboard that the README shows, of a poold that has had something to do for a
// minute. With pngquant they have a palette, and a third of the size.
//
//   POOLD_BROWSER_MODULES=DIR node screenshots.mjs POOLD CHROMIUM FOLDER
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBrowser, openPage, Service, sleep } from "./kit.mjs";

const [poold, chromium, folder] = process.argv.slice(2);
const SHOP = `
"""What a small shop has to do."""
import sys, time, zlib

def _some(text, low, high):
    return low + (high - low) * (zlib.crc32(text.encode()) % 1000) / 1000

def thumbnail(photo):
    """A small picture of a large one."""
    print("reading", photo)
    end = time.process_time() + _some(photo, 0.02, 0.2)
    while time.process_time() < end:
        pass
    time.sleep(_some(photo, 0.2, 1.4))
    if photo.endswith("7.heic"):
        print("unknown box 'idat' at byte 41", file=sys.stderr)
        raise ValueError("cannot read " + photo)
    return {"file": photo.replace("heic", "jpg"), "width": 320, "height": 213}

def invoice(order):
    """The invoice of an order, as PDF."""
    time.sleep(_some(str(order), 0.04, 0.24))
    return f"invoices/{order}.pdf"
`;

function functions() {
    const house = mkdtempSync(join(tmpdir(), "poold-browser-"));
    writeFileSync(join(house, "shop.py"), SHOP);
    writeFileSync(join(house, "shop.json"), JSON.stringify({ runtime: ["python3", "-m", "poold_worker", "shop"] }));
    return house;
}

async function shoot(page, name) {
    const path = join(folder, `${name}.png`);
    await page.screenshot({ path });
    spawnSync("pngquant", ["--force", "--strip", "--speed=1", "--ext=.png", "128", path]);
}

const house = functions();
const service = await Service.begin(poold, "--processes", "8", "--functions", house);
const browser = await openBrowser(chromium);
const submit = (body) => service.ask("POST", "/v1/jobs", body);
const numbers = (n, of) => Array.from({ length: n }, (_, i) => of(i));

// Jobs as a day has them; the id of one with failures that will be running for long.
async function work() {
    await submit({ function: "shop.invoice", map: numbers(700, (i) => 20260 + i), name: "October", processes: 2 });
    const { id } = await submit({ function: "shop.thumbnail", map: numbers(500, (i) => `photos/IMG_${4100 + i}.${i % 3 ? "jpg" : "heic"}`),
        name: "spring catalogue", max_attempts: 2, backoff: 0.2, processes: 3 });
    for (let i = 0; i < 5; i++) {
        await sleep(13000);
        await submit({ function: "shop.invoice", map: numbers(60 + 50 * (i % 3), (k) => 31000 + 200 * i + k), name: `orders of ${9 + i} h` });
        await submit({ function: "fibonacci", map: Array(5).fill(42), name: "forecast", processes: 2 });
    }
    return id;
}

try {
    const pool = await openPage(browser, { viewport: { width: 1280, height: 1228 } });
    const dark = await openPage(browser, { viewport: { width: 1280, height: 900 }, colorScheme: "dark" });
    const phone = await openPage(browser, { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true });
    await Promise.all([pool, dark, phone].map((page) => page.goto(service.url)));
    const id = await work();
    await sleep(3000);
    await shoot(pool, "pool");
    await dark.goto(`${service.url}/#/jobs/${id}/failed`);
    await dark.locator(".failure summary").first().click();
    await dark.locator(".failure-inside .log").waitFor();
    await sleep(1500);
    await dark.mouse.move(0, 0);
    await shoot(dark, "job");
    await submit({ function: "shop.thumbnail", map: numbers(80, (i) => `photos/IMG_${5000 + i}.${i % 2 ? "jpg" : "heic"}`), name: "new arrivals" });
    await phone.goto(`${service.url}/#/jobs`);
    await sleep(9000);
    await shoot(phone, "phone");
} finally {
    await browser.close();
    await service.end();
    rmSync(house, { recursive: true, force: true });
}
