// raw: values as they were written. JSON.parse would make 0.1e1 a 1 and round 12345678901234567890; poold keeps values
// byte for byte, so what is shown here is a piece of the answer's text.

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /[^,\]}\s]+/y;

function skipSpace(text, at) {
    SPACE.lastIndex = at;
    SPACE.test(text);
    return SPACE.lastIndex;
}

function skipString(text, at) {
    for (at++; ;) {
        const quote = text.indexOf('"', at);
        if (quote < 0)
            throw new SyntaxError("a string has no end");
        let escapes = 0;
        while (text[quote - 1 - escapes] === "\\")
            escapes++;
        at = quote + 1;
        if (escapes % 2 === 0)
            return at;
    }
}

// Behind the value that begins at `at`. The text is known to be JSON.
function skip(text, at) {
    const first = text[at];
    if (first === '"')
        return skipString(text, at);
    if (first !== "{" && first !== "[") {
        SCALAR.lastIndex = at;
        SCALAR.test(text);
        return SCALAR.lastIndex;
    }
    for (let depth = 0; ;) {
        const c = text[at];
        if (c === undefined)
            throw new SyntaxError("a value has no end");
        if (c === '"') {
            at = skipString(text, at);
            continue;
        }
        if (c === "{" || c === "[")
            depth++;
        else if ((c === "}" || c === "]") && --depth === 0)
            return at + 1;
        at++;
    }
}

// Of an array's text: the texts of its elements.
export function elements(text) {
    const found = [];
    let at = skipSpace(text, skipSpace(text, 0) + 1);
    while (text[at] !== "]") {
        const end = skip(text, at);
        found.push(text.slice(at, end));
        at = skipSpace(text, end);
        if (text[at] === ",")
            at = skipSpace(text, at + 1);
    }
    return found;
}

// Of an object's text: a Map from names to the texts of their values.
export function members(text) {
    const found = new Map();
    let at = skipSpace(text, skipSpace(text, 0) + 1);
    while (text[at] !== "}") {
        const nameEnd = skipString(text, at);
        const name = JSON.parse(text.slice(at, nameEnd));
        at = skipSpace(text, nameEnd);
        at = skipSpace(text, at + 1);
        const end = skip(text, at);
        found.set(name, text.slice(at, end));
        at = skipSpace(text, end);
        if (text[at] === ",")
            at = skipSpace(text, at + 1);
    }
    return found;
}

// A member as a value, for those that are ours (counts, names): null if it is missing.
export function plain(map, name) {
    return map.has(name) ? JSON.parse(map.get(name)) : null;
}
