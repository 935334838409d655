#!/usr/bin/env python3
"""Shared objects in Python and Node functions, without a poold: what the launchers ask for, and what they make of the
answers (objects_launchers_kit.py gives them). Each check is a piece of the language, run as an item.

    tests/process/objects_launchers_test.py workers/runtimes
"""
import os
import shutil
import subprocess
import sys
import tempfile

from objects_launchers_kit import Objects, Task

RUNTIMES = ""

PYTHON = r"""
import queue, threading, poold
names = {"queue": queue, "threading": threading, "poold": poold}
early = poold.Queue("early", maxsize=3)  # nothing is asked for before an item uses it
counted = poold.Value("i", "early", 5)
def do(text):
    here = dict(names)
    exec("def run():\n" + "".join("    " + line + "\n" for line in text.strip().splitlines()), globals(), here)
    names.update(here)
    return eval("run()", {**globals(), **here})
async def later(name):
    return poold.Queue(name).get()
"""

NODE = r"""
const poold = require('poold');
const early = new poold.Queue('early', 3);
exports.early = () => early.put(1);
exports.do = (text) => new Function('poold', text)(poold);
exports.later = async (name) => { await null; const got = new poold.Queue(name).get(); await null; return got; };
exports.patient = async (x) => { await new Promise((go) => setTimeout(go, 20)); return [x, new poold.Manager().dict('d').get('k')]; };
"""


class Python(Task):
    def __init__(self, folder):
        super().__init__(Objects(folder), [sys.executable, "-m", "poold_worker", "module"],
                         {"PYTHONPATH": f"{RUNTIMES}/python:{folder}"})

    def do(self, text):
        return self.run("do", text)[0]

    def value(self, text):
        line = self.do(text)
        assert "value" in line, line["error"]
        return line["value"]

    def error(self, text):
        line = self.do(text)
        assert "error" in line, line
        return line["error"]["class"] + ": " + line["error"]["message"]

    def asked(self):
        seen, self.objects.seen = self.objects.seen, []
        return seen


class Node(Python):
    def __init__(self, folder):
        Task.__init__(self, Objects(folder), ["node", f"{RUNTIMES}/node/poold_worker.js", "module"],
                      {"NODE_PATH": f"{RUNTIMES}/node:{folder}"})


def fails(task, table):
    for text, words in table:
        error = task.error(text)
        assert words in error, (text, words, error)


def deleted_meanwhile(t, text):
    """What the module keeps from item to item is what it was made as, also after somebody has deleted it."""
    t.value(text)
    for path in ("queues/early", "values/early"):
        t.objects.all.pop(path)
    os.rename(f"{t.objects.folder}/values-early", f"{t.objects.folder}/values-early.deleted")
    t.objects.file_of = lambda path: f"{t.objects.folder}/{path.replace('/', '-')}.2"
    assert t.value(text) == [6, 7]
    assert t.objects.all["queues/early"]["config"] == {"maxsize": 3}
    del t.objects.file_of


# ---- Python ----


