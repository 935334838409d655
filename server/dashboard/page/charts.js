// charts: throughput and latency over time, by Chart.js (the global `Chart`, from /dashboard/chart.min.js).

import { h } from "./dom.js";
import * as format from "./format.js";
import { recorder } from "./recorder.js";
import { colour } from "./theme.js";
import { ticks } from "./ticks.js";

const WINDOW_MS = 5 * 60 * 1000, WINDOW_MIN_MS = 60 * 1000;

// 1 ms, 10 ms, … as many as are on the axis.
function decades(min, max) {
    const found = [];
    for (let power = Math.ceil(Math.log10(min) - 1e-9); 10 ** power <= max * (1 + 1e-9); power++)
        found.push(10 ** power);
    return found;
}

const THROUGHPUT = {
    title: "Throughput", unit: "items per second", tick: format.short, scale: { type: "linear", beginAtZero: true, suggestedMax: 1, ticks: { maxTicksLimit: 5, callback: format.short } },
    lines: [
        { label: "succeeded", colour: "good", of: (sample) => sample.succeeded, fill: true },
        { label: "failed", colour: "bad", of: (sample) => sample.failed },
        { label: "cancelled", colour: "muted", of: (sample) => sample.cancelled },
    ],
};
const LATENCY = {
    title: "Latency", unit: "an item's run, a job from submission to result", tick: format.duration, radius: 1.5,
    scale: { // items and jobs differ by orders of magnitude
        type: "logarithmic", suggestedMin: 0.001, suggestedMax: 1, ticks: { callback: format.duration },
        afterBuildTicks: (scale) => { scale.ticks = decades(scale.min, scale.max).map((value) => ({ value })); },
    },
    lines: [
        { label: "item, median", colour: "accent", of: (sample) => sample.run?.p50 ?? null },
        { label: "item, 95 %", colour: "warn", of: (sample) => sample.run?.p95 ?? null },
        { label: "job, median", colour: "violet", of: (sample) => sample.total?.p50 ?? null },
        { label: "job, 95 %", colour: "rose", of: (sample) => sample.total?.p95 ?? null },
    ],
};

function dataset(line, kind) {
    return {
        label: line.label, data: [], borderWidth: 2, pointRadius: kind.radius ?? 0, pointHitRadius: 8,
        cubicInterpolationMode: "monotone", // no curve goes below what was measured
        fill: line.fill ? "origin" : false, spanGaps: 10000,
    };
}

function configuration(kind) {
    return {
        type: "line",
        data: { datasets: kind.lines.map((line) => dataset(line, kind)) },
        options: {
            animation: false, parsing: false, normalized: true, responsive: true, maintainAspectRatio: false,
            interaction: { mode: "nearest", axis: "x", intersect: false },
            scales: {
                x: {
                    type: "linear", ticks: { maxRotation: 0, callback: (at) => format.clock(at) },
                    afterBuildTicks: (scale) => { scale.ticks = ticks(scale.min, scale.max, 5).map((value) => ({ value })); },
                },
                y: kind.scale,
            },
            plugins: {
                legend: { position: "bottom", align: "start", labels: { boxWidth: 14, boxHeight: 2 } },
                tooltip: {
                    callbacks: {
                        title: (points) => format.clock(points[0].parsed.x),
                        label: (point) => `${point.dataset.label}: ${kind.tick(point.parsed.y)}`,
                    },
                },
            },
        },
    };
}

function paint(chart, kind) {
    const { scales, plugins } = chart.options;
    kind.lines.forEach((line, i) => {
        chart.data.datasets[i].borderColor = colour(line.colour);
        chart.data.datasets[i].backgroundColor = line.fill ? `${colour(line.colour)}33` : colour(line.colour);
    });
    for (const axis of [scales.x, scales.y]) {
        axis.ticks.color = colour("muted");
        axis.grid = { color: colour("line") };
    }
    plugins.legend.labels.color = colour("text");
}

// What a chart says, for who does not see it.
function describe(canvas, kind) {
    const last = recorder.samples.at(-1);
    const said = last ? kind.lines.map((line) => [line.label, line.of(last)]).filter((pair) => pair[1] !== null)
        .map(([label, value]) => `${label} ${kind.tick(value)}`).join(", ") : "";
    canvas.setAttribute("aria-label", `${kind.title}, ${kind.unit}. Now: ${said || "nothing"}.`);
}

function makeChart(kind) {
    const canvas = h("canvas", { role: "img" });
    const nothing = h("p", { class: "chart-empty" }, "Nothing has been measured yet.");
    const figure = h("figure", { class: "card chart" },
        h("figcaption", {}, h("h2", {}, kind.title), h("span", { class: "hint" }, kind.unit)),
        h("div", { class: "chart-place" }, canvas, nothing));
    let chart = null;

    function update() {
        const now = Date.now(), samples = recorder.samples.filter((sample) => sample.at > now - WINDOW_MS);
        nothing.hidden = samples.some((sample) => kind.lines.some((line) => line.of(sample) !== null));
        describe(canvas, kind);
        if (!chart || document.hidden)
            return;
        kind.lines.forEach((line, i) => {
            const data = samples.map((sample) => ({ x: sample.at, y: line.of(sample) })).filter((p) => p.y !== null);
            chart.data.datasets[i].data = data;
        });
        const begin = Math.min(samples[0]?.at ?? now, now - WINDOW_MIN_MS);
        chart.options.scales.x.min = Math.max(begin, now - WINDOW_MS);
        chart.options.scales.x.max = now;
        chart.update("none");
    }
    function themed() {
        if (chart)
            paint(chart, kind);
        update();
    }
    if (globalThis.Chart) {
        chart = new Chart(canvas, configuration(kind));
        paint(chart, kind);
    }
    return { figure, update, themed, end: () => chart?.destroy() };
}

// Both charts into `place`; returns what ends them.
export function showCharts(place) {
    const charts = [makeChart(THROUGHPUT), makeChart(LATENCY)];
    const update = () => charts.forEach((chart) => chart.update());
    const themed = () => charts.forEach((chart) => chart.themed());
    place.append(...charts.map((chart) => chart.figure));
    recorder.addEventListener("samples", update);
    addEventListener("themechange", themed);
    update();
    return () => {
        recorder.removeEventListener("samples", update);
        removeEventListener("themechange", themed);
        charts.forEach((chart) => chart.end());
    };
}
