'use strict';
/* poold_worker: the Node launcher. Loads a module, offers its exported functions, and runs the items that poold sends
 * (../PROTOCOL.md).
 *
 *     node poold_worker.js MODULE [--initializer NAME] [--initargs JSON]
 *
 * One item at a time, in order. Whole batches of synchronous functions run in one go; the event loop turns between
 * batches, and while a promise is awaited. What a function prints becomes lines of its item; what is printed between
 * items, or past process.stdout, goes to the pipes of this process. */

const fs = require('fs');
const net = require('net');
const { load, offer, call } = require('./poold_module.js');
const { encode, describe } = require('./poold_values.js');
const poold = require('./poold.js');

const SOCKET = 3, REPLIES = 4;
const LOOK_MS = 2;           // PROTOCOL.md: how long a reply may lie on descriptor 4 without a sign
const LOG_CHARS = 4 << 20;   // of one item; poold keeps less, and marks where it was cut
const EAGER_PIECES = 8;      // of a slow item's log are shown at once

/* The batch being run, and the place of its current item. An item that awaits is `pending`: an object of its own, so
 * that what an abandoned promise does later is told from what the current one does. */
let batch = null, place = 0, pending = null;
let running = false;         // an item is between its start and its reply
let looked = 0, slow = true; // when poold was last told to look; whether items take longer than that
let pieces = 0, logged = 0;  // of the current item's log
const waiting = [];          // batches that came while one was run
let functions;

/* ---- writing ---- */

function fail(what, error) {
    fs.writeSync(2, `poold_worker: ${what}: ${error && error.stack ? error.stack : String(error)}\n`);
    process.exit(1);
}

const short = Buffer.allocUnsafe(1024);

/* One write for each line, as what was written is what survives a crash. Short ASCII is copied by hand: a third faster
 * than writeSync's own encoder. */
function reply(line) {
    const length = line.length;
    if (length > short.length) return writeAll(REPLIES, Buffer.from(line));
    for (let i = 0; i < length; i++) {
        const c = line.charCodeAt(i);
        if (c > 127) return writeAll(REPLIES, Buffer.from(line));
        short[i] = c;
    }
    fs.writeSync(REPLIES, short, 0, length);
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

const NEWLINE = Buffer.from('\n');

/* Tells poold to look at descriptor 4. A full socket holds such signs already. */
function look(now) {
    looked = now;
    try {
        fs.writeSync(SOCKET, NEWLINE);
    } catch (error) {
        if (error.code !== 'EAGAIN') throw error;
    }
}

/* A sign for what comes within an item: soon for slow functions, every LOOK_MS for quick ones. */
function lookWithin() {
    const now = performance.now();
    if ((slow && pieces++ < EAGER_PIECES) || now - looked > LOOK_MS) look(now);
}

/* ---- what a function says while it runs ---- */

function progress(value) {
    if (!running) return;
    reply(`{"id":${batch.id + place},"progress":${encode(value)}}\n`);
    lookWithin();
}

function log(stream, text) {
    if (logged >= LOG_CHARS) return;
    logged += text.length;
    reply(`{"id":${batch.id + place},"log":${JSON.stringify(text)},"stream":"${stream}"}\n`);
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

const current = { job: null, index: 0, attempt: 0, deadline: null };
poold[Symbol.for('poold.attach')]({ item: () => (running ? current : null), progress });
globalThis.poold = poold; // NODE_PATH is not for `import`

/* ---- items ---- */

/* The item has ended, with the JSON text of its value or error. */
function finish(kind, text) {
    reply(`{"id":${batch.id + place},"${kind}":${text}}\n`);
    running = false;
    pending = null;
    place++;
    const now = performance.now();
    slow = now - looked > LOOK_MS;
    if (slow && place < batch.items.length) look(now);
}

function succeed(value) {
    let text;
    try {
        text = encode(value);
    } catch (error) {
        return finish('error', describe(error));
    }
    finish('value', text);
}

/* Starts the current item; it has ended when this returns, unless it is pending. */
function begin() {
    running = true;
    pieces = logged = 0;
    current.index = batch.index + place;
    let value;
    try {
        value = call(functions, batch.function, batch.items[place], batch.star);
        if (typeof value === 'object' && value !== null && typeof value.then === 'function') {
            pending = { value };
        }
    } catch (error) {
        return finish('error', describe(error));
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
    Promise.resolve(mine.value).then(settle(succeed), settle((error) => finish('error', describe(error))));
}

/* Runs what there is until an item awaits. */
function run() {
    while (!running) {
        if (!batch) {
            if (!waiting.length) return;
            batch = waiting.shift();
            place = 0;
            slow = true;
            current.job = batch.job;
            current.attempt = batch.attempt;
            current.deadline = batch.deadline;
        }
        if (place < batch.items.length) {
            begin();
        } else {
            batch = null;
            look(performance.now());
        }
    }
}

/* An exception that no one caught: it belongs to the item that awaits, if any does. */
function stray(error) {
    if (!pending) fail('outside of an item', error);
    finish('error', describe(error));
    run();
}

/* ---- descriptor 3 ---- */

let partial = []; // of a line whose end has not come

function take(chunk) {
    let from = 0, end;
    while ((end = chunk.indexOf(10, from)) >= 0) {
        const last = chunk.subarray(from, end);
        const line = partial.length ? Buffer.concat([...partial, last]) : last;
        partial = [];
        from = end + 1;
        if (!line.length) continue;
        waiting.push(JSON.parse(line.toString()));
    }
    if (from < chunk.length) partial.push(chunk.subarray(from));
    run();
}

function serve() {
    const socket = new net.Socket({ fd: SOCKET, readable: true, writable: false });
    socket.on('data', (chunk) => {
        try {
            take(chunk);
        } catch (error) {
            fail('descriptor 3', error);
        }
    });
    socket.on('end', () => process.exit(0));
    socket.on('error', () => process.exit(0));
}

/* ---- start ---- */

function parse(argv) {
    const options = { module: argv[0], initializer: null, initargs: [] };
    for (let i = 1; i < argv.length; i += 2) {
        if (argv[i] === '--initializer' && i + 1 < argv.length) options.initializer = argv[i + 1];
        else if (argv[i] === '--initargs' && i + 1 < argv.length) options.initargs = JSON.parse(argv[i + 1]);
        else throw new Error(`unknown argument: ${argv[i]}`);
    }
    if (!options.module) throw new Error('usage: poold_worker.js MODULE [--initializer NAME] [--initargs JSON]');
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
    ready(`{"ready":true,"functions":${JSON.stringify(offered)},"batch":true}`);
    serve();
}).catch((error) => {
    ready(`{"ready":false,"error":${describe(error)}}`);
    process.exit(1);
});
