// app: the frame around the views: navigation, theme, connection, token.

import * as api from "./api.js";
import { text } from "./dom.js";
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
import { h } from "./dom.js";

const $ = (id) => document.getElementById(id);

function nowhere(place) {
    place.append(h("h1", { tabindex: "-1" }, "There is no such page"), h("p", {}, h("a", { href: "#/" }, "To the pool")));
}

function views(parts) {
    const [first, second, third, fourth] = parts;
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

function showLink() {
    const { lost, retryAt } = api.link;
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    $("banner").hidden = !lost;
    $("link").dataset.state = lost ? "lost" : api.needsToken() ? "token" : "live";
    text($("link-text"), lost ? "lost" : api.needsToken() ? "no token" : "live");
    text($("banner-text"), seconds
        ? `The connection to poold is lost. What you see is from before. Trying again in ${seconds} s.`
        : "The connection to poold is lost. Trying now…");
    document.body.classList.toggle("stale", lost);
    if (lost !== wasLost)
        announce(lost ? "The connection is lost." : "The connection is back.");
    wasLost = lost;
}

function startLink() {
    api.events.addEventListener("link", showLink);
    api.events.addEventListener("token", showLink);
    setInterval(() => api.link.lost && showLink(), 1000);
    $("banner-retry").addEventListener("click", api.probe);
    addEventListener("online", () => api.link.lost && api.probe());
    showLink();
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
recorder.start();
route(views, $("main"), $("nav"));
