'use strict';
/* poold_objects: what tasks share, with the names of Python's multiprocessing; a function sees it as poold.Queue and so
 * on. What the operations do is written in server/objects/README.md.
 *
 * All of it is synchronous: a call that waits holds up the whole process, which runs one item. Where something can wait
 * the last argument may be { wait: SECONDS }, 0: not at all; without it the wait has no end. Whatever poold refuses is a
 * SharedError whose `type` says why: empty, full, no-entry, not-holder, closed, overflow … */

const poold = require('./poold.js');
const { encode } = require('./poold_values.js');

const launcher = () => poold[Symbol.for('poold.launcher')];

class SharedError extends Error {
    constructor(type, message) {
        super(message);
        this.type = type;
    }
}

function running() {
    const source = launcher();
    const id = source ? source.id() : null;
    if (id === null) throw new Error('shared objects are there for tasks: no item of poold is being run here');
    return id;
}

/* How long it may wait, as a part of a request. */
function waiting({ wait = null } = {}) {
    if (wait === null || wait === Infinity) return ',"wait":null';
    if (typeof wait !== 'number' || !(wait >= 0)) throw new RangeError(`wait: ${wait} is no number of seconds`);
    return wait > 0 ? `,"wait":${wait}` : '';
}

/* `{"a":1}` as what stands between its braces. */
function inner(object) {
    return encode(object).slice(1, -1);
}

/* Numbers that are forgotten when an item ends, as poold then lets go of what it held. */
class PerItem {
    id = null;
    numbers = new Map();

    add(name, by) {
        const id = running();
        if (this.id !== id) this.numbers.clear();
        this.id = id;
        this.numbers.set(name, (this.numbers.get(name) ?? 0) + by);
    }

    /* One of them, if there is any. */
    take(name) {
        const number = this.id === running() ? this.numbers.get(name) ?? 0 : 0;
        if (number > 0) this.numbers.set(name, number - 1);
        return number > 0;
    }
}

const held = new PerItem(), taken = new PerItem(); // locks; elements whose taskDone is to come

/* An object of poold's: a name and a way to call. `configuration`: it is created so, unless it is there. */
class Shared {
    #head;
    #configuration;
    #made = null; // the item that has seen to it that it is there, so configured

    constructor(kind, name, configuration = null) {
        if (typeof name !== 'string') throw new TypeError(`the name of a shared object is a string, not a ${typeof name}`);
        this.name = name;
        this.#head = `{"object":${encode(`${kind}/${name}`)},"op":"`;
        this.#configuration = configuration;
        if (launcher() && launcher().id() !== null) this.#make();
    }

