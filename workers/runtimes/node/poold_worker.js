'use strict';
/* poold_worker: the Node launcher. Loads a module, offers its exported functions, and runs the items that poold sends
 * (../PROTOCOL.md).
 *
 *     node poold_worker.js MODULE[:FUNCTION] [--initializer NAME] [--initargs JSON]
 *
 * One item at a time, in order. Whole batches of synchronous functions run in one go; the event loop turns between
 * batches, and while a promise is awaited. What a function prints becomes lines of its item; what is printed between
 * items, or past process.stdout, goes to the pipes of this process. */

const fs = require('fs');
const calls = require('./poold_calls.js');
const { load, offer, prepare } = require('./poold_module.js');
const { encode, quote, describe } = require('./poold_values.js');
const poold = require('./poold.js');

const SOCKET = 3, REPLIES = 4;
const LOOK_MS = 2;           // PROTOCOL.md: how long a reply may lie on descriptor 4 without a sign
const LOG_CHARS = 256 << 10; // of one item; poold keeps less, and marks where it was cut
const LOG_PIECE = 16 << 10;
const PROGRESS_CHARS = 16 << 10;
const EAGER_PIECES = 8;      // of a slow item's log are shown at once
const EXIT_NO_CHANNEL = 70;  // our descriptors are gone: somebody has closed them

/* The batch being run, and the place of its current item. An item that awaits is `pending`: an object of its own, so
 * that what an abandoned promise does later is told from what the current one does. */
let batch = null, place = 0, pending = null;
let invoke = null;           // the batch's function, for an item
let running = false;         // an item is between its start and its reply
let started = 0, now = 0;    // the batch; the latest end of an item
let looked = 0, slow = true; // when poold was last told to look; whether items take longer than that
let mustLook = false;        // the item has called
let pieces = 0, logged = 0;  // of the current item's log
const waiting = [];          // batches that came while one was run
let functions;

/* ---- writing ---- */

function fail(what, error) {
    const lost = error && error.code === 'EBADF' ? ' (descriptors 3 and 4 belong to poold, they must stay open)' : '';
    try {
        fs.writeSync(2, `poold_worker: ${what}${lost}: ${error && error.stack ? error.stack : String(error)}\n`);
    } finally {
        process.exit(lost ? EXIT_NO_CHANNEL : 1);
    }
}

function writeAll(fd, bytes) {
    for (let at = 0; at < bytes.length;) {
        try {
            at += fs.writeSync(fd, bytes, at);
        } catch (error) {
            if (error.code !== 'EAGAIN') throw error;
            Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1); // a millisecond
        }
    }
}

/* One write for each line, as what was written is what survives a crash. */
function reply(line) {
    writeAll(REPLIES, Buffer.from(line));
}

/* Integers, by hand: strings and their encoding cost as much as the write itself. */
const INTEGER_LINE = Buffer.from('{"id":'.padEnd(80));
const VALUE = Buffer.from(',"value":');

function digits(number, at) {
    const line = INTEGER_LINE;
    if (number < 0) {
        line[at++] = 45;
        number = -number;
    }
    let end = at, rest = number;
    do {
        end++;
        rest = Math.floor(rest / 10);
    } while (rest > 0);
    at = end;
    do {
        rest = Math.floor(number / 10);
        line[--at] = 48 + number - rest * 10;
        number = rest;
    } while (number > 0);
    return end;
}

function replyInteger(id, value) {
    let at = digits(id, 6);
    for (let i = 0; i < 9; i++) INTEGER_LINE[at++] = VALUE[i];
    at = digits(value, at);
    INTEGER_LINE[at++] = 125;
    INTEGER_LINE[at++] = 10;
    fs.writeSync(REPLIES, INTEGER_LINE, 0, at);
}

const NEWLINE = Buffer.from('\n');

/* Tells poold to look at descriptor 4. A full socket holds such signs already. */
function look() {
    looked = now;
    try {
        fs.writeSync(SOCKET, NEWLINE);
    } catch (error) {
        if (error.code === 'EPIPE') process.exit(0); // poold is gone
        if (error.code !== 'EAGAIN') throw error;
    }
}

/* A sign for what comes within an item: soon for slow functions, every LOOK_MS for quick ones. */
function lookWithin() {
    now = performance.now();
    if ((slow && pieces++ < EAGER_PIECES) || now - looked > LOOK_MS) look();
}

/* ---- what a function says while it runs ---- */

function progress(value) {
    const text = encode(value);
    if (text.length > PROGRESS_CHARS) {
        throw new RangeError(`progress of ${text.length} characters; at most ${PROGRESS_CHARS} can be shown`);
    }
    if (!running) return;
    reply(`{"id":${batch.id + place},"progress":${text}}\n`);
    lookWithin();
}

function log(stream, text) {
    for (let at = 0; at < text.length && logged < LOG_CHARS; at += LOG_PIECE) {
        const piece = text.slice(at, at + LOG_PIECE);
        logged += piece.length;
        reply(`{"id":${batch.id + place},"log":${quote(piece)},"stream":"${stream}"}\n`);
    }
    lookWithin();
}

