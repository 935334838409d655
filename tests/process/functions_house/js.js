// js: the deeds in a Node runtime. {"do": NAME, …} is the item; {"do":"ok","n":5} gives 5.
'use strict';
const childProcess = require('child_process');
const fs = require('fs');
const path = require('path');

console.log('printed while it was imported');
process.on('exit', () => console.log('printed at the end'));
const grown = [];

function notePath(name) {
  return path.join(process.env.DEEDS_NOTES, name);
}

function sleep(seconds) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
}

async function waitNote(name) {
  while (!fs.existsSync(notePath(name))) await new Promise((done) => setTimeout(done, 20));
}

function stay() {
  const child = childProcess.spawn('/bin/sh', ['-c', 'trap "" TERM HUP INT; exec sleep 86400'],
    { detached: true, stdio: 'ignore' });
  fs.writeFileSync(notePath('pid-' + child.pid), '');
  child.unref();
}

const deeds = {
  ok: (item) => item.n ?? null,
  error() {
    console.error('about to fail');
    throw new RangeError('no such picture');
  },
  argument: (item) => item.missing.length,
  crash(item) {
    fs.writeSync(1, 'about to crash\n');
    process.kill(process.pid, item.signal || 'SIGSEGV');
    sleep(60);
  },
  leave: (item) => process.exit(item.code || 0),
  garbage() {
    fs.writeSync(3, Buffer.from('\xff\xfe this is {no JSON\n', 'latin1'));
    sleep(60);
  },
  garbage_replies() {
    fs.writeSync(4, Buffer.from('\xff\xfe this is {no JSON\n', 'latin1'));
    fs.writeSync(3, '\n');
    sleep(60);
  },
  half() {
    fs.writeSync(2, 'half a line\n');
    fs.writeSync(4, '{"id":1');
    sleep(60);
  },
  half_channel() {
    fs.writeSync(3, '{"id":1');
    sleep(60);
  },
  stranger() {
    fs.writeSync(4, '{"id":987654321,"value":"not asked for"}\n');
    fs.writeSync(3, '\n');
    sleep(60);
  },
  huge: (item) => 'x'.repeat(item.n),
  prints(item) {
    console.log('one');
    console.error('two');
    childProcess.execSync('echo three', { stdio: 'inherit' });
    console.log('{"id":1,"value":"not a reply"}');
    process.stdout.write('no newline at the end');
    return item.n;
  },
  prints_later(item) {
    console.log('now');
    for (let i = 0; i < 20; i++) setTimeout(() => console.log('later'), 10 * i);
    return item.n;
  },
  floods(item) {
    for (let i = 0; i < (item.lines || 20000); i++) console.log('line %d %s', i, 'y'.repeat(100));
    return item.n;
  },
  daemon(item) {
    stay();
    stay();
    return item.n;
  },
  deaf(item) {
    process.on('SIGTERM', () => {});
    fs.writeSync(1, 'cannot hear you\n');
    fs.writeFileSync(notePath('pid-' + process.pid), '');
    stay();
    fs.writeFileSync(notePath('hears-not-' + item.n), '');
    sleep(60);
  },
  closes() {
    for (let fd = 0; fd < 5; fd++) {
      try { fs.closeSync(fd); } catch { /* was not open */ }
    }
    sleep(60);
  },
  allocates(item) {
    const step = (item.step || 8) << 20;
    for (let taken = 0; taken < (item.most || 4096) * 1048576; taken += step) grown.push(Buffer.alloc(step, 1));
    return grown.length * step;
  },
  burns() {
    for (;;);
  },
  opens(item) {
    const opened = [];
    try {
      while (opened.length < item.n) opened.push(fs.openSync('/dev/null'));
      return opened.length;
    } finally {
      opened.forEach((fd) => fs.closeSync(fd)); // the process stays
    }
  },
  async late(item) {
    await new Promise((done) => setTimeout(done, 1000 * (item.s ?? 1)));
    return item.n;
  },
  async talks(item) {
    console.log('before ' + item.note);
    await waitNote(item.note);
    console.log('after ' + item.note);
    return item.n;
  },
  async progress(item) {
    require('poold').progress({ done: 0.5 });
    await waitNote(item.note);
    return item.n;
  },
  pid: () => process.pid,
  environ: () => ({ ...process.env }),
  trace: () => require('poold').traceparent,
  descriptors() {
    const found = {};
    for (const fd of fs.readdirSync('/proc/self/fd')) {
      try { found[fd] = fs.readlinkSync('/proc/self/fd/' + fd); } catch { /* closed by now */ }
    }
    return found;
  },
  folder: () => process.cwd(),
  async alone(item) {
    try { fs.mkdirSync(notePath('alone-' + item.note)); } catch { return false; }
    await new Promise((done) => setTimeout(done, 50));
    fs.rmdirSync(notePath('alone-' + item.note));
    return true;
  },
  attempt(item) {
    if (!fs.existsSync(notePath(item.note))) {
      fs.writeFileSync(notePath(item.note), '');
      process.kill(process.pid, 'SIGKILL');
      sleep(60);
    }
    return item.n;
  },
  echo: (item) => item.text,
};

exports.deed = (item) => deeds[item.do](item);
exports.power = (base, exponent = 2) => base ** exponent;
exports.odd = (item) => BigInt(item);
exports.nothing = () => undefined;