def python_queues(t):
    assert t.value('q = poold.Queue("q"); q.put({"a": (1, "ä\\u2028")}); q.put(None); return [q.get(), q.get()]') == [
        {"a": [1, "ä\u2028"]}, None]
    assert [r["op"] for r in t.asked()] == ["put", "put", "get", "get"]
    fails(t, [('poold.Queue("q").get_nowait()', "queue.Empty"), ('poold.Queue("q").get(timeout=-1)', "non-negative"),
              ('q = poold.Queue("b", 1); q.put(1); q.put_nowait(2)', "queue.Full"),
              ('poold.Queue("b", 2)', "FileExistsError"), ('poold.Queue("q").put({1, 2})', "TypeError: Object of type set"),
              ('poold.Queue("q").put(float("nan"))', "TypeError: "), ('poold.Queue("q").put("\\ud800")', "TypeError: "),
              ('a = []; a.append(a); poold.Queue("q").put(a)', "TypeError: "), ("poold.Queue(7)", "TypeError: the name"),
              ('poold.Queue("q").put("x" * 9500000)', "ValueError: a call of"),
              ('poold.Queue("q")._ask(b"error")', "ValueError"), ('poold.Queue("t").task_done()', "ValueError: ")])
    t.asked()
    assert t.value('q = poold.Queue("b"); return [q.qsize(), q.full(), q.empty()]') == [1, True, False]
    t.value('q = poold.Queue("q"); q.put_many([1, 2, 3]); q.get(timeout=1.5); q.get(); q.get(False); q.task_done()')
    assert [r.get("wait", "none") for r in t.asked()][3:] == [None, 1.5, None, "none", "none"]
    t.value('q = poold.Queue("q"); q.put(1); q.get(); q.task_done()')
    assert t.asked()[-1] == {"object": "queues/q", "op": "task_done", "args": {}, "quiet": True}
    # Whoever puts much does not wait for each; what is refused then is raised all the same, at the latest at the end.
    assert t.value('q = poold.Queue("much")\nfor n in range(1000): q.put(n)\nreturn [q.qsize(), q.get()]') == [1000, 0]
    asked = t.asked()
    assert sum(r.get("quiet", False) for r in asked) > 900 and [r["args"]["value"] for r in asked if r["op"] == "put"] == list(
        range(1000))
    shrink = 'q = poold.Queue("shrunk")\nfor n in range(10): q.put(n)\nq.delete(); poold.Queue("shrunk", 1)\nq.put(1); '
    for rest in ("q.put(2)", "q.put(2); q.qsize(); q.put(3)", "q.put(2); q.qsize(); q.qsize()"):
        t.objects.all.pop("queues/shrunk", None)
        assert "queue.Full" in t.error(shrink + rest), rest
    assert t.value('return poold.Queue("shrunk").qsize()') == 1
    t.asked()
    t.value("early.put(1); return counted.value")
    assert [r["op"] for r in t.asked()] == ["create", "put", "create", "open"]
    assert t.value('poold.Queue("j").put(1); return poold.Queue("j").get_many(5)') == [1]


def python_locks(t):
    assert t.value('l = poold.Lock("l")\nwith l:\n    return [l.acquire(False), l.acquire(timeout=0.01), l.token]')[:2] == [
        False, False]
    asked = t.asked()
    assert asked[-1]["quiet"] and asked[0]["wait"] is None and "wait" not in asked[1] and asked[2]["wait"] == 0.01
    fails(t, [('poold.Lock("l").release()', "ValueError"), ('poold.RLock("r").release()', "AssertionError"),
              ('poold.BoundedSemaphore("s", 2).release()', "ValueError"), ('poold.Semaphore("l", 1)', "FileExistsError"),
              ('poold.Semaphore("s")', "FileExistsError"), ('poold.Semaphore("x", -1)', "ValueError")])
    assert t.value('r = poold.RLock("r")\nwith r:\n    with r:\n        return r.recovered') is False
    assert t.value('s = poold.Semaphore("two", 2)\nreturn [s.acquire(False) for _ in range(3)] + [poold.Semaphore("two").acquire(False)]') == [
        True, True, False, False]
    # What an item held is gone with it: the next one is no holder, and hears that at once.
    t.value('poold.Lock("left").acquire()')
    t.objects.locks_release("left")
    assert "ValueError" in t.error('poold.Lock("left").release()')


def python_dicts(t):
    assert t.value("""d = poold.Manager().dict("d")
d["a"] = 1; d.update(b=[2], c=None); d.update([("e", 5)])
first = [len(d), d.keys(), list(d.values()), sorted(d.items())[1], "a" in d, 7 in d, list(d), d.get("x", 9), d["a"]]
first += [d.pop("a"), d.pop("a", 3), d.popitem()[0], d.setdefault("z", 8), d.setdefault("z", 9), d.add("n"), d.add("n", 4)]
del d["b"]
d |= {"y": 1}
first += [d.copy(), d == {"c": None, "z": 8, "n": 5, "y": 1}, str(d), d | {"k": 0}]
d.clear()
return [*first, len(d)]""") == [
        4, ["a", "b", "c", "e"], [1, [2], None, 5], ["b", [2]], True, False, ["a", "b", "c", "e"], 9, 1,
        1, 3, "e", 8, 8, 1, 5, {"c": None, "z": 8, "n": 5, "y": 1}, True, "{'c': None, 'z': 8, 'n': 5, 'y': 1}",
        {"c": None, "z": 8, "n": 5, "y": 1, "k": 0}, 0]
    d = 'd = poold.Manager().dict("d"); '
    fails(t, [(d + 'd["no"]', "KeyError: 'no'"), (d + 'del d["no"]', "KeyError: 'no'"), (d + 'd.pop("no")', "KeyError: 'no'"),
              (d + "d.popitem()", "KeyError: 'popitem(): dictionary is empty'"), (d + "d[1] = 2", "TypeError: the keys"),
              (d + "d.update({1: 2})", "TypeError: the keys"), (d + 'd["s"] = ""; d.add("s")', "TypeError: the value of key s is no number")])
    assert t.value(d + """d.clear(); d.update({str(n): n for n in range(2000)})
return [len(d.keys()), d.copy()["1999"], sum(d.values())]""") == [2000, 1999, 1999000]  # too many for one answer