function capture(stream, name) {
    const plain = stream.write;
    stream.write = function write(chunk, encoding, done) {
        if (!running) return plain.apply(stream, arguments);
        if (typeof encoding === 'function') done = encoding;
        log(name, typeof chunk === 'string' ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString());
        if (typeof done === 'function') process.nextTick(done, null);
        return true;
    };
}

const current = {
    get job() { return batch.job; },
    get index() { return batch.index + place; },
    get attempt() { return batch.attempt; },
    get traceparent() { return batch.traceparent ?? null; },
    // What poold says holds for the batch's first item; each has as much time.
    get deadline() { return batch.deadline === null ? null : batch.deadline + (now - started) / 1000; },
};
/* Of a shared object; others wait for what this item does with it, so its end is to be seen at once. */
function called(ask) {
    return (id, request) => {
        mustLook = true;
        try {
            return ask(id, request);
        } catch (error) {
            if (error.code === 'EBADF') fail('descriptor 3', error);
            throw error;
        }
    };
}

poold[Symbol.for('poold.attach')]({
    item: () => (running ? current : null),
    id: () => (running ? batch.id + place : null),
    call: called(calls.call),
    tell: called(calls.tell),
    progress,
});
globalThis.poold = poold; // NODE_PATH is not for `import`

/* ---- items ---- */

/* The item's last line is written. */
function ended() {
    running = false;
    pending = null;
    place++;
    now = performance.now();
    slow = now - looked > LOOK_MS;
    if ((slow || mustLook) && place < batch.items.length) look();
    mustLook = false;
}

function finish(kind, text) {
    reply(`{"id":${batch.id + place},"${kind}":${text}}\n`);
    ended();
}

function fault(error) {
    finish('error', describe(error));
}

function succeed(value) {
    if (Number.isSafeInteger(value)) {
        replyInteger(batch.id + place, value);
        return ended();
    }
    let text;
    try {
        text = encode(value);
    } catch (error) {
        return fault(error);
    }
    finish('value', text);
}

/* Starts the current item; it has ended when this returns, unless it is pending. */
function begin() {
    running = true;
    pieces = logged = 0;
    let value;
    try {
        value = invoke(batch.items[place]);
        if (typeof value === 'object' && value !== null && typeof value.then === 'function') pending = { value };
    } catch (error) {
        return fault(error);
    }
    if (pending) watch(pending);
    else succeed(value);
}

function watch(mine) {
    const settle = (end) => (result) => {
        if (pending !== mine) return; // it was given up: see stray()
        end(result);
        run();
    };
    Promise.resolve(mine.value).then(settle(succeed), settle(fault)).catch((error) => fail('descriptor 4', error));
}

/* Runs what there is until an item awaits. */
function run() {
    while (!running) {
        if (!batch && !take()) return;
        if (place < batch.items.length) {
            begin();
        } else {
            batch = null;
            look();
        }
    }
}

/* The next batch, if there is any. */
function take() {
    if (!waiting.length) return false;
    batch = waiting.shift();
    invoke = prepare(functions, batch.function, batch.star);
    place = 0;
    slow = true;
    looked = started = now = performance.now();
    return true;
}

/* An exception that no one caught: it belongs to the item that awaits, if any does. */
function stray(error) {
    if (!pending) fail('outside of an item', error);
    try {
        fault(error);
        run();
    } catch (lost) {
        fail('descriptor 4', lost);
    }
}

/* ---- start ---- */

function parse(argv) {
    const options = { module: argv[0], initializer: null, initargs: [] };
    for (let i = 1; i < argv.length; i += 2) {
        if (argv[i] === '--initializer' && i + 1 < argv.length) options.initializer = argv[i + 1];
        else if (argv[i] === '--initargs' && i + 1 < argv.length) options.initargs = JSON.parse(argv[i + 1]);
        else throw new Error(`unknown argument: ${argv[i]}`);
    }
    if (!options.module) throw new Error('usage: poold_worker.js MODULE[:FUNCTION] [--initializer NAME] [--initargs JSON]');
    if (!Array.isArray(options.initargs)) throw new Error('--initargs is not an array');
    return options;
}

async function start() {
    const options = parse(process.argv.slice(2));
    const loaded = await load(options.module);
    if (options.initializer !== null) {
        const initializer = loaded.find(options.initializer);
        if (!initializer) throw new Error(`${options.module} exports no function ${options.initializer} (the initializer)`);
        await initializer(...options.initargs);
    }
    functions = loaded.functions;
    functions.delete(options.initializer);
    return offer(functions);
}

function ready(message) {
    writeAll(SOCKET, Buffer.from(message + '\n'));
}

start().then((offered) => {
    process.on('uncaughtException', stray);
    process.on('unhandledRejection', stray);
    capture(process.stdout, 'stdout');
    capture(process.stderr, 'stderr');
    ready(`{"ready":true,"functions":${quote(offered)},"batch":true}`);
    calls.serve((line) => waiting.push(JSON.parse(line)), run, (error) => fail('descriptors 3 and 4', error));
}).catch((error) => {
    ready(`{"ready":false,"error":${describe(error)}}`);
    process.exit(1);
});
