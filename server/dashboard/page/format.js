// format: numbers, durations and times as people read them.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { maximumFractionDigits: 1, notation: "compact" });

export function count(value) {
    return value === null || value === undefined ? "–" : number.format(value);
}

export function short(value) {
    if (value !== 0 && Math.abs(value) < 10 && !Number.isInteger(value))
        return String(Number(value.toPrecision(2)));
    return Math.abs(value) < 10000 ? number.format(value) : compact.format(value);
}

export function rate(value) {
    if (value === null || value === undefined)
        return "–";
    return `${short(value)}/s`;
}

export function bytes(value) {
    if (value === null || value === undefined)
        return "–";
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let unit = 0;
    while (value >= 1024 && unit < units.length - 1) {
        value /= 1024;
        unit++;
    }
    return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

export function duration(seconds) {
    if (seconds === null || seconds === undefined || !Number.isFinite(seconds))
        return "–";
    if (seconds === 0)
        return "0 s";
    if (seconds < 0.001)
        return `${Math.max(0, Math.round(seconds * 1e6))} µs`;
    if (seconds < 1)
        return `${Math.round(seconds * 1000)} ms`;
    if (seconds < 60)
        return `${seconds < 10 && !Number.isInteger(seconds) ? seconds.toFixed(1) : Math.round(seconds)} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60)
        return `${minutes} min${seconds % 60 >= 1 ? ` ${Math.floor(seconds % 60)} s` : ""}`;
    const hours = Math.floor(minutes / 60);
    return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

const clockTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const dayTime = new Intl.DateTimeFormat("en-GB", {
    day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
});

export function clock(ms) {
    return clockTime.format(ms);
}

export function time(text) {
    if (!text)
        return "–";
    const ms = Date.parse(text);
    return Math.abs(Date.now() - ms) < 12 * 3600e3 ? clockTime.format(ms) : dayTime.format(ms);
}

export function ago(text) {
    return text ? `${duration(Math.max(0, (Date.now() - Date.parse(text)) / 1000))} ago` : "–";
}

export function percent(part, whole) {
    if (!whole)
        return "0 %";
    const value = 100 * part / whole; // never 100 % before the end
    return `${value >= 99.95 && part < whole ? "99.9" : value < 10 && value > 0 ? value.toFixed(1) : Math.floor(value)} %`;
}

// At most `length` characters, with a mark where it was cut.
export function cut(string, length) {
    return string.length > length ? `${string.slice(0, length)}…` : string;
}

export function plural(n, one, many = `${one}s`) {
    return `${count(n)} ${n === 1 ? one : many}`;
}