def python_lists(t):
    assert t.value("""l = poold.Manager().list("l")
l.append(3); l.extend([1, 2]); l += (5,); l.insert(0, 9)
first = [l[0], l[-1], l[1:3], l[::2], len(l), list(l), 5 in l, l.index(1), l.index(1, 1), l.count(1), l.add(0), l.pop(), l.pop(0)]
l[0] = 7; l[1:] = [4, 4]; del l[0]; l.append(1)
l.sort(); first.append(l.copy()); l.sort(reverse=True); l.reverse(); l.remove(4)
del l[:1]
first += [l == [4], l + [1], l * 2, str(l), list(reversed(l))]
l.clear()
return [*first, len(l)]""") == [9, 5, [3, 1], [9, 1, 5], 5, [9, 3, 1, 2, 5], True, 2, 2, 1, 10, 5, 10,
                                [1, 4, 4], True, [4, 1], [4, 4], "[4]", [4], 0]
    l = 'l = poold.Manager().list("l"); '
    fails(t, [(l + "l[0]", "IndexError"), (l + "l.pop()", "IndexError"), (l + "l.remove(8)", "ValueError: 8 is not in list"),
              (l + "l.index('x')", "ValueError: 'x' is not"), (l + "l['a']", "TypeError"), (l + "l *= 2", "TypeError"),
              (l + "l[::2] = []", "ValueError: a slice with steps"), (l + "l.sort(key=len)", "TypeError"),
              (l + "l.extend([1, '']); l.sort()", "TypeError: ")])


def python_pipes(t):
    assert t.value("""a, b = poold.Pipe("p")
a.send({"x": 1}); b.send(2)
first = [b.poll(), b.recv(), a.recv(), a.poll(0), poold.Connection("p", "a").end]
b.close()
return [*first, a.poll(None)]""") == [True, {"x": 1}, 2, False, "a", True]
    p = 'a, b = poold.Pipe("p"); '
    fails(t, [(p + "a.recv()", "EOFError"), (p + "a.send(1)", "BrokenPipeError"),
              ('a, b = poold.Pipe("q", False); a.send(1)', "OSError: connection is read-only"),
              ('a, b = poold.Pipe("q", False); b.recv()', "OSError: connection is write-only"),
              ('poold.Connection("q", "a").send(1)', "OSError: pipe q is one-way"),
              ('poold.Connection("q", "c")', "ValueError"),
              ('a, b = poold.Pipe("w"); b.close(); b.close(); b.send(1)', "OSError: handle is closed")])


