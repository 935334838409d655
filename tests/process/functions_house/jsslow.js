// jsslow: takes its time to load.
'use strict';
const until = Date.now() + 1500;
while (Date.now() < until);
exports.double = (x) => 2 * x;
