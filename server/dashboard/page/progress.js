// progress: how far a job is: a bar with what succeeded, failed and was cancelled, and the numbers.

import { attribute, h, part, text } from "./dom.js";
import * as format from "./format.js";

export function progressOf(label) {
    return h("div", { class: "progress" },
        h("div", { class: "bar", role: "progressbar", "aria-label": label, "aria-valuemin": 0, "aria-valuemax": 100, "data-part": "bar" },
            h("span", { class: "bar-good", "data-part": "good" }), h("span", { class: "bar-bad", "data-part": "bad" }),
            h("span", { class: "bar-none", "data-part": "none" })),
        h("span", { class: "progress-text", "data-part": "counts" }));
}

export function updateProgress(root, counts) {
    const ended = counts.succeeded + counts.failed + counts.cancelled, total = counts.total;
    const width = (n) => `${total ? 100 * n / total : 0}%`;
    part(root, "good").style.width = width(counts.succeeded); // by the object model, which the policy allows
    part(root, "bad").style.width = width(counts.failed);
    part(root, "none").style.width = width(counts.cancelled);
    attribute(part(root, "bar"), "aria-valuenow", total ? Math.floor(100 * ended / total) : 0);
    attribute(part(root, "bar"), "aria-valuetext", `${format.count(ended)} of ${format.count(total)} items`);
    text(part(root, "counts"), `${format.short(ended)} / ${format.short(total)} · ${format.percent(ended, total)}`);
}

// ---- the numbers, each with its colour ----

const LEGEND = [["succeeded", "good"], ["failed", "bad"], ["cancelled", "none"], ["running", "now"], ["waiting", "wait"], ["ready", "todo"]];
const LABELS = { ready: "to do" };

export function legendOf() {
    return h("ul", { class: "legend", "aria-label": "Items by state" }, LEGEND.map(([name, colour]) =>
        h("li", { "data-part": name }, h("span", { class: `swatch swatch-${colour}`, "aria-hidden": "true" }),
            h("strong", { "data-part": "number" }), ` ${LABELS[name] || name}`)));
}

// What there is none of is left out, but for what succeeded.
export function updateLegend(root, counts) {
    for (const [name] of LEGEND) {
        const entry = part(root, name);
        entry.hidden = !counts[name] && name !== "succeeded";
        text(part(entry, "number"), format.count(counts[name]));
    }
}