def python_memory(t):
    assert t.value("""v = poold.Value("i", "v", 5)
v.value += 1
with v.get_lock():
    v.value *= 2
return [v.value, v.add(), v.add(by=-3), v.value, v.compare_set(10, 1), v.compare_set(10, 2), v.value]""") == [
        12, 13, 10, 10, True, False, 1]
    assert [r["object"] for r in t.asked() if r["op"] == "acquire"] == ["locks/values/v"]
    assert t.value("""import ctypes
a = poold.Array(ctypes.c_double, "a", [1, 2, 3])
m = a.memory()
for i in range(len(a)): m[i] *= 2
a[0] += 0.5; a[1:] = (7, 8)
return [a[:], list(a), a[-1], len(a), a.add(0, 1), m.format, m.nbytes, poold.Array("d", "a")[0]]""") == [
        [2.5, 7, 8], [2.5, 7, 8], 8, 3, 3.5, "d", 24, 3.5]
    v, a = 'v = poold.Value("h", "h"); ', 'a = poold.Array("B", "B", 4); '
    fails(t, [(v + "v.value = 40000", "OverflowError"), (v + "v.value = 1.5", "TypeError"), (v + "v.add(40000)", "OverflowError"),
              (a + "a[0] = -1", "OverflowError"), (a + "a[:2] = [1, 256]", "OverflowError"), (a + "a[:2] = [1]", "ValueError"),
              (a + "a[:2] = [1, 2.5]", "TypeError"), (a + "a[4]", "IndexError"), (a + "a.add(9)", "IndexError"),
              ('poold.Value("f", "f").value = 1e300', "OverflowError"), ('poold.Array("f", "g", 2)[:] = [1, -1e39]', "OverflowError"), ('poold.Value("x", "x")', "TypeError"),
              ('poold.Array("d", "none")[0]', "FileNotFoundError"), ('poold.Array("d", "a", 4)', "FileExistsError"),
              ('poold.Array("i", "a")[0]', "TypeError: arrays/a has the typecode 'd'"),
              ('import pickle; pickle.dumps(poold.Value("f", "f"))', "TypeError: shared objects are shared by name")])
    assert t.value(a + "return list(a)") == [0, 0, 0, 0]  # an assignment is whole or not at all
    deleted_meanwhile(t, "early.put(1); counted.value += 1; return [counted.value, counted.add()]")
    assert t.value('m = poold.Manager(); return [m.Value("i", "v").value, len(m.Array("B", "B")), m.Queue("k").qsize()]') == [
        1, 4, 0]


def python_threads(t):
    """Several calls are under way; whoever reads hands others their answers."""
    assert t.value("""got = []
def consume():
    while True:
        value = poold.Queue("work").get()
        if value is None: return
        got.append(value)
threads = [threading.Thread(target=consume) for _ in range(4)]
for thread in threads: thread.start()
for n in range(200): poold.Queue("work").put(n)
for _ in threads: poold.Queue("work").put(None)
for thread in threads: thread.join()
return sorted(got)""") == list(range(200))
    # One that still waits when its item has ended holds nobody up, and gets no answer.
    t.value('threading.Thread(target=lambda: poold.Queue("never").get(), daemon=True).start()')
    assert t.value('d = poold.Manager().dict("t"); d["x"] = 1; return d["x"]') == 1
    assert [line["value"] for line in t.run("do", "return 1", "return 2")] == [1, 2]
    error = t.error("""import signal
def ring(*_): raise InterruptedError("enough")
signal.signal(signal.SIGALRM, ring)
signal.setitimer(signal.ITIMER_REAL, 0.05)
poold.Queue("never").get()""")
    assert "enough" in error, error
    assert t.value('return poold.Manager().dict("t")["x"]') == 1


def python_alone(t):
    t.objects.queues_put("soon", 5)
    assert t.run("later", "soon")[0]["value"] == 5
    assert "RuntimeError" in t.value("""import os
reading, writing = os.pipe()
pid = os.fork()
if not pid:
    try: poold.Queue("q").put(1)
    except RuntimeError as error: os.write(writing, repr(error).encode())
    os._exit(0)
os.waitpid(pid, 0)
return os.read(reading, 1000).decode()""")
    signs = t.signs
    t.run("do", 'poold.Queue("q").put(1)')
    assert t.signs > signs
    plain = "import poold; q = poold.Queue('a'); assert 'Lock' in dir(poold)\ntry: q.put(1)\nexcept RuntimeError as e: print(e)"
    said = subprocess.run([sys.executable, "-c", plain], env={"PYTHONPATH": RUNTIMES + "/python"}, capture_output=True)
    assert b"for tasks" in said.stdout, said
    assert t.close() == 0


PYTHON_TESTS = [python_queues, python_locks, python_dicts, python_lists, python_pipes, python_memory, python_threads,
                python_alone]


# ---- Node ----


