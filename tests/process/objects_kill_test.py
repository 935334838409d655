#!/usr/bin/env python3
"""Shared objects and kill -9: of who holds, who waits, the server, and everything.

    tests/process/objects_kill_test.py BUILD/bin/poold PLUGINS [PATTERN]

Nothing that was acknowledged is lost or done twice, nobody is held up by the dead, and who waited and went away leaves
no trace.
"""
import collections
import contextlib
import http.client
import itertools
import os
import random
import signal
import socket
import sys
import threading
import time

from functions_kit import PATIENCE_S, Wrong, addresses, expect, judge_end, run, until
from objects_kit import SANITIZED, ObjectsHouse, Refused

GRANT_S = 20 if SANITIZED else 5  # "within a moment" on a machine that is busy with other tests
names = itertools.count()


class KillHouse(ObjectsHouse):
    """A server that dies is started again by the supervisor, maybe elsewhere."""

    busy = False

    def server(self):
        for pid, (line, _) in self.marked().items():
            if os.path.basename(line.split(" ")[0]) == "poold-server":
                return pid
        return None

    def note(self, name):
        """(the process that has left it, its parent)"""
        path = os.path.join(self.notes, name)
        until(lambda: os.path.exists(path), "the note " + name)
        with open(path, encoding="utf-8") as file:
            return [int(pid) for pid in file.read().split()]

    def kill(self, what, note=None):
        """Kills the process of an item, its worker, the server, or all there is (and starts anew)."""
        if what in ("item", "worker"):
            pid = self.note(note)[what == "worker"]
            os.kill(pid, signal.SIGKILL)
        elif what == "server":
            self.kill_server()
        else:
            self.kill_all()
            self.busy = True
            self.start()
            self.busy = False

    def kill_server(self):
        before, pid = len(addresses(self.log())), until(self.server, "a server")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        until(lambda: self.server() not in (None, pid), "the next server")
        until(self.answers, "an answer of the next server")
        expect(len(addresses(self.log())) >= before, "the log")

    def wait_pool(self):
        """Not after a kill of all: what ran runs again."""
        if not self.busy:
            super().wait_pool()

    def answers(self):
        self.address = addresses(self.log())[-1]
        try:
            return self.ask("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException):
            return False

    def task(self, function, max_attempts=1, **item):
        return self.submit("py." + function, item, kind="apply", max_attempts=max_attempts)

    def waiting(self, path, calls):
        """So many calls wait with an object."""
        client = self.client()
        until(lambda: client.inspect(path)["waiting"] == calls,
              lambda: "%d calls that wait, not %r" % (calls, client.inspect(path)))
        client.close()


def fresh(what):
    return "%s-%d" % (what, next(names))


class Later(threading.Thread):
    """A call that may take a while."""

    def __init__(self, call):
        super().__init__()
        self.call, self.answer, self.problem, self.ended = call, None, None, None
        self.start()

    def run(self):
        try:
            self.answer = self.call()
        except Exception as problem:  # pylint: disable=broad-except
            self.problem = problem
        self.ended = time.monotonic()

    def get(self):
        self.join(PATIENCE_S)
        if self.problem:
            raise self.problem
        return self.answer


# ---- who holds ----


def holder(language, what, kind="lock"):
    """A killed holder's lock goes to the next one at once, who is told; the one after that is not."""
    def check(house):
        name = fresh("held")
        c = house.client()
        c.create("locks/" + name, **({"type": kind} if kind != "lock" else {}))
        if language == "python":
            job = house.task("hold", name=name, note=name, type=kind)
        else:
            job = house.act(language, "hold", name, name, 1)
        house.note(name)
        try:
            c.acquire(name, wait=None)
            raise Wrong("it is held, and granted")
        except Refused as refused:
            expect(refused.type == "busy", refused)
        waiter = Later(lambda: house.client().acquire(name))
        house.waiting("locks/" + name, 1)
        other = house.task("hold", name=name, type=kind)
        house.waiting("locks/" + name, 2)
        began = time.monotonic()
        house.kill(what, name)
        got = waiter.get()
        expect(waiter.ended - began < GRANT_S, "granted only after", waiter.ended - began)
        expect(got["recovered"] is True, "not marked:", got)
        c.release(name, got["token"])
        token, recovered = house.history(other)
        expect(token > got["token"] and not recovered, "the next one:", token, recovered, "after", got)
        line = house.results(job)[0]
        expect(line.get("error", {}).get("type") == "crash", line)
        house.wait_pool()
    return check


def holder_again(what):
    """With a second attempt, also after the server's death; tokens grow."""
    def check(house):
        name = fresh("again")
        c = house.client()
        c.create("locks/" + name)
        before = c.acquire(name)
        c.release(name, before["token"])
        job = house.task("hold", name=name, note=name, max_attempts=2)
        house.note(name)
        if what in ("server", "all"):
            os.unlink(os.path.join(house.notes, name))
            house.kill(what)
            # It did not fail, so it is as if it had never begun.
            pid = house.note(name)[0]
            os.kill(pid, signal.SIGKILL)
        else:
            house.kill(what, name)
        token, recovered = house.history(job)
        expect(token > before["token"] + 1, "tokens grow", before, token)
        expect(recovered is True, "not marked")
        last = house.client().acquire(name)
        expect(last["token"] > token and not last["recovered"], last)
        house.client().release(name, last["token"])
        house.wait_pool()
    return check


def value_lock(what):
    """get_lock() of a value: what it left half done is there, and who comes next knows."""
    def check(house):
        name = fresh("value")
        c = house.client()
        c.create("values/" + name, typecode="q", value=10)
        job = house.task("hold_value", name=name, note=name, max_attempts=2)
        house.note(name)
        house.kill(what, name)
        value, recovered = house.history(job)
        expect(value == 13 and recovered is True, "the value of", value, "recovered", recovered)
        expect(c.named("values/" + name, "get")["value"] == 13, "the value")
        house.wait_pool()
    return check


def outsider(what):
    """Locks and leases of HTTP clients live on, with their tokens, whatever dies."""
    def check(house):
        name = fresh("outside")
        c = house.client()
        c.create("locks/" + name)
        c.create("queues/" + name)
        held = c.acquire(name)
        c.put(name, 1)
        c.put(name, 2)
        lease = c.get_many(name, 1, lease=PATIENCE_S)
        house.kill(what)
        c = house.client()
        try:
            c.acquire(name, wait=None)
            raise Wrong("held, and granted again")
        except Refused as refused:
            expect(refused.type == "busy", refused)
        c.release(name, held["token"])
        expect(c.acquire(name)["token"] > held["token"], "tokens grow")
        expect(c.drain(name) == [2], "what is leased is given to somebody else, or the other one is lost")
        c.ack(name, lease["leases"][0])
        expect(c.inspect("queues/" + name)["size"] == 0 and c.inspect("queues/" + name)["leased"] == 0, "after ack")
    return check


def borrower(what):
    """A leased element comes back when who leased it dies."""
    def check(house):
        name = fresh("lent")
        c = house.client()
        c.create("queues/" + name)
        c.put(name, "first")
        job = house.task("borrow", name=name, note=name, max_attempts=2)
        house.note(name)
        c.put(name, "second")
        if what in ("server", "all"):
            os.unlink(os.path.join(house.notes, name))
            house.kill(what)
            pid = house.note(name)[0]
            os.kill(pid, signal.SIGKILL)
        else:
            house.kill(what, name)
        expect(house.history(job) == "first", "the element goes back to the front")
        expect(house.client().drain(name) == ["second"], "what is left")
        house.wait_pool()
    return check


# ---- every step of a task ----


def item_steps(what):
    def check(house):
        for at in range(5):
            name = fresh("steps")
            c = house.client()
            for kind in ("queues", "dicts", "pipes", "lists"):
                c.create(kind + "/" + name)
            job = house.task("half", name=name, i=7, until=at, note=name)
            house.note(name)
            house.kill(what, name)
            expect(house.results(job)[0].get("error", {}).get("type") == "crash", house.results(job))
            done = counts(c, name)
            expect(done == [1] * at + [0] * (5 - at), what, "killed after", at, "steps; done:", done)
            house.wait_pool()
    return check


def server_steps(what):
    """The item runs again and gets as far: what was done before is there or not, but in order and never in parts."""
    def check(house):
        for at in range(5):
            name = fresh("steps")
            c = house.client()
            for kind in ("queues", "dicts", "pipes", "lists"):
                c.create(kind + "/" + name)
            job = house.task("half", name=name, i=7, until=at, note=name)
            house.note(name)
            os.unlink(os.path.join(house.notes, name))
            house.kill(what)
            pid = house.note(name)[0]
            os.kill(pid, signal.SIGKILL)
            house.ended(job)
            done = counts(house.client(), name)
            expect(all(n in (1, 2) for n in done[:at]) and not any(done[at:]), what, "at", at, "done:", done)
            expect(done == sorted(done, reverse=True), "a later change is there and an earlier one is not:", done)
            house.wait_pool()
    return check


def counts(c, name):
    """How often each step of `half` was done. (The dict's update can be seen once.)"""
    queued = c.drain(name)
    items = c.named("dicts/" + name, "items")["items"]
    entries = dict(items)
    expect(set(entries) in ({"k7", "l7", "sum"}, {"k7", "l7"}, set()), "half of an update:", entries)
    sent = []
    with contextlib.suppress(Refused):
        while True:
            sent.append(c.recv(name, "b", wait=None))
    listed = c.inspect("lists/" + name)["length"]
    added = entries.get("sum", 0)
    updated = max(added, 1) if "k7" in entries else 0
    return [len(queued), updated, added, len(sent), listed]


# ---- who waits ----


def waiting_task(op, what):
    """It is killed while it waits, and takes nothing with it."""
    def check(house):
        name = fresh("waiter")
        c = house.client()
        kind = {"lock": "locks", "recv": "pipes"}.get(op, "queues")
        held = None
        c.create(kind + "/" + name, **({"maxsize": 1} if op == "put" else {}))
        if op == "lock":
            held = c.acquire(name)
        elif op in ("put", "join"):
            c.put(name, "there")
        job = house.task("wait_for", name=name, op=op, note=name, value="never")
        house.note(name)
        house.waiting(kind + "/" + name, 1)
        expect(house.item(job)["state"] == "waiting", house.item(job))
        house.kill(what, name)
        house.waiting(kind + "/" + name, 0)
        expect(house.results(job)[0].get("error", {}).get("type") == "crash", house.results(job))
        no_trace(c, op, name, held)
        house.wait_pool()
    return check


def no_trace(c, op, name, held):
    if op == "lock":
        c.release(name, held["token"])
        got = c.acquire(name, wait=None)
        expect(got["recovered"] is False, "who waits holds nothing:", got)
    elif op == "get":
        c.put(name, "here")
        expect(c.drain(name) == ["here"], "an element is lost")
    elif op == "recv":
        c.send(name, "a", "here")
        expect(c.recv(name, "b", wait=None) == "here", "something sent is lost")
    else:
        expect(c.drain(name) == ["there"], "what was to be put")
        expect(c.inspect("queues/" + name)["size"] == 0, "it is put by a dead one")


def leaving_client(op, noticed):
    """HTTP clients close their connections while they wait; what they wait for may come before anybody has noticed."""
    def check(house):
        name = fresh("leaver")
        c = house.client()
        kind = {"lock": "locks", "recv": "pipes"}.get(op, "queues")
        held = None
        c.create(kind + "/" + name, **({"maxsize": 1} if op == "put" else {}))
        if op == "lock":
            held = c.acquire(name)
        elif op in ("put", "join"):
            c.put(name, "there")
        path, body = {"get": ("queues/%s/get", ""), "put": ("queues/%s/put", '{"value":"never"}'),
                      "lock": ("locks/%s/acquire", '{"ttl":60}'), "recv": ("pipes/%s/b/recv", ""),
                      "join": ("queues/%s/join", None)}[op]
        with contextlib.ExitStack() as connections:
            for _ in range(5):
                host, port = house.address.rsplit(":", 1)
                s = connections.enter_context(socket.create_connection((host, int(port))))
                s.sendall(("%s /v1/%s?wait=600 HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n"
                           "Content-Length: %d\r\n\r\n%s" % ("GET" if body is None else "POST", path % name, house.address,
                                                          len(body or ""), body or "")).encode())
            house.waiting(kind + "/" + name, 5)
        if noticed:
            house.waiting(kind + "/" + name, 0)
        no_trace(c, op, name, held)
    return check


def cancelled_waiter(house):
    """A task that waits can be cancelled and times out like any other."""
    c = house.client()
    name = fresh("cancelled")
    c.create("queues/" + name)
    job = house.task("wait_for", name=name, op="get")
    house.waiting("queues/" + name, 1)
    expect(house.ask("POST", "/v1/jobs/%s/cancel" % job)[0] // 100 == 2, "cancel")
    expect(house.results(job)[0].get("error", {}).get("type") == "cancelled", house.results(job))
    house.waiting("queues/" + name, 0)
    job = house.submit("py.wait_for", {"name": name, "op": "get"}, kind="apply", max_attempts=1, timeout=0.3)
    expect(house.results(job)[0].get("error", {}).get("type") == "timeout", house.results(job))
    house.waiting("queues/" + name, 0)
    c.put(name, 5)
    expect(c.drain(name) == [5], "it went to somebody who is no more")


def full_pool(house):
    """All workers wait for one who cannot start: that is to be seen, and a process of its own gets through."""
    house.wait_pool()
    name = fresh("full")
    c = house.client()
    c.create("queues/" + name)
    jobs = [house.task("wait_for", name=name, op="get") for _ in range(house.processes)]
    house.waiting("queues/" + name, house.processes)
    pool = house.get("/v1/pool")
    expect(pool["workers"]["waiting"] == house.processes, pool)
    behind = [house.submit("py.wait_for", {"name": name, "op": "put", "value": i}, kind="apply") for i in range(3)]
    until(lambda: house.get("/v1/pool").get("stuck"), lambda: "nothing says that it is stuck: %r" % house.get("/v1/pool"))
    expect("isolation" in house.get("/v1/pool")["stuck"], house.get("/v1/pool"))
    for worker in house.workers():
        expect(name in (worker.get("waiting_for") or ""), worker)
    expect(name in house.item(jobs[0]).get("waiting_for", ""), house.item(jobs[0]))
    first = house.submit("py.wait_for", {"name": name, "op": "put", "value": "out"}, kind="apply", isolation="process")
    house.ended(first)
    values = {house.history(job) if house.get("/v1/jobs/" + job)["ended"] else None for job in until(
        lambda: [job for job in jobs if house.get("/v1/jobs/" + job)["ended"]], "one to go on")}
    expect("out" in values, values)
    for job in behind:
        house.ended(job)
    for i in range(house.processes - 4):
        c.put(name, i)
    for job in jobs:
        house.history(job)
    until(lambda: house.get("/v1/pool")["stuck"] is None, "it is not stuck any more")
    house.wait_pool()


# ---- load from outside, and kills ----


class Load:
    """Clients that go on through kills, and what each was told."""

    def __init__(self, house, prefix):
        self.house, self.prefix, self.stop = house, prefix, threading.Event()
        self.put, self.got = collections.defaultdict(list), collections.defaultdict(list)
        self.maybe = collections.defaultdict(list)
        self.sums = collections.defaultdict(lambda: [0, 0])  # told, and perhaps
        self.seen = collections.defaultdict(list)
        self.tokens = []
        self.mutex, self.wrong = threading.Lock(), []
        c = house.client()
        for kind in ("queues", "dicts", "pipes", "lists", "locks"):
            c.create("%s/%s" % (kind, prefix))
        c.create("queues/%s-leased" % prefix)
        c.create("values/" + prefix, typecode="q")
        c.set("dicts/%s/guarded" % prefix, 0)
        c.close()

    def run(self, seconds, kill):
        works = [self.putter, self.putter, self.getter, self.getter, self.leaser, self.leaser, self.adder, self.adder,
                 self.appender, self.appender, self.sender, self.receiver, self.locker, self.locker, self.updater]
        threads = [threading.Thread(target=self.guard, args=(work, "%s%d" % (work.__name__, i)))
                   for i, work in enumerate(works)]
        for thread in threads:
            thread.start()
        end = time.monotonic() + seconds
        kills = 0
        while time.monotonic() < end and not self.wrong:
            time.sleep(random.uniform(0.05, 0.4))
            kill()
            kills += 1
        self.stop.set()
        for thread in threads:
            thread.join()
        expect(not self.wrong, *self.wrong[:3])
        return kills

    def guard(self, work, who):
        c = self.house.client()
        try:
            work(c, who)
        except Exception as problem:  # pylint: disable=broad-except
            self.wrong.append("%s: %r" % (who, problem))
            self.stop.set()
        finally:
            c.close()

    def attempt(self, call):
        """(whether it is known, the answer)"""
        try:
            return True, call()
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)
            return False, None
        except Refused as refused:
            if refused.status == 503:
                time.sleep(0.01)
                return False, None
            raise

    def surely(self, call):
        """For what may be asked again."""
        end = time.monotonic() + PATIENCE_S
        while True:
            known, answer = self.attempt(call)
            if known:
                return answer
            expect(time.monotonic() < end, "no answer for long")

    def produce(self, what, call, who):
        for i in itertools.count():
            if self.stop.is_set():
                return
            known, _ = self.attempt(lambda: call([who, i]))
            with self.mutex:
                (self.put if known else self.maybe)[what].append((who, i))

    def putter(self, c, who):
        to = self.prefix if int(who[-1]) % 2 else self.prefix + "-leased"
        self.produce(to, lambda value: c.put(to, value), who)

    def getter(self, c, who):
        """With keys, so an answer that was lost comes again."""
        for n in itertools.count():
            if self.stop.is_set():
                return
            try:
                value = self.surely(lambda: c.get(self.prefix, wait=0.2, key="%s-%d" % (who, n)))
            except Refused as refused:
                expect(refused.type == "queue-empty", refused)
                continue
            with self.mutex:
                self.got[self.prefix].append(tuple(value))

    def leaser(self, c, who):
        """An ack whose answer is lost is asked again: it is done then, or was."""
        name = self.prefix + "-leased"
        for n in itertools.count():
            if self.stop.is_set():
                return
            try:
                answer = self.surely(lambda: c.get_many(name, 2, wait=0.2, lease=600, key="%s-%d" % (who, n)))
            except Refused as refused:
                expect(refused.type == "queue-empty", refused)
                continue
            known, tried = False, 0
            while not known:
                try:
                    known, _ = self.attempt(lambda: c.ack(name, *answer["leases"]))
                except Refused as refused:
                    expect(refused.type == "no-entry" and tried, "a lease is lost:", refused)
                    known = True
                tried += 1
            with self.mutex:
                self.got[name] += [tuple(value) for value in answer["values"]]

    def adder(self, c, who):
        while not self.stop.is_set():
            for what, path, args in (("dict", "dicts/" + self.prefix, {"key": "sum"}), ("value", "values/" + self.prefix, {})):
                known, seen = self.attempt(lambda: c.add(path, **args))
                with self.mutex:
                    self.sums[what][not known] += 1
                    if known:
                        self.seen[what].append(seen)

    def appender(self, c, who):
        self.produce("list", lambda value: c.named("lists/" + self.prefix, "append", value=value), who)

    def sender(self, c, who):
        self.produce("pipe", lambda value: c.send(self.prefix, "a", value), who)

    def receiver(self, c, who):
        """recv cannot be asked again: of what got lost on its way there is at most one for each lost answer."""
        while not self.stop.is_set():
            try:
                known, value = self.attempt(lambda: c.recv(self.prefix, "b", wait=0.2))
            except Refused as refused:
                expect(refused.type in ("queue-empty", "empty"), refused)
                continue
            with self.mutex:
                if known:
                    self.got["pipe"].append(tuple(value))
                else:
                    self.sums["recv"][1] += 1

    def locker(self, c, who):
        """The counter is read and written under the lock; an acquire without an answer lapses."""
        while not self.stop.is_set():
            try:
                known, answer = self.attempt(lambda: c.acquire(self.prefix, ttl=1, wait=1))
            except Refused as refused:
                expect(refused.type == "busy", refused)
                continue
            if not known:
                continue
            token = answer["token"]
            with self.mutex:
                self.tokens.append(token)
            try:
                self.surely(lambda: c.ask("POST", "/v1/locks/%s/renew" % self.prefix, {"token": token, "ttl": PATIENCE_S}))
            except Refused as refused:
                expect(refused.type == "not-holder", refused)  # it was away for too long
                continue
            value = self.surely(lambda: c.entry("dicts/%s/guarded" % self.prefix))[0]
            self.surely(lambda: c.set("dicts/%s/guarded" % self.prefix, value + 1))
            with self.mutex:
                self.sums["guarded"][0] += 1
            with contextlib.suppress(Refused):  # asked twice
                self.surely(lambda: c.release(self.prefix, token))

    def updater(self, c, who):
        """Both keys, or none."""
        for i in itertools.count():
            if self.stop.is_set():
                return
            self.attempt(lambda: c.named("dicts/" + self.prefix, "update", entries={"left": i, "right": i}))
            known, items = self.attempt(lambda: dict(c.named("dicts/" + self.prefix, "items")["items"]))
            if known and items.get("left") != items.get("right"):
                raise Wrong("half of an update: %r" % items)

    # -- the tally --

    def check(self):
        c = self.house.client()
        for name in (self.prefix, self.prefix + "-leased"):
            left = [tuple(x) for x in c.drain(name)]
            again = [] if name == self.prefix else self.still_leased(c, name)
            self.once(name, self.got[name] + left + again, 0)
        listed = [tuple(x) for x in c.named("lists/" + self.prefix, "slice")["values"]]
        self.once("list", listed, 0)
        left = []
        with contextlib.suppress(Refused):
            while True:
                left.append(tuple(c.recv(self.prefix, "b", wait=None)))
        self.once("pipe", self.got["pipe"] + left, self.sums["recv"][1])
        sums = {"dict": c.entry("dicts/%s/sum" % self.prefix)[0],
                "value": c.named("values/" + self.prefix, "get")["value"]}
        for what, found in sums.items():
            told, perhaps = self.sums[what]
            expect(told <= found <= told + perhaps, what, "is", found, "told", told, "perhaps", perhaps)
            expect(len(set(self.seen[what])) == len(self.seen[what]), what, "gave a sum twice")
        guarded = c.entry("dicts/%s/guarded" % self.prefix)[0]
        expect(guarded == self.sums["guarded"][0], "the lock was held twice:", guarded, self.sums["guarded"])
        expect(len(set(self.tokens)) == len(self.tokens), "a token was given twice")
        done = {what: len(values) for what, values in self.put.items()}
        done.update(self.sums)
        expect(all(self.put[what] for what in (self.prefix, "list", "pipe")) and self.sums["guarded"][0], "no load:", done)
        c.close()

    def still_leased(self, c, name):
        """What was leased by those who stopped before they could ack: none, as they always do."""
        expect(c.inspect("queues/" + name)["leased"] == 0, "leased by nobody:", c.inspect("queues/" + name))
        return []

    def once(self, what, found, lost):
        counted = collections.Counter(found)
        expect(max(counted.values(), default=1) == 1, what, "twice:", [x for x, n in counted.items() if n > 1][:5])
        missing = set(self.put[what]) - set(counted)
        expect(len(missing) <= lost, what, "acknowledged and lost:", sorted(missing)[:5], "of", len(missing), "may be", lost)
        invented = set(counted) - set(self.put[what]) - set(self.maybe[what])
        expect(not invented, what, "invented:", list(invented)[:5])


def load(what, seconds):
    def check(house):
        prefix = fresh("load")
        house_load = Load(house, prefix)
        kills = house_load.run(seconds, lambda: house.kill(what))
        house_load.check()
        expect(kills >= 2, "only so many kills:", kills)
    return check


CHECKS = [
    *[("%s holds, its %s dies" % (language, what), holder(language, what))
      for language in ("python", "node", "shell", "c") for what in ("item", "worker") if (language, what) != ("c", "item")],
    *[("%s, its holder's %s dies" % (kind, what), holder("python", what, kind))
      for kind in ("rlock", "bounded") for what in ("item", "worker")],
    *[("lock, second attempt, %s dies" % what, holder_again(what)) for what in ("item", "worker", "server", "all")],
    *[("value's lock, %s dies" % what, value_lock(what)) for what in ("item", "worker")],
    *[("outsider's lock and lease, %s dies" % what, outsider(what)) for what in ("server", "all")],
    *[("task's lease, %s dies" % what, borrower(what)) for what in ("item", "worker", "server", "all")],
    *[("steps, %s dies" % what, item_steps(what)) for what in ("item", "worker")],
    *[("steps, %s dies" % what, server_steps(what)) for what in ("server", "all")],
    *[("task waits (%s), %s dies" % (op, what), waiting_task(op, what))
      for op in ("get", "put", "lock", "recv", "join") for what in ("item", "worker")],
    *[("client waits (%s) and leaves%s" % (op, ", noticed" if noticed else ""), leaving_client(op, noticed))
      for op in ("get", "put", "lock", "recv", "join") for noticed in (False, True)],
    ("cancelled while it waits", cancelled_waiter),
    ("the pool is full of those who wait", full_pool),
    ("load, the server dies", load("server", 5)),
    ("load, all die", load("all", 5)),
]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    seed = int(os.environ.get("OBJECTS_TEST_SEED", random.randrange(1 << 30)))
    random.seed(seed)
    house = KillHouse(sys.argv[1], sys.argv[2], "--idle-runtimes", "3", processes=4)
    wrong = 0
    try:
        wrong = run("kills (seed %d)" % seed, house, CHECKS, 1, sys.argv[3] if len(sys.argv) == 4 else None)
        wrong = judge_end(house, wrong)
    finally:
        house.clean_up()
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
