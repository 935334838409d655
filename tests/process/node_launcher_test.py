#!/usr/bin/env python3
"""The Node launcher alone, against the protocol of workers/runtimes/PROTOCOL.md: this test is the worker.

    tests/process/node_launcher_test.py workers/runtimes/node          exit status 0 if all is well
    tests/process/node_launcher_test.py workers/runtimes/node --bench  also: time for each of 100,000 squares

Exits with 77 (skipped) when there is no node of version 18 or later.
"""
import fcntl
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

PATIENCE_S = 30
LAUNCHER = ""

MODULE = r"""
const poold = require('poold');
let prefix = 'none';
exports._hidden = () => 1;
exports.Shape = class Shape {};
exports.constant = 7; exports['größe'] = exports['a.b'] = () => 1;
exports._begin = (a, b) => { prefix = a + b; };
exports.begin_later = async (a) => { await new Promise((go) => setTimeout(go, 20)); prefix = a; };
exports._broken = () => { throw new RangeError('no model'); };
exports.prefix = () => prefix;
exports.square = (x) => x * x;
exports.square.summary = 'n × n';
exports.square.example = 5;
exports.same = (x) => x;
exports.args = (...all) => all;
exports.named = ({ width, height }) => width * height;
exports.slowly = async (x) => { await new Promise((go) => setTimeout(go, x)); return x; };
exports.fails = (x) => { class BadPicture extends Error {} throw new BadPicture('no pixels in ' + x); };
exports.fails_later = async (x) => { await null; throw new TypeError('later ' + x, { cause: new Error('root') }); };
exports.throws_text = () => { throw 'plain'; };
exports.throws_nothing = () => { throw undefined; };
exports.stray = () => new Promise(() => setTimeout(() => { throw new Error('from a timer'); }, 1));
exports.floating = () => new Promise(() => { Promise.reject(new Error('floating')); });
exports.generate = function* () { yield 1; };
exports.iterator = () => (function* () { yield 1; })();
exports.odd = (name) => ({
    nothing: undefined, big: 10n, fun: () => 1, nan: NaN, infinite: -Infinity, symbol: Symbol('s'),
    inner_nan: { a: [1, NaN] }, inner_fun: [() => 1], inner_big: { n: 1n }, map: new Map([[1, 2]]), minus: -0,
    date: new Date(0), half: 0.5, large: 1e21, surrogate: '\ud800', empty: null, truth: true,
    deep: JSON.parse('['.repeat(100) + ']'.repeat(100)), pair: '\\ud83d \ud83d\ude00',
})[name];
exports.circle = () => { const a = {}; a.a = a; return a; };
exports.too_much_memory = () => new ArrayBuffer(2 ** 52);
exports.prints = (x) => {
    console.log('before', x); process.stderr.write('wrong ☹\n'); process.stdout.write(new Uint8Array([104, 105, 10]));
    return x;
};
exports.prints_half = (x) => { console.log('a\ud800b'); throw new Error('\ud800'); };
exports.prints_later = async (x) => { console.log('a' + x); await null; console.error('b' + x); return x; };
exports.prints_raw = (x) => { require('fs').writeSync(1, 'raw ' + x + '\n'); return x; };
exports.tells = (x) => { poold.progress(0.5); poold.progress({ step: x }); return x; };
exports.asks = () => [poold.job, poold.index, poold.attempt, poold.deadline];
exports.asks_later = async (ms) => {
    const now = exports.asks(); // the second begins 50 ms after the first
    await new Promise((go) => setTimeout(go, 50 - ms));
    return now;
};
exports.dies = (x) => { if (x === 3) process.kill(process.pid, 'SIGKILL'); return x; };
exports.leaves = (x) => { if (x === 1) process.exit(0); return x; };
exports.closes = () => { require('fs').closeSync(3); require('fs').closeSync(4); };
exports.closes_later = async () => { await null; exports.closes(); };
exports.children = () => {
    const listing = require('child_process').execFileSync('ls', ['-l', '/proc/self/fd']).toString();
    return listing.replace(/ [012] -> .*/g, '');
};
exports.waits = (ms) => { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms); return ms; };
exports.rejects_behind = () => { Promise.reject(new Error('nobody waits')); return 1; };
exports.blanks = (n) => 'ä'.repeat(n);
exports.own = function () { return this === exports; };
"""