def node_queues(t):
    assert t.value("""const q = new poold.Queue('q');
q.put({ a: [1, 'ä\u2028'] }); q.put(null); q.putMany([1, 2, 3]);
const got = [q.get(), q.get({ wait: 1.5 }), q.getMany(2), q.qsize(), q.empty()];
q.taskDone(); q.getNowait();
return got;""") == [{"a": [1, "ä\u2028"]}, None, [1, 2], 1, False]
    assert [r.get("wait", "none") for r in t.asked()] == [None, None, None, None, 1.5, None, "none", "none", "none", "none"]
    assert t.value("try { new poold.Queue('q').get({ wait: 0 }); } catch (e) { return [e.type, e instanceof poold.SharedError]; }"
                   ) == ["empty", True]
    fails(t, [("const q = new poold.Queue('b', 1); q.put(1); q.putNowait(2)", "SharedError: "),
              ("new poold.Queue('b', 2)", "SharedError: "), ("new poold.Queue(7)", "TypeError: the name"),
              ("new poold.Queue('q').put(new Map())", "TypeError: the value is not JSON"),
              ("new poold.Queue('q').put(NaN)", "TypeError"), ("new poold.Queue('q').get({ wait: -1 })", "RangeError"),
              ("new poold.Queue('q').put('x'.repeat(9500000))", "RangeError: a call of"),
              ("new poold.Queue('other').taskDone()", "SharedError: ")])
    assert t.value("return new poold.Queue('b').full()") is True
    t.asked()
    assert "value" in t.run("early", 0)[0] and [r["op"] for r in t.asked()] == ["create", "put"]


def node_locks(t):
    assert t.value("""const l = new poold.Lock('l');
return l.with(() => [l.acquire({ wait: 0 }), l.token > 0, l.recovered]);""") == [False, True, False]
    assert [r["op"] for r in t.asked()] == ["acquire", "acquire", "release"] and t.objects.seen == []
    assert t.value("""const l = new poold.Lock('l');
const inside = l.with(async () => { await null; return l.acquire({ wait: 0 }); });
return inside.then((held) => [held, l.acquire({ wait: 0 })]);""") == [False, True]
    fails(t, [
        ("new poold.Lock('m').with(() => { throw new Error('inside'); })", "inside"),
        ("new poold.Lock('m').release()", "SharedError: "),
        ("new poold.Semaphore('m', 2)", "SharedError"), ("new poold.Semaphore('m')", "SharedError: lock m is no semaphore")])
    assert t.value("const s = new poold.BoundedSemaphore('s', 2); return [1, 2, 3].map(() => s.acquire({ wait: 0 }))") == [
        True, True, False]
    assert t.value("const r = new poold.RLock('r'); return r.with(() => r.with(() => 5))") == 5


def node_containers(t):
    assert t.value("""const d = poold.Manager().dict('d');
d.set('a', 1).set('b', [2]); d.update({ c: null }); d.update(new Map([['__proto__', 5]]));
const got = [d.size, d.keys(), d.get('b'), d.get('x'), d.get('x', 9), d.has('a'), d.delete('a'), d.delete('a'), d.pop('b'),
    d.pop('b', 0), d.popitem(), d.setdefault('z', 8), d.add('n'), d.add('n', 4), d.copy(), [...d], d.values()];
d.clear();
return [...got, d.size];""") == [4, ["a", "b", "c", "__proto__"], [2], None, 9, True, True, False, [2], 0,
                                 ["__proto__", 5], 8, 1, 5, {"c": None, "z": 8, "n": 5},
                                 [["c", None], ["z", 8], ["n", 5]], [None, 8, 5], 0]
    assert t.value("""const d = poold.Manager().dict('d');
d.update(Array.from({ length: 2000 }, (_, n) => [String(n), n]));
return [d.keys().length, d.copy()['1999']];""") == [2000, 1999]
    assert t.value("""const l = new poold.Manager().list('l');
l.append(3); l.extend([1, 2]); l.push(5); l.insert(0, 9);
const got = [l.get(-1), l.slice(1, 3), l.length, l.indexOf(1), l.indexOf(77), l.includes(5), l.count(1), l.add(0), l.pop(), l.pop(0)];
l.set(0, 7); l.setSlice(1, null, [4, 4]); l.delete(0); l.append(1); l.sort({ reverse: true }); l.reverse(); l.remove(4);
return [...got, [...l], l.copy()];""") == [5, [3, 1], 5, 2, -1, True, 1, 10, 5, 10, [1, 4], [1, 4]]
    fails(t, [("poold.Manager().dict('d').set(1, 2)", "TypeError: the keys"), ("poold.Manager().dict('e').pop('x')", "SharedError"),
              ("poold.Manager().list('l').get(9)", "SharedError"), ("poold.Manager().list('l').get('a')", "TypeError")])
    assert t.value("""const [a, b] = poold.Pipe('p');
a.send({ x: 1 }); b.send(2);
const got = [b.poll(), b.recv(), a.recv(), a.poll()];
b.close();
return [...got, a.poll()];""") == [True, {"x": 1}, 2, False, True]
    fails(t, [("poold.Pipe('p')[0].recv()", "SharedError"), ("poold.Pipe('q', { duplex: false })[0].send(1)", "is one-way")])


