'use strict';
/* poold_module: finds and loads the user's module, CommonJS or ES, and calls its functions. */

const fs = require('fs');
const path = require('path');
const { pathToFileURL } = require('url');

const SUFFIXES = ['', '.js', '.cjs', '.mjs'];

function isFile(name) {
    const stat = fs.statSync(name, { throwIfNoEntry: false });
    return stat !== undefined && stat.isFile();
}

/* The file (or package) of a module: in the folders of NODE_PATH, but this one, then as `require` finds packages. */
function locate(name) {
    const folders = (process.env.NODE_PATH || '').split(':').filter((f) => f && path.resolve(f) !== __dirname);
    if (!folders.length) folders.push(process.cwd());
    for (const folder of folders) {
        const base = path.resolve(folder, name);
        const found = SUFFIXES.map((suffix) => base + suffix).find(isFile);
        if (found) return found;
        if (fs.existsSync(base)) return require.resolve(base); // a folder with package.json or index.js
    }
    try {
        return require.resolve(name, { paths: folders });
    } catch {
        throw new Error(`no module ${name} in ${folders.join(':')}`);
    }
}

/* The exports of a file: CommonJS as they are, ES modules as their namespace. */
async function exportsOf(file) {
    if (!file.endsWith('.mjs')) {
        try {
            return require(file);
        } catch (error) {
            if (error.code !== 'ERR_REQUIRE_ESM' && error.code !== 'ERR_REQUIRE_ASYNC_MODULE') throw error;
        }
    }
    return import(pathToFileURL(file).href);
}

function isFunction(value) {
    // A class can only be called with `new`, which nobody does here.
    return typeof value === 'function' && !/^class\b/.test(Function.prototype.toString.call(value));
}

const PUBLIC = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/; // what poold takes as a name, but no _name

/* MODULE, or MODULE:FUNCTION for one function alone. Two things are callable under the module's own name: an `exports` that is a function, and a default export. The
 * functions of a default export that is an object count as the module's. */
async function load(wanted) {
    const [, name, only] = /^(.*?)(?::(\w+))?$/s.exec(wanted);
    const file = locate(name);
    const exported = await exportsOf(file);
    const all = new Map();
    const add = (object) => {
        for (const key of Object.keys(object)) {
            if (isFunction(object[key]) && key !== 'default') all.set(key, { owner: object, target: object[key] });
        }
    };
    const own = path.basename(name).replace(/\.[cm]?js$/, '');
    for (const object of [exported.default, exported]) {
        if (isFunction(object)) all.set(own, { owner: undefined, target: object });
        if ((typeof object === 'object' && object !== null) || isFunction(object)) add(object);
    }
    if (only && !all.has(only)) throw new Error(`${name} exports no function ${only}`);
    const isPublic = (key) => (only ? key === only : PUBLIC.test(key));
    return {
        functions: new Map([...all].filter(([key]) => isPublic(key))),
        find: (key) => all.get(key) && all.get(key).target.bind(all.get(key).owner),
    };
}

/* What poold is told: a function's name, and its properties `summary` (text) and `example` (JSON) if it has them. */
function offer(functions) {
    return [...functions].map(([name, { target }]) => ({
        name,
        summary: typeof target.summary === 'string' ? target.summary : undefined,
        example: target.example,
    }));
}

const GENERATOR = /^(Async)?GeneratorFunction$/;

/* How an item is given to a function: its value, or its promise. What is wrong with the function is each item's error. */
function prepare(functions, name, star) {
    const { owner, target } = functions.get(name) || {};
    if (!target) return () => { throw new ReferenceError(`the module exports no function ${name}`); };
    if (GENERATOR.test(target.constructor.name)) {
        return () => { throw new TypeError(`${name} is a generator function; return an array instead`); };
    }
    if (!star) return (item) => target.call(owner, item);
    return (item) => {
        if (Array.isArray(item)) return target.apply(owner, item);
        if (typeof item === 'object' && item !== null) return target.call(owner, item);
        throw new TypeError('the items of a starmap are arrays or objects of arguments');
    };
}

module.exports = { load, offer, prepare };