FILES = {
    "all.js": MODULE,
    "single.js": "module.exports = (x) => x + 1; module.exports.twice = (x) => 2 * x;",
    "modern.mjs": "import path from 'path'; export const base = (p) => path.basename(p);\n"
                  "export async function later(x) { return x; }\n"
                  "export default (x) => [x, typeof globalThis.poold.progress, globalThis.poold.index];",
    "typed/package.json": '{"type":"module","main":"main.js"}',
    "typed/main.js": "await null; export const triple = (x) => 3 * x;",
    "packaged/package.json": '{"main":"lib/start.js"}',
    "packaged/lib/start.js": "exports.fourth = (x) => 4 * x;",
    "torn.js": "exports.a = () => {",
    "bad.js": "throw new Error('cannot load');",
    "needy.js": "require('left-pad-that-is-not-there');",
}


class Runtime:
    """A launcher with descriptors 3 and 4 as the worker gives them."""

    def __init__(self, folder, *arguments):
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.replies = tempfile.TemporaryFile(dir=folder)
        fcntl.fcntl(self.replies, fcntl.F_SETFL, fcntl.fcntl(self.replies, fcntl.F_GETFL) | os.O_APPEND)
        self.out, self.err = open(folder + "/out", "w+b"), open(folder + "/err", "w+b")
        high = [fcntl.fcntl(f, fcntl.F_DUPFD_CLOEXEC, 20) for f in (theirs, self.replies, self.out, self.err)]
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in zip(high, (3, 4, 1, 2))]
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": LAUNCHER + ":" + folder}
        self.pid = os.posix_spawnp("node", ["node", LAUNCHER + "/poold_worker.js", *arguments], environment,
                                   file_actions=actions)
        for fd in high:
            os.close(fd)
        theirs.close()
        self.read_to, self.pending, self.next_id, self.status = 0, b"", 1, None
        self.ready = self.line()

    def line(self):
        """The next line on descriptor 3 as JSON; None for an empty one, "end" at its end."""
        self.socket.settimeout(PATIENCE_S)
        while b"\n" not in self.pending:
            try:
                chunk = self.socket.recv(65536)
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return "end"
            self.pending += chunk
        line, self.pending = self.pending.split(b"\n", 1)
        return json.loads(line) if line else None

    def send(self, function, items, **more):
        message = {"id": self.next_id, "function": function, "items": items, "star": False, "attempt": 1,
                   "deadline": None, "job": "j1", "index": 0}
        message.update(more)
        self.next_id += len(items)
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return self.next_id - len(items)

    def new(self):
        """What has come on descriptor 4 since the last time; a line may be there in part while it is written."""
        data = os.pread(self.replies.fileno(), 1 << 26, self.read_to)
        data = data[:data.rfind(b"\n") + 1]
        self.read_to += len(data)
        return [json.loads(line) for line in data.splitlines()]

    def run(self, function, items, **more):
        """All that comes of a batch, without ids; fails if the ids are not in order."""
        first, lines = self.send(function, items, **more), []
        while sum("value" in o or "error" in o for o in lines) < len(items):
            assert self.line() is None, "it ended within the batch: " + self.text(self.err)
            lines += self.new()
        ended = [o["id"] for o in lines if "value" in o or "error" in o]
        assert ended == list(range(first, first + len(items))), ended
        at = first
        for o in lines:
            assert list(o)[0] == "id" and o.pop("id") == at, (o, at)
            at += "value" in o or "error" in o
        return lines

    def values(self, function, items, **more):
        lines = self.run(function, items, **more)
        assert all(list(o) == ["value"] for o in lines), lines
        return [o["value"] for o in lines]

    def error(self, function, item, **more):
        lines = self.run(function, [item], **more)
        assert len(lines) == 1 and "error" in lines[0], lines
        return lines[0]["error"]

    def text(self, file):
        file.seek(0)
        return file.read().decode()

    def wait(self):
        """Exit code, negative for a signal."""
        if self.status is None:
            deadline = time.monotonic() + PATIENCE_S
            fd = os.pidfd_open(self.pid)
            ended = select.select([fd], [], [], deadline - time.monotonic())[0]
            os.close(fd)
            if not ended:
                os.kill(self.pid, signal.SIGKILL)
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
            assert ended, "it did not end by itself"
        return self.status

    def close(self):
        """End of descriptor 3: it exits with 0."""
        self.socket.close()
        code = self.wait()
        for file in (self.replies, self.out, self.err):
            file.close()
        return code


