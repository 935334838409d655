// ticks: round times for an axis: whole seconds, minutes or hours of the local clock.

const STEPS_S = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400];

// About `wanted` times from `from` to `to`, in ms.
export function ticks(from, to, wanted) {
    const least = (to - from) / wanted;
    const step = 1000 * (STEPS_S.find((seconds) => seconds * 1000 >= least) ?? 86400);
    const offset = new Date(from).getTimezoneOffset() * 60000;
    const found = [];
    for (let at = Math.ceil((from - offset) / step) * step + offset; at <= to; at += step)
        found.push(at);
    return found;
}