def node_memory(t):
    assert t.value("""const v = new poold.Value('i', 'v', 5);
v.value += 1;
return [v.value, v.add(), v.add(-3), v.value, v.compareSet(4, 1), v.compareSet(4, 2), v.getLock().with(() => v.value)];""") == [
        6, 7, 4, 4, True, False, 1]
    assert t.value("""const a = new poold.Array('d', 'a', [1, 2, 3]);
a.setSlice(0, a.slice().map((x) => x * 2)); a.set(-1, 0.5);
return [[...a], a.length, a.get(0), Array.from(a.slice(-2)), a.add(0, 1), a.compareSet(0, 3, 9), a.slice(2, 1).length];""") == [
        [2, 4, 0.5], 3, 2, [4, 0.5], 3, True, 0]
    assert t.value("""const far = new poold.Value('d', 'far', 0), sum = far.add(Infinity);
return [typeof sum, String(sum), String(far.value)];""") == ["number", "Infinity", "Infinity"]
    assert t.value("""const a = new poold.Array('q', 'q', 2);
a.setSlice(0, [2 ** 40, 9007199254740993n]);
return [a.get(0), String(a.get(1)), a.slice().constructor.name];""") == [2**40, "9007199254740993", "BigInt64Array"]
    t.do("globalThis.early = new poold.Queue('early', 3); globalThis.counted = new poold.Value('i', 'early', 5)")
    deleted_meanwhile(t, "early.put(1); counted.value += 1; return [counted.value, counted.add()]")
    fails(t, [("new poold.Array('B', 'B', 4).setSlice(0, [256])", "SharedError: 256 is out"),
              ("new poold.Array('f', 'f', 4).setSlice(0, [1e300])", "SharedError: 1e+300 is out"),
              ("new poold.Array('B', 'B', 4).setSlice(3, [1, 2])", "SharedError"), ("new poold.Value('x', 'x')", "TypeError"),
              ("new poold.Array('B', 'B').get(4)", "SharedError"), ("new poold.Array('i', 'B').get(0)", "TypeError"),
              ("new poold.Value('h', 'h').value = 40000", "SharedError: ")])


def node_waits(t):
    """Synchronous, whatever the event loop is at; what awaits may call before and after."""
    t.objects.queues_put("soon", 5)
    assert t.run("later", "soon")[0]["value"] == 5
    t.value("poold.Manager().dict('d').set('k', 7)")
    assert [o["value"] for o in t.run("patient", 1, 2)] == [[1, 7], [2, 7]]
    t.lines = []
    t.send("later", ["long"])
    t.turn_until(lambda: t.objects.waiting)
    t.objects.call({"object": "queues/long", "op": "put", "args": {"value": "x" * 3000000}}, 0, lambda answer: None)
    t.turn_until(lambda: t.lines)
    assert t.lines[-1]["value"] == "x" * 3000000
    plain = "const poold = require('poold'); try { new poold.Queue('a').put(1); } catch (e) { console.log(e.message); }"
    said = subprocess.run(["node", "-e", plain], capture_output=True,
                          env={"PATH": os.environ["PATH"], "NODE_PATH": RUNTIMES + "/node"})
    assert b"for tasks" in said.stdout, said
    assert t.close() == 0


NODE_TESTS = [node_queues, node_locks, node_containers, node_memory, node_waits]


def main():
    global RUNTIMES
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    RUNTIMES = os.path.realpath(sys.argv[1])
    folder = tempfile.mkdtemp(prefix="poold-objects-launchers-")
    try:
        for name, text in (("module.py", PYTHON), ("module.js", NODE)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
                file.write(text)
        kinds = [(Python, PYTHON_TESTS)] + ([(Node, NODE_TESTS)] if shutil.which("node") else [])
        for kind, tests in kinds:
            for test in tests:
                task = kind(folder)
                test(task)
                if task.socket.fileno() >= 0:
                    task.close()
                print("ok " + test.__name__)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


main()
