// jsinits: initialisers of all sorts.
'use strict';
let table;

exports.good = async (base) => {
  console.log('initialised');
  table = base;
};
exports.raises = () => {
  throw new Error('no model at /nowhere');
};
exports.dies = () => {
  process.kill(process.pid, 'SIGSEGV');
  for (;;);
};
exports.leaves = () => process.exit(0);
exports.hangs = () => {
  for (;;);
};
exports.add = (x) => table + x;