def with_all(test):
    def run(folder):
        runtime = Runtime(folder, "all")
        assert runtime.ready["ready"], runtime.ready
        test(runtime)
        assert runtime.close() == 0
    run.__name__ = test.__name__
    return run


@with_all
def test_offers(r):
    offered = {f["name"]: f for f in r.ready["functions"]}
    assert r.ready["batch"] is True
    assert offered["square"] == {"name": "square", "summary": "n × n", "example": 5}, offered["square"]
    assert "slowly" in offered and "generate" in offered
    assert not {"_hidden", "Shape", "constant", "_begin", "größe", "a.b"} & set(offered), offered


@with_all
def test_values(r):
    assert r.values("square", list(range(1000))) == [n * n for n in range(1000)]
    items = [None, True, 0.5, -3, "ä\u2028\n\"", [1, [2]], {"a": {"b": []}}, "x" * 5000, [], {}, ""]
    assert r.values("same", items) == items
    assert r.values("slowly", [30, 1, 10, 0]) == [30, 1, 10, 0]
    odd = ["nothing", "minus", "date", "half", "large", "empty", "truth"]
    assert r.values("odd", odd) == [None, 0, "1970-01-01T00:00:00.000Z", 0.5, 1e21, None, True]
    assert r.values("own", [1]) == [True]
    assert r.values("odd", ["pair"]) == ["\\ud83d 😀"]  # a backslash and an emoji, not half a character
    assert r.values("blanks", [3, 2_000_000]) == ["äää", "ä" * 2_000_000]


@with_all
def test_starmap(r):
    assert r.values("args", [[1, 2], [], [[3]]], star=True) == [[1, 2], [], [[3]]]
    assert r.values("named", [{"width": 2, "height": 3}], star=True) == [6]
    assert r.values("args", [[1, 2]]) == [[[1, 2]]]
    assert "arrays or objects" in r.error("args", 5, star=True)["message"]


@with_all
def test_not_json(r):
    for name, what in [("big", "BigInt"), ("fun", "function"), ("nan", "NaN"), ("infinite", "-Infinity"),
                       ("symbol", "symbol"), ("inner_nan", "NaN"), ("inner_fun", "function"), ("inner_big", "BigInt"),
                       ("map", "Map"), ("surrogate", "surrogate"), ("deep", "levels")]:
        error = r.error("odd", name)
        assert error["class"] == "TypeError" and what in error["message"], (name, error)
    assert "circular" in r.error("circle", 1)["message"]
    for name in ("generate", "iterator"):
        assert "return an array" in r.error(name, 1)["message"]
    assert r.values("square", [2]) == [4]


@with_all
def test_errors(r):
    error = r.error("fails", "a.png")
    assert error["message"] == "no pixels in a.png" and error["class"] == "BadPicture", error
    assert "all.js:" in error["traceback"] and "poold_worker" not in error["traceback"], error["traceback"]
    assert "node:internal" not in error["traceback"]
    error = r.error("fails_later", 1)
    assert error["message"] == "later 1" and "caused by: Error: root" in error["traceback"], error
    assert "plain" in r.error("throws_text", 1)["message"]
    assert "undefined" in r.error("throws_nothing", 1)["message"]
    error = r.error("fails", "x" * 1_000_000)
    assert len(error["message"]) < 10_000 and "all.js:" in error["traceback"] and len(error["traceback"]) < 20_000
    assert r.error("stray", 1)["message"] == "from a timer"
    assert r.error("floating", 1)["message"] == "floating"
    assert "nothing_such" in r.error("nothing_such", 1)["message"]
    assert r.error("too_much_memory", 1)["type"] == "memory"
    both = r.run("dies", [1, 2])  # and it still works
    assert both == [{"value": 1}, {"value": 2}]


