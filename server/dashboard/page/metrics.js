// metrics: reads Prometheus' text, and what a histogram says of the time between two looks.

// A Map from `name{labels}` to the number.
export function parseMetrics(text) {
    const found = new Map();
    for (const line of text.split("\n")) {
        if (!line || line[0] === "#")
            continue;
        const space = line.lastIndexOf(" ");
        found.set(line.slice(0, space), Number(line.slice(space + 1)));
    }
    return found;
}

// The growth of a histogram's buckets, over all its labels: sorted [[upper bound, count]…], with its sum and count.
function grown(before, now, name) {
    const buckets = new Map();
    let sum = 0, count = 0;
    for (const [key, value] of now) {
        if (!key.startsWith(name))
            continue;
        const more = value - (before.get(key) ?? 0);
        const bound = /[{,]le="([^"]+)"/.exec(key);
        if (key.startsWith(`${name}_bucket`) && bound) {
            const upper = bound[1] === "+Inf" ? Infinity : Number(bound[1]);
            buckets.set(upper, (buckets.get(upper) ?? 0) + more);
        } else if (key.startsWith(`${name}_sum`)) {
            sum += more;
        } else if (key.startsWith(`${name}_count`)) {
            count += more;
        }
    }
    return { buckets: [...buckets].sort((a, b) => a[0] - b[0]), sum, count };
}

// As histogram_quantile: linear within a bucket. But a few that are in a wide bucket are not as slow as its end: none took
// longer than all together, and of (1 - q) · count that took as long or longer, none can be above its share of the sum.
function quantile({ buckets, count, sum }, q) {
    const most = Math.min(sum, sum / (count * (1 - q)));
    let lower = 0, below = 0;
    for (const [upper, upTo] of buckets) {
        if (upTo >= q * count && upTo > below)
            return Math.min(most, upper === Infinity ? lower : lower + (upper - lower) * (q * count - below) / (upTo - below));
        lower = upper;
        below = upTo;
    }
    return Math.min(most, lower);
}

function summary(before, now, name) {
    const all = grown(before, now, name);
    if (!(all.count > 0) || !all.buckets.length)
        return null;
    return { p50: quantile(all, 0.5), p95: quantile(all, 0.95) };
}

// The histogram of items or jobs whose name says what it measures; "" when there is none.
function histogram(metrics, meaning) {
    for (const key of metrics.keys()) {
        const found = /^(poold_(?:item|result|job)\w*_seconds)_bucket\{/.exec(key);
        if (found && meaning.test(found[1]))
            return found[1];
    }
    return "";
}

// Seconds that items took meanwhile: in their process, and from submission to result; null when none ended, or when
// the service does not count it.
export function latencyOf(before, now) {
    const run = histogram(now, /run/), total = histogram(now, /total|submit|result|latency/);
    return { counted: run !== "", run: run ? summary(before, now, run) : null, total: total ? summary(before, now, total) : null };
}
