'use strict';
/* poold_containers: what poold.Manager() gives: dict and list, in poold instead of this process. Each method is one call,
 * and atomic. A dict is used like a Map, a list by methods: get(-1), set(0, x), slice(1, 3). */

const { Shared } = require('./poold_objects.js');
const { encode } = require('./poold_values.js');

const PAGE = '"limit":100000';

function keyOf(key) {
    if (typeof key !== 'string') throw new TypeError(`the keys of a shared dict are strings, not ${typeof key}`);
    return `"key":${encode(key)}`;
}

function number(by) {
    if (typeof by !== 'number' && typeof by !== 'bigint') throw new TypeError(`${typeof by} is no number`);
    return typeof by === 'bigint' ? String(by) : encode(by);
}

class Dict extends Shared {
    constructor(name) {
        super('dicts', name);
    }

    /* `otherwise` if there is no such key. */
    get(key, otherwise) {
        return this._unless('no-entry', () => this._ask('get', keyOf(key)).value, () => otherwise);
    }

    set(key, value) {
        this._ask('set', `${keyOf(key)},"value":${encode(value)}`);
        return this;
    }

    has(key) { return this._ask('contains', keyOf(key)).contains; }

    /* Whether it was there. */
    delete(key) {
        return this._unless('no-entry', () => { this._ask('delete', keyOf(key)); return true; }, () => false);
    }

    /* Takes it out; `otherwise`, or without it an error of the type no-entry, if there is none. */
    pop(key, ...otherwise) {
        const pop = () => this._ask('pop', keyOf(key)).value;
        return otherwise.length ? this._unless('no-entry', pop, () => otherwise[0]) : pop();
    }

    /* [key, value] that came last. */
    popitem() {
        const { key, value } = this._ask('popitem');
        return [key, value];
    }

    setdefault(key, value = null) { return this._ask('setdefault', `${keyOf(key)},"value":${encode(value)}`).value; }

    /* From an object, a Map, or [key, value] pairs. */
    update(entries) {
        const pairs = entries[Symbol.iterator] ? [...entries] : Object.entries(entries);
        if (pairs.length) {
            this._ask('update', `"entries":{${pairs.map(([key, value]) => `${keyOf(key).slice(6)}:${encode(value)}`)}}`);
        }
    }

    /* The sum; a key that is missing counts as 0. */
    add(key, by = 1) { return this._ask('add', `${keyOf(key)},"by":${number(by)}`).value; }

    get size() { return this._ask('len').length; }
    keys() { return this.#all('keys'); }
    values() { return this.#all('values'); }
    items() { return this.#all('items'); }
    entries() { return this.items(); }
    clear() { this._ask('clear'); }

    /* A plain object. */
    copy() { return Object.fromEntries(this.items()); }

    [Symbol.iterator]() { return this.items()[Symbol.iterator](); }

    /* At once, unless that is too much for one answer: then page by page. */
    #all(part) {
        return this._unless('limit', () => this._ask(part)[part], () => {
            const all = [];
            for (let answer = this._ask(part, PAGE); ; answer = this._ask(part, `${PAGE},"after":${encode(answer.next)}`)) {
                for (const one of answer[part]) all.push(one);
                if (typeof answer.next !== 'string') return all;
            }
        });
    }
}

function indexOf(index) {
    if (!Number.isInteger(index)) throw new TypeError(`${index} is no index`);
    return `"index":${index}`;
}

/* The arguments of a slice. */
function bounds(start, stop) {
    const parts = [];
    if (start !== undefined && start !== null) parts.push(`"start":${start}`);
    if (stop !== undefined && stop !== null) parts.push(`"stop":${stop}`);
    return parts.join(',');
}

class List extends Shared {
    constructor(name) {
        super('lists', name);
    }

    /* Negative indexes are from the end, everywhere. */
    get(index) { return this._ask('get', indexOf(index)).value; }
    set(index, value) { this._ask('set', `${indexOf(index)},"value":${encode(value)}`); }
    delete(index) { this._ask('delete_at', indexOf(index)); }
    slice(start, stop) { return this._ask('slice', bounds(start, stop)).values; }

    setSlice(start, stop, values) {
        const at = bounds(start, stop);
        this._ask('set_slice', `${at}${at && ','}"values":${encode([...values])}`);
    }

    append(value) { this._ask('append', `"value":${encode(value)}`); }
    push(...values) { this.extend(values); }
    extend(values) { this._ask('extend', `"values":${encode([...values])}`); }
    insert(index, value) { this._ask('insert', `${indexOf(index)},"value":${encode(value)}`); }
    pop(index = -1) { return this._ask('pop', indexOf(index)).value; }
    remove(value) { this._ask('remove', `"value":${encode(value)}`); }
    index(value) { return this._ask('index', `"value":${encode(value)}`).index; }
    indexOf(value) { return this._unless('no-entry', () => this.index(value), () => -1); }
    includes(value) { return this._ask('contains', `"value":${encode(value)}`).contains; }
    count(value) { return this._ask('count', `"value":${encode(value)}`).count; }
    sort({ reverse = false } = {}) { this._ask('sort', `"reverse":${reverse === true}`); }
    reverse() { this._ask('reverse'); }
    add(index, by = 1) { return this._ask('add', `${indexOf(index)},"by":${number(by)}`).value; }
    get length() { return this._ask('len').length; }
    clear() { this._ask('clear'); }

    /* A plain array. */
    copy() { return this.slice(); }

    [Symbol.iterator]() { return this.slice()[Symbol.iterator](); }
}

module.exports = { Dict, List };