    /* In each item: somebody may have deleted it meanwhile, and it would come back by itself as something else. */
    #make() {
        const id = running(), before = this.#made;
        if (this.#configuration === null || before === id) return;
        this.#made = id;
        try {
            this._create(this.#configuration);
        } catch (error) {
            this.#made = before;
            throw error;
        }
    }

    _create(configuration) {
        this._ask('create', inner(configuration));
    }

    _ask(op, args = '', wait = '') {
        const id = running();
        if (this.#made !== id) this.#make();
        const answer = launcher().call(id, `${this.#head}${op}","args":{${args}}${wait}}`);
        if (answer.error) throw new SharedError(answer.error.type, answer.error.message);
        return answer.ok;
    }

    _tell(op) {
        launcher().tell(running(), `${this.#head}${op}","args":{},"quiet":true}`);
    }

    /* What `ask` gives; for a refusal of this type what `otherwise` gives. */
    _unless(type, ask, otherwise) {
        try {
            return ask();
        } catch (error) {
            if (!(error instanceof SharedError) || error.type !== type) throw error;
            return otherwise();
        }
    }

    /* Deletes it for everybody. */
    drop() {
        this._ask('delete');
    }
}

/* ---- queues ---- */

class Queue extends Shared {
    constructor(name, maxsize = null) {
        super('queues', name, maxsize === null ? null : { maxsize });
    }

    put(value, options) { this._ask('put', `"value":${encode(value)}`, waiting(options)); }
    putNowait(value) { this.put(value, { wait: 0 }); }
    putMany(values, options) { this._ask('put', `"values":${encode([...values])}`, waiting(options)); }

    get(options) { return this.getMany(1, options)[0]; }
    getNowait() { return this.get({ wait: 0 }); }
    getMany(n, options) {
        const { values } = this._ask('get', `"n":${n}`, waiting(options));
        taken.add(this.name, values.length);
        return values;
    }

    qsize() { return this._ask('size').size; }
    empty() { return this.qsize() === 0; }
    full() {
        const { size, maxsize } = this._ask('size');
        return maxsize > 0 && size >= maxsize;
    }

    taskDone() {
        if (taken.take(this.name)) this._tell('task_done');
        else this._ask('task_done');
    }

    join() { this._ask('join', '', waiting()); }
    clear() { this._ask('clear'); }
}

/* ---- locks ---- */

class Lock extends Shared {
    token = null;      // grows with every acquire of anybody
    recovered = false; // whoever held it before died with it

    constructor(name, configuration = null) {
        super('locks', name, configuration);
    }

    /* False if it is held, also after the wait. */
    acquire(options) {
        const answer = this._unless('busy', () => this._ask('acquire', '', waiting(options)), () => null);
        if (answer === null) return false;
        this.token = answer.token;
        this.recovered = answer.recovered === true;
        held.add(this.name, 1);
        return true;
    }

    release() {
        if (held.take(this.name)) this._tell('release');
        else this._ask('release');
    }

    /* What `work` gives, or its promise does; the lock is held until then. */
    with(work) {
        this.acquire();
        let result;
        try {
            result = work();
        } catch (error) {
            this.release();
            throw error;
        }
        if (result && typeof result.then === 'function') return Promise.resolve(result).finally(() => this.release());
        this.release();
        return result;
    }
}

class RLock extends Lock {
    constructor(name) {
        super(name, name.includes('/') ? null : { type: 'rlock' });
    }
}

class Semaphore extends Lock {
    constructor(name, value = null, type = 'semaphore') {
        super(name, { type, value: value ?? 1, any: value === null });
    }

    _create({ type, value, any }) {
        const create = () => super._create({ type, value });
        if (!any) return create();
        this._unless('exists', create, () => {
            if (this._ask('inspect').type !== type) throw new SharedError('exists', `lock ${this.name} is no ${type}`);
        });
    }
}

class BoundedSemaphore extends Semaphore {
    constructor(name, value = null) {
        super(name, value, 'bounded');
    }
}

/* ---- pipes ---- */

class Connection extends Shared {
    #end;

    constructor(name, end, { duplex = null } = {}) {
        if (end !== 'a' && end !== 'b') throw new TypeError(`a pipe has the ends "a" and "b", not ${end}`);
        super('pipes', name, { duplex: duplex ?? true, any: duplex === null });
        this.end = end;
        this.#end = `"end":"${end}"`;
    }

    /* Also a pipe that is there: once both of its ends are closed it is new. */
    _create({ duplex, any }) {
        const create = () => super._create({ duplex });
        if (any) this._unless('exists', create, () => super._create({ duplex: false }));
        else create();
    }

    send(value) { this._ask('send', `${this.#end},"value":${encode(value)}`, waiting()); }
    recv(options) { return this._ask('recv', this.#end, waiting(options)).value; }

    /* Whether recv has something (or the end of file to tell), at once or within so many seconds. */
    poll(wait = 0) {
        const ask = () => this._ask('poll', this.#end, waiting({ wait })).ready;
        return this._unless('closed', () => this._unless('empty', ask, () => false), () => true);
    }

    close() { this._ask('close', this.#end); }
}

/* Both ends; with { duplex: false } the first one receives, the second one sends. */
function Pipe(name, options) {
    return [new Connection(name, 'a', options), new Connection(name, 'b', options)];
}

/* ---- all of them as of a manager ---- */

class Manager {
    dict(name) { return new (require('./poold_containers.js').Dict)(name); }
    list(name) { return new (require('./poold_containers.js').List)(name); }
    Queue(name, maxsize) { return new Queue(name, maxsize); }
    Lock(name) { return new Lock(name); }
    RLock(name) { return new RLock(name); }
    Semaphore(name, value) { return new Semaphore(name, value); }
    BoundedSemaphore(name, value) { return new BoundedSemaphore(name, value); }
    Pipe(name, options) { return Pipe(name, options); }
    Value(typecode, name, initial) { return new poold.Value(typecode, name, initial); }
    Array(typecode, name, lengthOrValues) { return new poold.Array(typecode, name, lengthOrValues); }
}

module.exports = {
    Shared, SharedError, running, Queue, JoinableQueue: Queue, Lock, RLock, Semaphore, BoundedSemaphore, Connection, Pipe,
    Manager: function () { return new Manager(); }, // with `new` or without
};
