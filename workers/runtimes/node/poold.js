'use strict';
/* poold: what a function may ask about the item that it works on, and say while it does.
 *
 *     const poold = require('poold');      // in an ES module: the global `poold`
 *     poold.progress(0.5);                 // any JSON; shown as the item's progress
 *     poold.job; poold.index; poold.attempt; poold.deadline; poold.traceparent
 *
 *     new poold.Queue('results').put(7);   // shared with other tasks: see poold_objects.js and workers/README.md
 *
 * `deadline` is in seconds since 1970, null without a time-out; `traceparent` is the trace that the job belongs to (W3C
 * Trace Context), null if it came without one. Without a launcher (in a function's own tests), and
 * between items, all are null and progress goes nowhere. */

let source = null; // the launcher: { item: () => {job, index, attempt, deadline, traceparent} or null, progress: (value) => {} }

function of(name) {
    const item = source && source.item();
    return item ? item[name] : null;
}

module.exports = {
    get job() { return of('job'); },
    get index() { return of('index'); },
    get attempt() { return of('attempt'); },
    get deadline() { return of('deadline'); },
    get traceparent() { return of('traceparent'); },
    progress(value) {
        if (source) source.progress(value);
    },
};

const LATER = { // needed by some functions only
    './poold_objects.js': ['Queue', 'JoinableQueue', 'Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'Pipe',
                           'Connection', 'Manager', 'SharedError'],
    './poold_memory.js': ['Value', 'Array'],
};

for (const [file, names] of Object.entries(LATER)) {
    for (const name of names) {
        Object.defineProperty(module.exports, name, { enumerable: true, get: () => require(file)[name] });
    }
}

// For the launcher and poold_objects alone; not enumerable, so nobody takes them for a part of the interface.
Object.defineProperty(module.exports, Symbol.for('poold.attach'), { value: (launcher) => { source = launcher; } });
Object.defineProperty(module.exports, Symbol.for('poold.launcher'), { get: () => source });
