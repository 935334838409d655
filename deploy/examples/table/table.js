'use strict';
/* table: CSV as JSON, and what is in its columns. Plain JavaScript that knows nothing of poold. */

/* RFC 4180: fields in quotes may hold commas, line breaks and doubled quotes. */
function parse(text) {
    const rows = [];
    let row = [];
    const field = /[ \t]*"((?:[^"]|"")*)"[ \t]*(,|\r?\n|$)|(?![ \t]*")([^,\r\n]*)(,|\r?\n|$)/gy;
    text = text.replace(/^\ufeff/, '');
    while (field.lastIndex < text.length) {
        const at = field.lastIndex;
        const [all, quoted, end, plain, plainEnd] = field.exec(text) ?? [];
        if (all === undefined) throw new SyntaxError(`line ${text.slice(0, at).split('\n').length}: a quote is not closed`);
        row.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
        if ((end ?? plainEnd) === ',') {
            if (field.lastIndex < text.length) continue;
            row.push('');
        }
        if (row.length > 1 || row[0] !== '') rows.push(row);
        row = [];
    }
    return rows;
}

/* One object for each line, by the names in the first; numbers are numbers, empty fields null. */
function records(text) {
    const [names, ...rows] = parse(text);
    if (!names) throw new RangeError('an empty table');
    return rows.map((row, i) => {
        if (row.length !== names.length) {
            throw new RangeError(`record ${i + 1} has ${row.length} fields, the head has ${names.length}`);
        }
        return Object.fromEntries(names.map((name, column) => [name, convert(row[column])]));
    });
}

function convert(field) {
    if (field === '') return null;
    return /^[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?$/i.test(field) ? Number(field) : field;
}

/* For each column: how many values, how many of them differ, and of numbers the least, the greatest and the mean. */
function columns(text) {
    const rows = records(text);
    return Object.fromEntries(Object.keys(rows[0] ?? {}).map((name) => [name, describe(rows.map((row) => row[name]))]));
}

function describe(all) {
    const values = all.filter((value) => value !== null);
    const about = { values: values.length, empty: all.length - values.length, different: new Set(values).size };
    if (!values.length || values.some((value) => typeof value !== 'number')) return { type: 'text', ...about };
    const [least, most, sum] = values.reduce(([l, m, s], v) => [Math.min(l, v), Math.max(m, v), s + v], [Infinity, -Infinity, 0]);
    return { type: 'number', ...about, min: least, max: most, mean: sum / values.length };
}

records.summary = 'The lines of a CSV table as objects';
records.example = 'name,age\nAda,36\n';
columns.summary = 'What is in the columns of a CSV table: type, values, least, greatest, mean';
columns.example = 'name,age\nAda,36\nGrace,85\n';
module.exports = { records, columns };