@with_all
def test_logs(r):
    lines = r.run("prints", [1, 2])
    assert lines == [o for x in (1, 2) for o in (
        {"log": "before %d\n" % x, "stream": "stdout"}, {"log": "wrong ☹\n", "stream": "stderr"},
        {"log": "hi\n", "stream": "stdout"}, {"value": x})], lines
    lines = r.run("prints_later", [1, 2])
    assert lines == [o for x in (1, 2) for o in (
        {"log": "a%d\n" % x, "stream": "stdout"}, {"log": "b%d\n" % x, "stream": "stderr"}, {"value": x})], lines
    lines = r.run("prints_half", [1])
    assert lines[0]["log"] == "a\ufffdb\n" and lines[1]["error"]["message"] == "\ufffd", lines
    assert r.values("prints_raw", [1]) == [1]
    assert r.text(r.out) == "raw 1\n" and r.text(r.err) == ""


@with_all
def test_about_the_item(r):
    assert r.run("tells", [8]) == [{"progress": 0.5}, {"progress": {"step": 8}}, {"value": 8}]
    deadline = 1763730000.5
    first, second = r.values("asks_later", [0, 50], job="jx", index=6, attempt=3, deadline=deadline)
    assert first == ["jx", 6, 3, deadline] and second[:3] == ["jx", 7, 3], (first, second)
    assert deadline + 0.04 < second[3] < deadline + PATIENCE_S, second  # each has as much time as the first
    assert "at most" in r.run("tells", ["x" * 100_000])[1]["error"]["message"]


@with_all
def test_looks(r):
    """One sign when quick items are done, and one after each slow item."""
    r.values("square", [1])
    r.send("square", list(range(100)))
    assert r.line() is None and len(r.new()) == 100
    r.send("waits", [300, 300])
    for _ in range(2):
        assert r.line() is None and len(r.new()) == 1
    r.send("prints_later", [1])  # its log is to be seen while it runs, and is not lost
    while sum("value" in o for o in r.new()) == 0:
        assert r.line() is None


@with_all
def test_batches_wait(r):
    for first in (0, 10):
        r.send("slowly", [20, 1], index=first)
    r.send("asks", [0], index=50)
    got = []
    while sum("value" in o for o in got) < 5:
        assert r.line() is None
        got += r.new()
    assert [o["value"] for o in got] == [20, 1, 20, 1, ["j1", 50, 1, None]] and [o["id"] for o in got] == [1, 2, 3, 4, 5]


def test_long_line_in_pieces(folder):
    r = Runtime(folder, "all")
    line = json.dumps({"id": 1, "function": "same", "items": ["ö" * 300_000], "star": False, "attempt": 1,
                       "deadline": None, "job": "j", "index": 0}, ensure_ascii=False).encode() + b"\n"
    for at in range(0, len(line), 99_999):
        r.socket.sendall(line[at:at + 99_999])
    assert r.line() is None and r.new() == [{"id": 1, "value": "ö" * 300_000}]
    assert r.close() == 0


def test_crashes(folder):
    """What was done before is on descriptor 4."""
    r = Runtime(folder, "all")
    r.send("dies", [1, 2, 3, 4])
    while r.line() != "end":
        pass
    assert r.wait() == -signal.SIGKILL
    assert r.new() == [{"id": 1, "value": 1}, {"id": 2, "value": 2}]
    r.close()
    r = Runtime(folder, "all")
    r.send("leaves", [0, 1, 2])
    while r.line() != "end":
        pass
    assert r.wait() == 0 and r.new() == [{"id": 1, "value": 0}]
    r.close()


def test_closed_descriptors(folder):
    for call in ("closes", "closes_later"):
        r = Runtime(folder, "all")
        r.send(call, [1, 2])
        assert r.line() == "end" and r.wait() == 70 and "must stay open" in r.text(r.err) and not r.new()
        r.close()
    r = Runtime(folder, "all")
    listing, = r.values("children", [0])
    assert "/fd" in listing and "socket" not in listing and "deleted" not in listing, listing
    assert r.close() == 0


