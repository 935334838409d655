'use strict';
/* poold_values: what functions return and throw, as JSON text. Nothing is lost silently: what JSON cannot hold is an error,
 * as it is in Python. */

function unfit(what) {
    return new TypeError(`the value is not JSON: ${what}`);
}

const DEPTH = 62; // poold takes 64 levels, with what is around a value

/* JSON.stringify makes null of NaN, {} of a Map, and leaves functions out. Called once stringify has found no circle. */
function check(value, depth) {
    switch (typeof value) {
    case 'number':
        if (!Number.isFinite(value)) throw unfit(`${value} in it`);
        return;
    case 'function':
    case 'symbol':
        throw unfit(`a ${typeof value} in it`);
    case 'object':
        if (value === null || typeof value.toJSON === 'function') return;
        if (depth > DEPTH) throw unfit(`nested more than ${DEPTH} levels deep`);
        if (value instanceof Map || value instanceof Set) {
            throw unfit(`a ${value.constructor.name} in it; return Object.fromEntries(map) or [...set]`);
        }
        if (Array.isArray(value)) for (const element of value) check(element, depth + 1);
        else if (!ArrayBuffer.isView(value)) for (const name of Object.keys(value)) check(value[name], depth + 1);
    }
}

// Half a character: JSON.stringify escapes it, UTF-8 cannot hold it, and poold does not take it.
const LONE = /(?<!\\)((?:\\\\)*)\\ud[89a-f][0-9a-f]{2}/g;

function whole(text) {
    if (text.includes('\\ud') && text.search(LONE) >= 0) throw unfit('a lone surrogate in it');
    return text;
}

/* Texts as JSON, for logs and messages: with U+FFFD for what has no UTF-8. */
function quote(texts) {
    return JSON.stringify(texts).replace(LONE, '$1\ufffd');
}

/* A value as JSON text; throws when it has none. `undefined` is null, as a Python function without a return is None. */
function encode(value) {
    switch (typeof value) {
    case 'number':
        if (!Number.isFinite(value)) throw unfit(String(value));
        return '' + value;
    case 'string':
        return whole(JSON.stringify(value));
    case 'undefined':
        return 'null';
    case 'boolean':
        return value ? 'true' : 'false';
    case 'bigint':
        throw unfit('a BigInt; return Number(n) or String(n)');
    case 'function':
    case 'symbol':
        throw unfit(`a ${typeof value}`);
    }
    if (value === null) return 'null';
    const kind = Object.prototype.toString.call(value);
    if (kind === '[object Generator]' || kind === '[object AsyncGenerator]') {
        throw unfit('a generator; return an array');
    }
    const text = JSON.stringify(value);
    if (text === undefined) throw unfit('its toJSON gives nothing');
    check(value, 1);
    return whole(text);
}

const MESSAGE_CHARS = 8 << 10, TRACEBACK_CHARS = 12 << 10;

/* Its beginning, and its end if that may be as telling. */
function shorten(text, most, tail) {
    if (text.length <= most) return text;
    return text.slice(0, most - tail) + (tail ? '\n…\n' + text.slice(-tail) : '…');
}

const OURS = [__dirname + '/', '(node:', 'at node:'];

/* The stack without the frames of Node and of this launcher, and with the causes. */
function trace(error) {
    let text = '';
    for (let depth = 0; error instanceof Error && depth < 8; error = error.cause, depth++) {
        const lines = String(error.stack).split('\n');
        text += (depth ? '\ncaused by: ' : '') + lines.filter((line) => !OURS.some((o) => line.includes(o))).join('\n');
    }
    return text;
}

function className(error) {
    const own = Object.prototype.hasOwnProperty.call(error, 'name') && typeof error.name === 'string';
    return own ? error.name : (error.constructor && error.constructor.name) || 'Error';
}

/* What was thrown, as the text of an error object. Anything may be thrown, so nothing of it is trusted. */
function describe(error) {
    try {
        if (!(error instanceof Error) && !(error && typeof error.message === 'string')) {
            const text = typeof error === 'object' && error !== null ? JSON.stringify(error) : String(error);
            const message = shorten(`thrown: ${text}`, MESSAGE_CHARS, 0);
            return quote({ message, class: error === null ? 'null' : typeof error });
        }
        const name = className(error);
        const object = {
            message: shorten(String(error.message) || name, MESSAGE_CHARS, 0),
            class: name,
            traceback: shorten(trace(error), TRACEBACK_CHARS, TRACEBACK_CHARS / 4),
        };
        if (name === 'RangeError' && error.message === 'Array buffer allocation failed') object.type = 'memory';
        return quote(object);
    } catch {
        return '{"message":"thrown: something that cannot be described","class":"Error"}';
    }
}

module.exports = { encode, quote, describe };
