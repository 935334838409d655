'use strict';
/* poold_calls: descriptor 3, which brings items to run and answers to what they have called (../PROTOCOL.md, Calls).
 *
 * Items come through the event loop, answers do not: who calls waits for them, and the loop stands still meanwhile. The
 * socket is the loop's and does not block, but for the time of a call: so a call costs no polling. Nothing is lost
 * between the two, as both put what they have read through `take`. */

const fs = require('fs');
const net = require('net');

const SOCKET = 3;
const LINE_BYTES_MAX = 9 << 20;
const READ_BYTES = 64 << 10;
const ANSWER = Buffer.from('{"call":');

const space = Buffer.allocUnsafe(READ_BYTES);
let socket = null;
let partial = []; // of a line whose end has not come
let item = null;  // what is done with a line that asks for items
let wanted = 0, answer = null;
let last = 0;     // the number of the latest call

function isAnswer(line) {
    return line.length > ANSWER.length && line.compare(ANSWER, 0, ANSWER.length, 0, ANSWER.length) === 0;
}

function takeLine(line) {
    if (!line.length) return;
    if (!isAnswer(line)) return item(line.toString());
    const message = JSON.parse(line.toString());
    if (message.call === wanted) answer = message.answer; // any other is for an item that has been given up
}

function take(chunk) {
    let from = 0, end;
    while ((end = chunk.indexOf(10, from)) >= 0) {
        const rest = chunk.subarray(from, end);
        const line = partial.length ? Buffer.concat([...partial, rest]) : rest;
        partial = [];
        from = end + 1;
        takeLine(line);
    }
    if (from < chunk.length) partial.push(Buffer.from(chunk.subarray(from)));
}

/* From now on: each line that asks for items to `line`, then `run` once for all that came together. */
function serve(line, run, fail) {
    item = line;
    socket = new net.Socket({ fd: SOCKET, readable: true, writable: false });
    socket.on('data', (chunk) => {
        try {
            take(chunk);
            run();
        } catch (error) {
            fail(error);
        }
    });
    socket.on('end', () => process.exit(0));
    socket.on('error', () => process.exit(0));
}

/* Where the handle cannot be made to block (no known Node), EAGAIN is waited out. */
function patiently(act) {
    for (;;) {
        try {
            return act();
        } catch (error) {
            if (error.code === 'EPIPE' || error.code === 'ECONNRESET') process.exit(0); // poold is gone
            if (error.code !== 'EAGAIN' && error.code !== 'EINTR') throw error;
            if (error.code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
        }
    }
}

function setBlocking(on) {
    const handle = socket._handle;
    if (handle && typeof handle.setBlocking === 'function') handle.setBlocking(on);
}

function send(line) {
    for (let at = 0; at < line.length;) at += patiently(() => fs.writeSync(SOCKET, line, at));
}

function receive() {
    answer = null;
    while (answer === null) {
        const length = patiently(() => fs.readSync(SOCKET, space, 0, READ_BYTES, null));
        if (length === 0) process.exit(0);
        take(space.subarray(0, length));
    }
    return answer;
}

function lineOf(id, number, request) {
    const line = Buffer.from(`{"id":${id},"call":${number},"request":${request}}\n`);
    if (line.length > LINE_BYTES_MAX) {
        throw Object.assign(new RangeError(`a call of ${line.length} bytes; at most ${LINE_BYTES_MAX} are possible`),
                            { type: 'limit' });
    }
    return line;
}

/* The answer: {ok} or {error}. */
function call(id, request) {
    const line = lineOf(id, ++last, request);
    wanted = last;
    setBlocking(true);
    try {
        send(line);
        return receive();
    } finally {
        setBlocking(false);
        wanted = 0;
    }
}

/* A call that is not answered: an error goes to the item's log. */
function tell(id, request) {
    const line = lineOf(id, 0, request);
    setBlocking(true);
    try {
        send(line);
    } finally {
        setBlocking(false);
    }
}

module.exports = { serve, call, tell };