def test_ends(folder):
    r = Runtime(folder, "all")
    r.send("slowly", [60_000])
    assert r.close() == 0  # the end of descriptor 3 also ends what awaits
    r = Runtime(folder, "all")
    os.kill(r.pid, signal.SIGTERM)
    assert r.wait() == -signal.SIGTERM
    r.close()
    r = Runtime(folder, "all")
    r.send("rejects_behind", [1])
    while r.line() != "end":
        pass
    assert r.wait() == 1 and "nobody waits" in r.text(r.err) and r.new() == [{"id": 1, "value": 1}]
    r.close()
    r = Runtime(folder, "all")
    r.socket.sendall(b"nonsense\n")
    assert r.wait() == 1 and "descriptors 3" in r.text(r.err)
    r.close()


def test_modules(folder):
    for module, calls in [("single", [("single", 3, 4), ("twice", 3, 6)]), ("single.js", [("single", 3, 4)]),
                          ("modern", [("base", "/a/b", "b"), ("later", 1, 1), ("modern", 1, [1, "function", 0])]),
                          ("typed", [("triple", 2, 6)]), ("typed/main.js", [("triple", 2, 6)]),
                          ("packaged", [("fourth", 2, 8)]), ("all:_hidden", [("_hidden", 1, 1)])]:
        r = Runtime(folder, module)
        assert r.ready["ready"], r.ready
        assert ":" not in module or len(r.ready["functions"]) == 1
        for function, item, value in calls:
            assert r.values(function, [item]) == [value], (module, function)
        assert r.close() == 0


def test_initializer(folder):
    for arguments, value in [(["_begin", "--initargs", '["x",1]'], "x1"), (["begin_later", "--initargs", "[5]"], 5)]:
        r = Runtime(folder, "all", "--initializer", *arguments)
        assert arguments[0] not in [f["name"] for f in r.ready["functions"]]
        assert r.values("prefix", [0]) == [value]
        assert r.close() == 0


def test_refuses_to_start(folder):
    for arguments, words in [(["nowhere"], "no module nowhere in "), (["all:absent"], "no function absent"),
                             (["bad"], "cannot load"), (["torn"], "Unexpected end"),
                             (["needy"], "left-pad"), (["all", "--initializer", "_broken"], "no model"),
                             (["all", "--initializer", "absent"], "exports no function absent"),
                             (["all", "--initargs", "{"], "JSON"), (["all", "--wrong"], "unknown argument")]:
        r = Runtime(folder, *arguments)
        assert r.ready["ready"] is False and words in r.ready["error"]["message"], (arguments, r.ready)
        assert r.ready["error"]["class"] and "traceback" in r.ready["error"]
        assert r.line() == "end" and r.wait() == 1
        r.close()


def bench(folder):
    r = Runtime(folder, "all")
    r.values("square", list(range(20_000)))
    best = 1e9
    for _ in range(5):
        started = time.monotonic()
        r.send("square", list(range(100_000)))
        there = 0
        while there < 100_000:
            assert r.line() is None
            data = os.pread(r.replies.fileno(), 1 << 26, r.read_to)
            r.read_to += len(data)
            there += data.count(b"\n")
        best = min(best, time.monotonic() - started)
    print("100,000 × square in one batch: %.2f µs each" % (best * 10))
    waits = []
    for _ in range(2000):
        started = time.monotonic()
        r.send("square", [7])
        while True:
            assert r.line() is None
            if r.new():
                break
        waits.append(time.monotonic() - started)
    print("one item at a time: p50 %.0f µs" % (sorted(waits)[1000] * 1e6))
    r.close()


def node_is_there():
    try:
        version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    return int(version.strip().lstrip("v").split(".")[0]) >= 18


def main():
    global LAUNCHER
    LAUNCHER = os.path.realpath(sys.argv[1])
    if not node_is_there():
        print("skipped: no node of version 18 or later")
        sys.exit(77)
    folder = os.path.realpath(tempfile.mkdtemp(prefix="poold-node-"))
    try:
        for name, text in FILES.items():
            os.makedirs(os.path.dirname(folder + "/" + name), exist_ok=True)
            with open(folder + "/" + name, "w", encoding="utf-8") as file:
                file.write(text)
        for name, test in list(globals().items()):
            if name.startswith("test_"):
                test(folder)
                print("ok", name)
        if "--bench" in sys.argv:
            bench(folder)
    finally:
        shutil.rmtree(folder)


main()
