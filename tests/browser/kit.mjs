// kit: a poold in a folder of its own, a Chromium, and a page that notes all it complains about.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const modules = process.env.POOLD_BROWSER_MODULES; // where npm put them
const load = createRequire(join(modules, "package.json"));
export const { chromium } = load("playwright-core");
export const axePath = load.resolve("axe-core/axe.min.js");
export const WAIT = 30000;

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

export class Service {
    // An option may be a function of the service's folder.
    static async begin(poold, ...options) {
        const service = new Service();
        service.folder = mkdtempSync(join(tmpdir(), "poold-browser-"));
        service.port = await freePort();
        service.url = `http://127.0.0.1:${service.port}`;
        service.command = [poold, "--listen", `127.0.0.1:${service.port}`, "--data", join(service.folder, "data"),
            ...options.map((option) => (typeof option === "function" ? option(service.folder) : option))];
        await service.start();
        return service;
    }

    async start() {
        this.process = spawn(this.command[0], this.command.slice(1), { stdio: ["ignore", "ignore", "pipe"] });
        this.log = "";
        this.process.stderr.on("data", (data) => { this.log += data; });
        for (const end = Date.now() + WAIT; Date.now() < end; await sleep(50))
            if (await fetch(`${this.url}/readyz`, { headers: this.headers() }).then((answer) => answer.ok, () => false))
                return;
        throw new Error(`poold is not ready:\n${this.log}`);
    }

    headers() {
        return this.token ? { Authorization: `Bearer ${this.token}` } : {};
    }

    static tokenFile(folder, lines) {
        const path = join(folder, "tokens");
        writeFileSync(path, lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
        return path;
    }

    writeTokens(lines) {
        Service.tokenFile(this.folder, lines);
    }

    async stop(signal = "SIGKILL") {
        if (this.process.exitCode !== null || this.process.signalCode !== null)
            return;
        const ended = once(this.process, "exit");
        this.process.kill(signal);
        await ended;
    }

    async end() {
        await this.stop("SIGTERM");
        rmSync(this.folder, { recursive: true, force: true });
    }

    async ask(method, path, body) {
        const answer = await fetch(this.url + path, {
            method, headers: { ...this.headers(), ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
            body: body === undefined ? undefined : JSON.stringify(body),
        });
        const text = await answer.text();
        if (!answer.ok)
            throw new Error(`${method} ${path}: ${answer.status} ${text}`);
        return text ? JSON.parse(text) : null;
    }

    // Items as lines, however many.
    async upload(name, lines) {
        const answer = await fetch(`${this.url}/v1/jobs?function=${name}`,
            { method: "POST", headers: { ...this.headers(), "Content-Type": "application/x-ndjson" }, body: lines });
        return (await answer.json()).id;
    }
}

export async function openBrowser(executable) {
    const browser = await chromium.launch({
        executablePath: executable, headless: true,
        args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"],
    });
    return browser;
}

// A page that keeps what it complains about in `complaints`, and every host that it asks in `hosts`. What the browser
// itself logs of answers that are no 2xx, and of a connection that is gone, is no complaint.
export async function openPage(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, acceptDownloads: true, ...options });
    await context.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) =>
            console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
    });
    const page = await context.newPage();
    page.complaints = [];
    page.hosts = new Set();
    page.on("console", (message) => {
        if (["error", "warning"].includes(message.type()) && !/^Failed to load resource/.test(message.text()))
            page.complaints.push(message.text());
    });
    page.on("pageerror", (error) => page.complaints.push(String(error.stack)));
    page.on("request", (request) => page.hosts.add(new URL(request.url()).host));
    page.setDefaultTimeout(WAIT);
    return page;
}
