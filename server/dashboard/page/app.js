// app: the frame around the views: navigation, theme, connection, token.

import { may, startAccess, whyNot } from "./access.js";
import * as api from "./api.js";
import { empty, h, heading, text } from "./dom.js";
import { recorder } from "./recorder.js";
import { route } from "./router.js";
import { announce, failure } from "./say.js";
import { startTheme } from "./theme.js";
import { startToken } from "./token.js";
import { functionsView } from "./view_functions.js";
import { itemView } from "./view_item.js";
import { jobView } from "./view_job.js";
import { jobsView } from "./view_jobs.js";
import { objectView } from "./view_object.js";
import { objectsView } from "./view_objects.js";
import { poolView } from "./view_pool.js";

const FIRST_MS = 1500; // so long the first view waits to know what one may do
const $ = (id) => document.getElementById(id);

function nowhere(place) {
    place.append(h("h1", { tabindex: "-1" }, "There is no such page"), h("p", {}, h("a", { href: "#/" }, "To the pool")));
}

function unseen(place) {
    place.append(heading("Nothing to see"), empty("This token may not look at anything.", "It may submit jobs: the answer to ",
        h("code", {}, "POST /v1/jobs?wait=10"), " has the result. See ", h("a", { href: "/docs" }, "the API"), "."), whyNot("read", "look"));
}

function views(parts) {
    const [first, second, third, fourth] = parts;
    if (!may("read"))
        return { key: "unseen", title: "Nothing to see", make: unseen };
    if (!first)
        return { key: "pool", title: "Pool", make: poolView };
    if (first === "jobs" && third === "items")
        return { key: `item ${second} ${fourth}`, title: `Item ${fourth}`, make: itemView };
    if (first === "jobs" && second)
        return { key: `job ${second}`, title: `Job ${second}`, make: jobView };
    if (first === "jobs")
        return { key: "jobs", title: "Jobs", make: jobsView };
    if (first === "functions")
        return { key: "functions", title: "Functions", make: functionsView };
    if (first === "objects" && third)
        return { key: `object ${second} ${third}`, title: third, make: objectView };
    if (first === "objects")
        return { key: "objects", title: "Objects", make: objectsView };
    return { key: location.hash, title: "Not found", make: nowhere };
}

// ---- the connection ----

let wasLost = false;

function state() {
    if (api.link.lost)
        return "lost";
    if (api.needsToken())
        return "no token";
    return api.link.pace > 1 ? "slowed" : "live";
}

function banner() {
    const { lost, retryAt, slowUntil } = api.link, now = Date.now();
    const seconds = Math.max(0, Math.ceil((retryAt - now) / 1000)), rest = Math.ceil((slowUntil - now) / 1000);
    if (lost)
        return "The connection to poold is lost. What you see is from before. "
            + (seconds ? `Trying again in ${seconds} s.` : "Trying now…");
    return rest > 1 ? `poold wants fewer requests from this client. What you see is from before; on in ${rest} s.` : "";
}

function showLink() {
    const { lost } = api.link, message = banner();
    $("banner").hidden = !message;
    $("banner").dataset.kind = lost ? "lost" : "slow";
    $("banner-retry").hidden = !lost;
    text($("banner-text"), message);
    $("link").dataset.state = state();
    text($("link-text"), state());
    document.body.classList.toggle("stale", lost);
    if (lost !== wasLost)
        announce(lost ? "The connection is lost." : "The connection is back.");
    wasLost = lost;
}

function startLink() {
    for (const name of ["link", "token", "slow"])
        api.events.addEventListener(name, showLink);
    setInterval(() => (api.link.lost || !$("banner").hidden) && showLink(), 1000);
    $("banner-retry").addEventListener("click", api.probe);
    addEventListener("online", () => api.link.lost && api.probe());
    showLink();
}

async function startViews() {
    await Promise.race([startAccess(), new Promise((resolve) => setTimeout(resolve, FIRST_MS))]);
    recorder.start(); // first: views draw what it has of before
    const router = route(views, $("main"), $("nav"));
    api.events.addEventListener("access", router.again);
}

addEventListener("unhandledrejection", (event) => {
    failure(event.reason);
    if (event.reason instanceof api.Refusal || event.reason instanceof api.Unreachable)
        event.preventDefault();
});
$("skip").addEventListener("click", (event) => {
    event.preventDefault();
    $("main").focus();
});
startTheme($("theme"));
startLink();
startToken();
startViews();
