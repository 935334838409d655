#!/usr/bin/env python3
"""poold_client.Pool does what multiprocessing.Pool does, through a network that breaks and with a service that dies.

    tests/process/client_test.py build/bin/poold [PATTERN]      exit status 0 if all is true

The client reaches its poold through a Relay, which can cut its connections, swallow answers, and outlives restarts.
"""
import collections
import contextlib
import itertools
import json
import multiprocessing
import multiprocessing.pool
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
import threading
import time

from functions_kit import HERE, PATIENCE_S, House, expect, run, until

CLIENT = os.path.join(HERE, "../../deploy/clients/python")
HOUSE = os.path.join(HERE, "client_house")
sys.path[:0] = [CLIENT, HOUSE]

import calc  # noqa: E402
import poold_client  # noqa: E402
from poold_client import Pool, PooldError, RemoteError, TimeoutError  # noqa: E402

MODULES = ["calc", "example", "reference", "tour", "time", "posix", "builtins"]


class Relay:
    """A TCP proxy. cut(): all connections break. swallow: the next connection whose request matches loses its answer.
    limit: connections break after so many bytes of answers."""

    def __init__(self, target):
        self.target = target  # () -> (host, port)
        self.swallow, self.limit = None, None
        self.swallowed = self.connections = 0
        self.lock, self.open = threading.Lock(), set()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            near = self.listener.accept()[0]
            self.connections += 1
            threading.Thread(target=self.serve, args=(near,), daemon=True).start()

    def serve(self, near):
        try:
            far = socket.create_connection(self.target())
        except OSError:
            near.close()
            return
        pair = near, far
        with self.lock:
            self.open.add(pair)
        loses = threading.Event()
        back = threading.Thread(target=self.answers, args=(pair, loses), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while True:
                data = near.recv(65536)
                if not data:
                    break
                if self.swallow and re.match(self.swallow, data):
                    self.swallow = None
                    loses.set()
                far.sendall(data)
        self.end(pair)
        back.join()
        near.close()
        far.close()

    def answers(self, pair, loses):
        near, far = pair
        room = self.limit
        with contextlib.suppress(OSError):
            while True:
                data = far.recv(65536)
                if not data:
                    break
                if loses.is_set():  # it has arrived and was answered, but nobody learns of it
                    self.swallowed += 1
                    break
                if room is not None:
                    data, room = data[:room], room - len(data)
                near.sendall(data)
                if room is not None and room <= 0:
                    break
        self.end(pair)

    def end(self, pair):
        with self.lock:
            self.open.discard(pair)
        for end in pair:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def cut(self):
        with self.lock:
            pairs = list(self.open)
        for pair in pairs:
            self.end(pair)


def relay_to(house):
    def target():
        host, port = house.address.rsplit(":", 1)
        return host, int(port)
    return Relay(target)


RAISED = """
def raised(call, *args):
    try:
        value = call(*args)
    except Exception as error:
        return type(error), error.args
    return value
"""


def caught(kind, call, *args, **kwds):
    try:
        value = call(*args, **kwds)
    except kind as error:
        return error
    raise AssertionError("no %r, but %r" % (kind, value))


def job_of(house, result):
    return house.get("/v1/jobs/" + result.job)


# ---- what the README says ----


def readme_table(house):
    with open(CLIENT + "/README.md", encoding="utf-8") as file:
        text = file.read()
    rows = re.findall(r"^\| `(.*)` \| `(.*)` \|$", text, re.M)
    expect(len(rows) >= 15, "the README's table has", len(rows), "rows")
    left = script(house, ["-c", RAISED + textwrap.dedent("""
        import json, multiprocessing, sys, calc
        with multiprocessing.Pool(2) as pool:
            print(json.dumps([repr(eval(row)) for row in json.loads(sys.argv[1])]))
    """), json.dumps([row[0] for row in rows])])
    expect(left.returncode == 0, left.stderr)
    names_ = {"calc": calc}
    exec(RAISED, names_)  # pylint: disable=exec-used
    with Pool(2, house.relay.url) as pool:
        for (call, ours), want in zip(rows, json.loads(left.stdout)):
            got = repr(eval(ours, dict(names_, pool=pool)))  # pylint: disable=eval-used
            expect(want == got, call, "is", want, "but", ours, "is", got)


def script(house, source, **environment):
    return subprocess.run([sys.executable, "-W", "error", *source], capture_output=True, text=True,
                          timeout=2 * PATIENCE_S, check=False, cwd=house.functions,
                          env={**os.environ, "POOLD_URL": house.relay.url, "PYTHONPATH": CLIENT, **environment})


def readme_blocks(house):
    with open(CLIENT + "/README.md", encoding="utf-8") as file:
        blocks = re.findall(r"^```python\n(.*?)^```$", file.read(), re.M | re.S)
    expect(blocks)
    for block in blocks:
        done = script(house, ["-c", block])
        want = re.findall(r"# prints (.*)$", block, re.M)
        expect(done.returncode == 0 and done.stdout.splitlines() == want, done.stdout, done.stderr)


# ---- Python's documentation ----


def documentation_example(house):
    done = script(house, ["example.py"])
    expect(done.returncode == 0, done.stdout, done.stderr)
    lines = done.stdout.splitlines()
    expect(lines[0] == str([x * x for x in range(10)]), lines)
    expect(sorted(map(int, lines[1:11])) == [x * x for x in range(10)], lines)
    expect(lines[11] == "400" and int(lines[12]) > 1 and len(json.loads(lines[13])) == 4, lines)
    expect(lines[14].startswith("We lacked patience") and lines[16].startswith("Now the pool is closed"), lines)


def documentation_reference(house):
    done = script(house, ["reference.py"])
    expect(done.returncode == 1 and done.stdout.splitlines() == ["100", str([x * x for x in range(10)]), "0", "1", "4"],
           done.stdout, done.stderr)
    expect(done.stderr.rstrip().endswith("TimeoutError"), done.stderr)


def documentation_tour(house):
    done = script(house, ["tour.py"])
    expect(done.returncode == 0, done.stdout, done.stderr)
    for i in range(10):
        for line in ("mul((%d, 7)) = %d" % (i, i * 7), "plus((%d, 8)) = %d" % (i, i + 8)):
            expect(done.stdout.count("\t " + line + "\n") == 4, line, done.stdout)
    expect(done.stdout.count("Got ZeroDivisionError as expected") == 4, done.stdout)


# ---- methods ----


def names(_):
    def local():
        pass

    named = poold_client.function_name
    expect(named("any.thing") == "any.thing")
    expect(named(calc.square) == "calc.square" and named(pow) == "builtins.pow" and named(time.time) == "time")
    expect(named(os.path.join) == "posixpath.join" and named(json.dumps) == "json.dumps")
    expect(named(multiprocessing.pool.mapstar) == "pool.mapstar", "the last part of a dotted module")
    for wrong in (lambda x: x, local, calc.Refusal, calc.Refusal("x").with_traceback, "x".upper, str.upper, 7):
        caught(TypeError, named, wrong)


def order(house):
    with Pool(url=house.relay.url) as pool:
        items = [0.6, 0.0, 0.1]
        expect(list(pool.imap(calc.later, items, 1)) == items)
        gate = os.path.join(house.notes, "order")
        loose = pool.imap_unordered(calc.held, [[gate, 0], [None, 1], [None, 2]], 1)
        got = [next(loose), next(loose)]
        open(gate, "x").close()
        expect(sorted(got) == [1, 2] and next(loose) == 0, "as they end:", got)
        caught(StopIteration, next, loose)
        expect(pool.map(calc.later, items, chunksize=1) == items)
        many = range(50_000)
        expect(list(pool.imap("square", many)) == [x * x for x in many])
        expect(sorted(pool.imap_unordered("square", many)) == [x * x for x in many])
        expect(pool.map("square", many) == pool.map("square", list(many)) == [x * x for x in many])
        big = ["x" * 300_000 + str(i) for i in range(20)]  # more than one batch
        expect(pool.map("echo", big) == list(pool.imap("echo", big)) == big)
        expect(pool.map("square", []) == list(pool.imap("square", [])) == pool.starmap("sum", iter([])) == [])


def arguments(house):
    with Pool(url=house.relay.url) as pool:
        expect(pool.apply(calc.add, (), {"a": 1, "b": 2}) == 3)
        expect(pool.apply(calc.named, (1, 2), {"c": 4}) == [1, 2, 4])
        expect(pool.apply(calc.hypotenuse, ({"x": 3, "y": 4},)) == 5.0)
        expect(pool.apply("sum", ([1, 2, 3],)) == 6, "a list is one argument")
        expect(pool.starmap(calc.named, [(1, 2), {"a": 1, "b": 2, "c": 5}]) == [[1, 2, 3], [1, 2, 5]])
        caught(TypeError, pool.apply, "calc.add", (1,), {"b": 2})
        caught(TypeError, pool.apply, pow, (1,), {"exp": 2, "bad": 3})
        caught(TypeError, pool.map, calc.square, [1], surprise=1)
        caught(ValueError, pool.map, calc.square, [1], chunksize=0)
    caught(TypeError, Pool, 2, print, (1,))
    caught(TypeError, Pool, 2, initializer=print)
    caught(ValueError, Pool, 0)


def not_json(house):
    before = len(house.get("/v1/jobs?limit=1000")["jobs"])
    loop = []
    loop.append(loop)
    with Pool(url=house.relay.url) as pool:
        for bad in (object(), {1, 2}, b"x", float("nan"), float("inf"), "\ud800", {1: 2}, [{"a": [{None: 1}]}], loop):
            caught(TypeError, pool.apply, "echo", (bad,))
            caught(TypeError, pool.map, "echo", [1, bad])
            caught(TypeError, pool.starmap, "echo", [(bad,)])
        expect(len(house.get("/v1/jobs?limit=1000")["jobs"]) == before, "something was sent")
        it = pool.imap("echo", iter([1, 2, {1, 2}, 4]))
        expect(next(it) == 1 and next(it) == 2)
        caught(TypeError, next, it)
        caught(StopIteration, next, it)
        values = [10 ** 400, 0.1, "é\n\u2028\0", None, True, [[]], {"b": 1, "a": {}}]
        expect(pool.map("echo", values) == list(pool.imap("echo", values)) == values)


def options(house):
    with Pool(3, house.relay.url, priority=7, name="all of them") as pool:
        result = pool.map_async("square", [1], chunksize=5, timeout=9, max_attempts=2, backoff=0.5, isolation="process")
        expect(result.get() == [1])
        view = job_of(house, result)
        got = view["options"]
        want = {"processes": 3, "priority": 7, "chunksize": 5, "timeout": 9, "max_attempts": 2, "backoff": 0.5,
                "isolation": "process"}
        expect({name: got[name] for name in want} == want and view["name"] == "all of them", got)
        error = caught(PooldError, pool.apply, "no.such", (1,))
        expect(error.status == 422 and error.type == "unknown-function", error)
        caught(PooldError, pool.map, "no.such", range(3))
        caught(PooldError, next, pool.imap("no.such", range(3)))
        caught(PooldError, pool.map, "echo", [1], priority=10)
        expect(pool.apply("echo", (1,), delay=0.05) == 1, "a call with a job of its own")


def traces(house):
    one, two = ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b%d-01" % n for n in (1, 2))
    os.environ["TRACEPARENT"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b9-01"  # nobody has asked for that
    with Pool(url=house.relay.url) as pool:
        results = [pool.apply_async("calc.traced", (1,), **options)
                   for options in ({}, {"traceparent": one}, {"traceparent": two}, {"traceparent": one}, {})]
        expect([result.get(PATIENCE_S) for result in results] == [None, one, two, one, None], "whose trace is it?")
        expect(pool.map("calc.traced", range(3), traceparent=one) == [one] * 3, "map")
    with Pool(url=house.relay.url, traceparent=two) as pool:
        expect(list(pool.imap("calc.traced", iter(range(3)))) == [two] * 3, "all calls of the pool")
        result = pool.map_async("calc.traced", [1], traceparent=one)
        expect(result.get(PATIENCE_S) == [one] and job_of(house, result)["traceparent"] == one, "of one call")


# ---- errors ----


def errors(house):
    with Pool(url=house.relay.url) as pool:
        error = caught(ZeroDivisionError, pool.apply, calc.reciprocal, (0,))
        cause = error.__cause__
        expect(isinstance(cause, RemoteError) and cause.remote_class == "ZeroDivisionError" and
               cause.type == "error" and cause.attempts == 1 and "return 1 / x" in cause.traceback and
               "return 1 / x" in str(cause), cause)
        expect(caught(KeyError, pool.apply, calc.lookup, ("b",)).args == ("b",))
        error = caught(RemoteError, pool.apply, calc.refuse, (1,))
        expect(error.remote_class == "calc.Refusal" and error.message == "never 1", error)
        caught(RemoteError, next, pool.imap(calc.stop, [1]))  # and not the end of the loop
        error = caught(RemoteError, pool.apply, calc.later, (60,), timeout=0.2)
        expect(error.type == "timeout", error)
        error = caught(RemoteError, pool.apply, calc.die, (0,), isolation="process")
        expect(error.type == "crash" and error.signal == "SIGABRT", error)
        it = pool.imap(calc.reciprocal, [1, 0, 2])
        expect(next(it) == 1.0)
        caught(ZeroDivisionError, next, it)
        expect(next(it) == 0.5)
        caught(StopIteration, next, it)
        result = pool.map_async(calc.lookup, ["a", "x", "y"])
        result.wait()
        expect(result.ready() and not result.successful())
        expect(caught(KeyError, result.get).args == ("x",), "the first one's error")
        many = [pool.apply_async("echo", ("x" * n,)) for n in (5, 9 << 20, 6)]
        expect(many[0].get() == "x" * 5 and many[2].get() == "x" * 6, "a neighbour was too large")
        expect(caught(PooldError, many[1].get).type in ("item-too-large", "invalid-value"))

        def broken():
            yield 1
            yield 2
            raise LookupError("no more")

        it = pool.imap("square", broken())
        expect(next(it) == 1 and next(it) == 4)
        caught(LookupError, next, it)
        caught(StopIteration, next, it)
        result = pool.map_async("square", broken())
        caught(LookupError, result.get)
        until(lambda: result._job.id is None or job_of(house, result)["ended"],
              "the end of a map whose iterable failed")


def timeouts(house):
    with Pool(url=house.relay.url) as pool:
        gate = threading.Event()

        def gated():
            gate.wait(PATIENCE_S)
            yield 3

        result = pool.map_async("square", gated())
        it = pool.imap("square", gated())
        caught(TimeoutError, result.get, 0.05)
        caught(multiprocessing.TimeoutError, it.next, 0.05)
        result.wait(0.05)
        expect(not result.ready())
        caught(ValueError, result.successful)
        gate.set()
        expect(result.get(PATIENCE_S) == [9] and it.next(PATIENCE_S) == 9 and result.successful())


def callbacks(house):
    with Pool(url=house.relay.url) as pool:
        said, failed = [], []
        results = [
            pool.apply_async("square", (3,), callback=said.append, error_callback=failed.append),
            pool.map_async("square", [1, 2], callback=said.append, error_callback=failed.append),
            pool.starmap_async(calc.add, [(1, 2)], callback=said.append),
            pool.apply_async(calc.reciprocal, (0,), callback=said.append, error_callback=failed.append),
            pool.map_async(calc.lookup, ["x"], callback=said.append, error_callback=failed.append),
        ]
        for result in results:
            result.wait()
        expect(sorted(map(str, said)) == ["9", "[1, 4]", "[3]"], said)
        expect(sorted(type(e).__name__ for e in failed) == ["KeyError", "ZeroDivisionError"], failed)
        chain, done = [], threading.Event()

        def again(value):  # calls from callbacks
            chain.append(value)
            if value < 300:
                pool.apply_async("square", (value,), callback=again)
            else:
                done.set()

        pool.apply_async("square", (2,), callback=again)
        expect(done.wait(PATIENCE_S) and chain == [4, 16, 256, 65536], chain)


# ---- lazy ----


def endless(house):
    with Pool(url=house.relay.url) as pool:
        read = itertools.count()
        it = pool.imap("square", read)
        expect(list(itertools.islice(it, 100)) == [x * x for x in range(100)])
        loose = pool.imap_unordered("square", itertools.count())
        expect(len(set(itertools.islice(loose, 100))) == 100)
        ahead = poold_client.AHEAD_ITEMS + 102
        expect(next(read) <= ahead, "it was read too far")
        jobs = [it.job, loose.job]
    for job in jobs:
        view = house.ended(job)
        expect(view["state"] == "cancelled" and view["counts"]["total"] <= ahead, view)


def early(house):
    """Results come while the iterable waits for them: each item is made of the result before."""
    with Pool(url=house.relay.url) as pool:
        answer = collections.deque([1])
        came = threading.Semaphore(1)

        def fed_back():
            for _ in range(30):
                came.acquire()
                yield answer[-1]

        for order_ in (pool.imap, pool.imap_unordered):
            for value in order_(calc.add, fed_back()):
                answer.append(value + 1)
                came.release()
        expect(list(answer) == list(range(1, 62)), answer)


# ---- its end ----


def close_join(house):
    pool = Pool(url=house.relay.url)
    caught(ValueError, pool.join)
    results = [pool.apply_async(calc.later, (0.2,)) for _ in range(6)]
    mapped = pool.map_async(calc.later, (0.1 for _ in range(6)))
    told = []
    lazy = pool.imap("square", range(25_000))  # more than it may be ahead, and nobody reads
    pool.apply_async(calc.later, (0.3,), callback=told.append)
    pool.close()
    for call in (lambda: pool.map("square", [1]), lambda: pool.apply_async("square", (1,)),
                 lambda: pool.imap("square", [1]), pool.__enter__):
        caught(ValueError, call)
    pool.join()
    expect(all(r.ready() for r in results) and mapped.ready() and told == [0.3])
    expect(list(lazy) == [x * x for x in range(25_000)])
    for result in (results[0], mapped, lazy):
        view = house.ended(result.job)
        expect(view["state"] == "succeeded", view)


def terminate(house):
    pool = Pool(url=house.relay.url)
    expect(pool.apply("square", (2,)) == 4)
    lazy = pool.imap(calc.later, iter([0, 60]))
    expect(next(lazy) == 0)
    running = pool.map_async(calc.later, [60] * 10)
    called = pool.apply_async(calc.later, (60,))
    until(lambda: called._job.id and running._job.id, "the jobs")
    pool.terminate()
    pool.join()
    expect(caught(RemoteError, running.get, PATIENCE_S).type == "cancelled")
    expect(caught(RemoteError, called.get, PATIENCE_S).type == "cancelled")
    expect(caught(RemoteError, next, lazy).type == "cancelled")
    caught(ValueError, pool.map, "square", [1])
    for result in (running, called, lazy):
        expect(house.ended(result.job)["state"] == "cancelled")
    with Pool(url=house.relay.url) as pool:
        done = pool.apply_async("square", (3,))
        expect(done.get() == 9)
    expect(house.ended(done.job)["state"] == "succeeded", "what was done was not cancelled")


def program_ends(house):
    done = script(house, ["-c", textwrap.dedent("""
        from poold_client import Pool
        pool = Pool()
        result = pool.map_async("calc.later", [60, 60])
        while result._job.id is None:
            result.wait(0.01)
        print(result.job)
    """)])
    expect(done.returncode == 0, done.stderr)
    expect(house.ended(done.stdout.strip())["state"] == "cancelled")


# ---- a network that breaks, a service that dies ----


def lost_answers(house):
    """A submission, items and a close whose answers get lost: each happens once."""
    relay = relay_to(house)
    with Pool(url=relay.url) as pool:
        for request in (rb"POST /v1/jobs ", rb"POST /v1/jobs/\w+/items", rb"POST /v1/jobs/\w+/close"):
            made = threading.Event()

            def slowly():
                yield 1
                made.wait(PATIENCE_S)  # until the job is there: what follows are items for it
                yield from range(2, 2000)

            relay.swallow, before = request, relay.swallowed
            jobs = {job["id"] for job in house.get("/v1/jobs?limit=1000")["jobs"]}
            it = pool.imap("echo", slowly())
            expect(next(it) == 1)
            made.set()
            expect(list(it) == list(range(2, 2000)), request)
            expect(relay.swallowed == before + 1, request, "was not swallowed")
            new = {job["id"] for job in house.get("/v1/jobs?limit=1000")["jobs"]} - jobs
            expect(it.job in new and house.ended(it.job)["counts"]["total"] == 1999, new)
        made_before = house.get("/v1/jobs?function=calc.hypotenuse")["jobs"]
        relay.swallow = rb"POST /v1/jobs "
        expect(pool.map(calc.hypotenuse, [{"x": 3, "y": 4}]) == [5.0])
        expect(len(house.get("/v1/jobs?function=calc.hypotenuse")["jobs"]) == len(made_before) + 1, "a second job")


def cut_connections(house):
    relay = relay_to(house)
    stop = threading.Event()

    def cuts():
        while not stop.wait(0.03):
            relay.cut()

    with Pool(url=relay.url) as pool:
        relay.limit = 50_000
        items = list(range(30_000))
        expect(list(pool.imap("echo", iter(items))) == items)
        expect(sorted(pool.imap_unordered("echo", iter(items))) == items)
        expect(relay.connections > 20, "it was not cut")
        relay.limit = None
        thread = threading.Thread(target=cuts)
        thread.start()
        try:
            expect(pool.map("echo", iter(items)) == items)
            expect(list(pool.imap("echo", iter(items))) == items)
            calls = [pool.apply_async("echo", (i,)) for i in range(2000)]
            expect([call.get(PATIENCE_S) for call in calls] == items[:2000])
            pool.close()
            pool.join()
        finally:
            stop.set()
            thread.join()


def nobody_there(house):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        url = "http://127.0.0.1:%d" % unused.getsockname()[1]
    pool = Pool(url=url, retry=0.3)
    caught(ConnectionError, pool.map, "square", [1])
    caught(ConnectionError, pool.apply, "square", (1,))
    caught(ConnectionError, next, pool.imap("square", [1]))
    pool.close()
    pool.join()
    caught(ValueError, Pool, url="localhost")


def killed(house):
    """kill -9 of all of poold in the middle of everything, twice."""
    notes = os.path.join(house.notes, "marks")
    with Pool(url=house.relay.url) as pool:
        count = 1500
        results = [pool.apply_async("square", (i,)) for i in range(500)]
        mapped = pool.map_async(calc.later, (0.002 for _ in range(1000)))
        lazy = pool.imap(calc.marked, ([notes, i] for i in range(count)))
        loose = pool.imap_unordered(calc.marked, ([notes + "-loose", i] for i in range(count)))
        got, unordered = [], []
        for limit in (count // 3, 2 * count // 3, count):
            while len(got) < limit:
                got.append(next(lazy))
                unordered.append(next(loose))
            if limit < count:
                house.kill_all()
                house.start(wait_functions=False)
        expect(got == list(range(count)), "imap: in order, each once")
        expect(sorted(unordered) == list(range(count)), "imap_unordered: each once")
        caught(StopIteration, next, lazy)
        caught(StopIteration, next, loose)
        expect([r.get(PATIENCE_S) for r in results] == [i * i for i in range(500)])
        expect(mapped.get(PATIENCE_S) == [0.002] * 1000)
        for name in (notes, notes + "-loose"):
            with open(name, encoding="utf-8") as file:
                expect({int(line) for line in file} == set(range(count)), "an item did not run")


def stopped(house):
    """SIGTERM in the middle: streams say where to go on, items that come are refused, and nothing is run again."""
    notes, count = os.path.join(house.notes, "stopped"), 800
    with Pool(url=house.relay.url) as pool:
        ordered = pool.imap(calc.marked, ([notes, i] for i in range(count)))
        loose = pool.imap_unordered(calc.marked, ([notes + "-loose", i] for i in range(count)))
        got, unordered = [next(ordered) for _ in range(count // 4)], [next(loose)]
        house.process.send_signal(signal.SIGTERM)
        expect(house.process.wait(PATIENCE_S) == 0)
        house.process.stdin.close()
        house.start(wait_functions=False)
        expect(got + list(ordered) == list(range(count)), "imap: in order, each once")
        expect(sorted(unordered + list(loose)) == list(range(count)), "imap_unordered: each once")
    for name in (notes, notes + "-loose"):
        with open(name, encoding="utf-8") as file:
            expect(sorted(int(line) for line in file) == list(range(count)), "an item was run again, or never")


def make_certificate(folder):
    """(certificate, key), for 127.0.0.1; its own authority."""
    files = [os.path.join(folder, name) for name in ("cert.pem", "key.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-out", files[0], "-keyout",
                    files[1]], check=True, stderr=subprocess.DEVNULL)
    return files


def https(house):
    if not shutil.which("openssl"):
        print("skipped: https, as there is no openssl to make a certificate with")
        return
    cert, key = make_certificate(house.dir)
    secure = House(house.binary, {}, "--tls-cert", cert, "--tls-key", key)
    try:
        relay = relay_to(secure)
        url = relay.url.replace("http:", "https:")
        items = list(range(20_000))
        with Pool(url=url, cafile=cert) as pool:
            expect(pool.map("square", items) == [i * i for i in items])
            relay.limit = 100_000  # streams are cut within a record
            expect(list(pool.imap("echo", iter(items))) == items)
            expect(sorted(pool.imap_unordered("echo", iter(items))) == items)
            relay.limit = None
            expect(pool.apply("square", (12,)) == 144)
        pool = Pool(url=url, context=ssl.create_default_context(cafile=cert))
        late = pool.map_async("sleep", [30])
        until(lambda: relay.open, "the stream")
        pool.terminate()  # ends what a thread reads
        pool.join()
        caught(RemoteError, late.get, PATIENCE_S)
        pool = Pool(url=url)
        began = time.monotonic()
        caught(ssl.SSLCertVerificationError, pool.map, "square", [1])
        expect(time.monotonic() - began < 20, "it was asked again and again")
        pool.close()
        caught(TypeError, Pool, url=url, cafile=cert, context=ssl.create_default_context())
        secure.stop()
    finally:
        secure.clean_up()


CHECKS = [readme_table, readme_blocks, documentation_example, documentation_reference, documentation_tour, names, order,
          arguments, not_json, options, traces, errors, timeouts, callbacks, endless, early, close_join, terminate,
          program_ends, lost_answers, cut_connections, nobody_there, https, killed, stopped]


def main():
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    only = sys.argv[2] if len(sys.argv) == 3 else None
    house = House(sys.argv[1], {name: {"runtime": "python", "module": name} for name in MODULES}, start=False)
    try:
        for name in os.listdir(HOUSE):
            if name.endswith(".py"):
                shutil.copy(os.path.join(HOUSE, name), house.functions)
        shutil.copy(os.path.join(CLIENT, "poold_client.py"), house.functions)
        house.start()
        house.relay = relay_to(house)
        wrong = run("client", house, [(check.__name__, check) for check in CHECKS], at_once=1, only=only)
        if wrong:
            print("poold's log:\n" + house.log()[-3000:])
        else:
            house.stop()
    finally:
        house.clean_up()
    sys.exit(wrong > 0)


main()
