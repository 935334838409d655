'use strict';
/* poold_memory: Value and Array. Node cannot map their files into its memory: what is read is a copy, taken from the
 * file at once and without asking poold; what is written goes through poold, slices straight into the file. What must
 * not be torn apart goes through add and compareSet, or under getLock(). */

const fs = require('fs');
const { Shared, SharedError, RLock, running } = require('./poold_objects.js');

const TYPES = {
    b: Int8Array, B: Uint8Array, h: Int16Array, H: Uint16Array, i: Int32Array, I: Uint32Array, l: BigInt64Array,
    L: BigUint64Array, q: BigInt64Array, Q: BigUint64Array, f: Float32Array, d: Float64Array,
};

function typeOf(typecode) {
    if (!Object.hasOwn(TYPES, typecode)) {
        throw new TypeError(`${typecode} is no typecode; those are ${Object.keys(TYPES).join(' ')}`);
    }
    return TYPES[typecode];
}

/* A number as JSON; what JSON has no word for is a string, as everywhere in poold. */
function numberOf(value) {
    if (typeof value === 'bigint') return String(value);
    if (typeof value !== 'number') throw new TypeError(`${typeof value} is no number`);
    return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`;
}

/* … and back. */
function numberFrom(value) {
    return typeof value === 'string' ? Number(value) : value;
}

/* 64 bits as a number where that is the same. */
function plain(value) {
    if (typeof value !== 'bigint') return value;
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

class Memory extends Shared {
    #fd = null;
    #length;
    #path;
    #seen; // the item that has looked whether that is still its file

    constructor(kind, typecode, name, configuration) {
        const type = typeOf(typecode);
        super(kind, name, configuration && { typecode, ...configuration });
        this.typecode = typecode;
        this.type = type;
        this.lock = new RLock(`${kind}/${name}`);
    }

    _create(configuration) {
        const parts = [`"typecode":"${configuration.typecode}"`];
        if ('value' in configuration) parts.push(`"value":${numberOf(configuration.value)}`);
        if ('length' in configuration) parts.push(`"length":${configuration.length}`);
        if ('values' in configuration) parts.push(`"values":[${Array.from(configuration.values, numberOf)}]`);
        this._ask('create', parts.join(','));
    }

    getLock() {
        return this.lock;
    }

    /* In each item: the same name may be another array by now. */
    #open() {
        const id = running();
        if (this.#fd !== null && this.#seen === id) return this.#fd;
        const { path, typecode, length } = this._ask('open');
        if (typecode !== this.typecode) throw new TypeError(`${this.name} has the typecode ${typecode}, not ${this.typecode}`);
        if (this.#fd === null || path !== this.#path) {
            const fd = fs.openSync(path, 'r+');
            this.#close();
            this.#fd = fd;
            files.register(this, fd, this);
        }
        this.#path = path;
        this.#length = length;
        this.#seen = id;
        return this.#fd;
    }

    #close() {
        if (this.#fd === null) return;
        files.unregister(this);
        fs.closeSync(this.#fd);
        this.#fd = null;
    }

    _length() {
        this.#open();
        return this.#length;
    }

    _read(start, count) {
        const fd = this.#open(), values = new this.type(count);
        const bytes = new Uint8Array(values.buffer), from = start * this.type.BYTES_PER_ELEMENT;
        for (let at = 0, got; at < bytes.length; at += got) {
            got = fs.readSync(fd, bytes, at, bytes.length - at, from + at);
            if (got === 0) throw new SharedError('missing', `${this.name}: its file is too short`);
        }
        return values;
    }

    _write(start, values) {
        const fd = this.#open(), bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        const to = start * this.type.BYTES_PER_ELEMENT;
        for (let at = 0; at < bytes.length;) at += fs.writeSync(fd, bytes, at, bytes.length - at, to + at);
    }

    /* As elements; whatever would wrap is an error. */
    _checked(values) {
        if (values instanceof this.type) return values;
        const wide = this.type === BigInt64Array || this.type === BigUint64Array;
        const from = Array.from(values), to = this.type.from(from, wide ? (value) => BigInt(value) : undefined);
        from.forEach((value, i) => {
            const kept = wide ? to[i] === BigInt(value)
                : this.type === Float32Array ? Number.isFinite(to[i]) === Number.isFinite(value)
                    : Object.is(to[i], value) || to[i] === value;
            if (typeof value !== 'number' && typeof value !== 'bigint') throw new TypeError(`${typeof value} is no number`);
            if (!kept) throw new SharedError('overflow', `${value} is out of the range of typecode ${this.typecode}`);
        });
        return to;
    }

    _compareSet(args) {
        return this._unless('changed', () => { this._ask('compare_set', args); return true; }, () => false);
    }
}

const files = new FinalizationRegistry((fd) => fs.closeSync(fd));

class Value extends Memory {
    constructor(typecode, name, initial = 0) {
        super('values', typecode, name, { value: initial });
    }

    get value() { return plain(this._read(0, 1)[0]); }
    set value(value) { this._ask('set', `"value":${numberOf(value)}`); }

    /* The sum, which is now the value. */
    add(by = 1) { return numberFrom(this._ask('add', `"by":${numberOf(by)}`).value); }
    compareSet(expected, value) { return this._compareSet(`"expected":${numberOf(expected)},"value":${numberOf(value)}`); }
}

/* Made by a length (of zeros) or values; without either the one that is there. */
class SharedArray extends Memory {
    constructor(typecode, name, lengthOrValues = null) {
        super('arrays', typecode, name, lengthOrValues === null ? null
            : typeof lengthOrValues === 'number' ? { length: lengthOrValues } : { values: lengthOrValues });
    }

    get length() { return this._length(); }

    #at(index) {
        const at = index < 0 ? index + this.length : index;
        if (!Number.isInteger(at) || at < 0 || at >= this.length) throw new SharedError('no-entry', `no element ${index}`);
        return at;
    }

    get(index) { return plain(this._read(this.#at(index), 1)[0]); }
    set(index, value) { this._ask('set', `"index":${this.#at(index)},"value":${numberOf(value)}`); }

    /* A typed array: a copy, as everything that is read here. */
    slice(start = 0, stop = this.length) {
        const bound = (n) => Math.min(Math.max(n < 0 ? n + this.length : n, 0), this.length);
        return this._read(bound(start), Math.max(0, bound(stop) - bound(start)));
    }

    setSlice(start, values) {
        const elements = this._checked(values);
        if (start < 0 || start + elements.length > this.length) {
            throw new SharedError('no-entry', `${elements.length} elements from ${start} on do not fit`);
        }
        this._write(start, elements);
    }

    add(index, by = 1) { return numberFrom(this._ask('add', `"index":${this.#at(index)},"by":${numberOf(by)}`).value); }

    compareSet(index, expected, value) {
        return this._compareSet(`"index":${this.#at(index)},"expected":${numberOf(expected)},"value":${numberOf(value)}`);
    }

    *[Symbol.iterator]() { yield* Array.from(this.slice(), plain); }
}

module.exports = { Value, Array: SharedArray };
