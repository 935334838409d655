'use strict';
// Reads files, for sandbox_test.py.
exports.read = (path) => require('fs').readFileSync(path, 'utf8');
