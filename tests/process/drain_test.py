#!/usr/bin/env python3
"""SIGTERM under load loses nothing and repeats nothing that was done: every acknowledged job is there after the restart,
every item gets one result, every stream and wait ends properly and says where to go on.

    tests/process/drain_test.py build/bin/poold [ROUNDS] [SEED]      exit status 0 if all is true

Items write into a journal when they begin and when they are done: what they do to the world, which poold cannot undo.
"""
import collections
import contextlib
import http.client
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback

from functions_kit import PATIENCE_S, Wrong, expect, until
from stack_kit import Follower, StackHouse

GRACE_S, KILL_GRACE_S = 1, 2
FUNCTIONS = """
import os, time
import poold

NOTES = os.environ["DEEDS_NOTES"]

def note(word, item):
    with open(NOTES + "/journal", "a") as journal:
        journal.write("%s %s\\n" % (word, item))

def held(item):
    note("begin", item)
    if not os.path.exists(NOTES + "/released"):
        time.sleep(600)
    note("done", item)
    return item

def quick(item):
    if item.endswith("held"):
        return held(item)
    note("begin", item)
    time.sleep(0.01)
    note("done", item)
    return item

def second(item):
    if poold.attempt() == 1:
        note("failed", item)
        raise ValueError("not yet")
    return quick(item)

def waits(name):
    return poold.Queue(name).get()
"""
SCRIPT = """#!/bin/sh
[ -e "$DEEDS_NOTES/released" ] || sleep 600
exec cat
"""


def send_lines(connection, items):
    lines = "".join(json.dumps(item) + "\n" for item in items).encode()
    connection.send(b"%x\r\n%b\r\n" % (len(lines), lines))


class Load:
    """What clients ask for until the drain, and what they were told."""

    def __init__(self, house, number, dice):
        self.house, self.number, self.dice = house, number, dice
        self.lock = threading.Lock()
        self.jobs = {}         # id: values in input order, of those that were acknowledged
        self.unknown = []      # (key, items) of submissions that were refused or cut
        self.items = 0
        self.draining, self.ends = threading.Event(), threading.Event()
        self.threads, self.wrong = [], []

    def names(self, count, held=()):
        with self.lock:
            self.items += count
            return ["%d-%d%s" % (self.number, self.items - count + i, "-held" if i in held else "") for i in range(count)]

    def start(self, client, *arguments):
        def run():
            try:
                client(*arguments)
            except Exception as error:  # pylint: disable=broad-except
                self.wrong.append("%s: %r" % (client.__name__, error))
        thread = threading.Thread(target=run, daemon=True)
        self.threads.append(thread)
        thread.start()

    def join(self):
        for thread in self.threads:
            thread.join(PATIENCE_S)
            expect(not thread.is_alive(), "a client still waits")
        expect(not self.wrong, self.wrong)

    def post(self, path, body, key=None, kind="application/json"):
        """(status, answer), or None when the connection broke."""
        headers = {"Content-Type": kind, **({"Idempotency-Key": key} if key else {})}
        try:
            connection, answer = self.house.open("POST", path, body, headers)
            with contextlib.closing(connection):
                status, text = answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return None
        if status == 503:
            expect(answer.getheader("Retry-After") == "1", "503 without Retry-After")
            expect(text["type"] == "urn:poold:problem:draining", text)
        else:
            expect(status in (200, 202), status, text)
        return status, text

    def submit(self, function, items, **options):
        """The id of a job that must be accepted."""
        status, view = self.post("/v1/jobs", json.dumps({"function": function, "map": items, **options}))
        expect(status == 202, status, view)
        self.jobs[view["id"]] = items
        return view["id"]

    # ---- clients, each until it is refused ----

    def maps(self, query):
        for turn in range(100000):
            items = self.names(self.dice.randrange(1, 6))
            key = "%d-%s-%d" % (self.number, threading.get_ident(), turn)
            body = json.dumps({"function": "drains.quick", "map": items})
            told = self.post("/v1/jobs" + query, body, key)
            if told and told[0] != 503:
                self.jobs[told[1]["id"]] = items
                self.ends.wait(0.01)
            else:
                self.unknown.append((key, body, items))
                return

    def upload(self, keyed):
        """A body that has no end until it is refused. With a key the client sends it again, without the job is cut."""
        key = "%d-upload" % self.number if keyed else None
        items = self.names(5)
        if keyed:
            self.unknown.append((key, json.dumps({"function": "drains.quick", "map": items}), items))
        connection = self.house.begin_upload("%d-cut" % self.number, key)
        with contextlib.suppress(OSError):
            while not self.ends.is_set():
                send_lines(connection, [self.names(1)[0] + "-upload"])
                self.ends.wait(0.01)
        try:
            answer = connection.getresponse()
            problem = json.loads(answer.read())
            expect(answer.status == 503 and problem["type"] == "urn:poold:problem:draining", answer.status, problem)
        except (OSError, http.client.HTTPException):
            pass
        connection.close()

    def upload_in_time(self, connection, items):
        """One that is on its way when the drain begins, and comes to its end."""
        expect(self.draining.wait(PATIENCE_S))
        more = self.names(2)
        send_lines(connection, more)
        connection.send(b"0\r\n\r\n")
        answer = connection.getresponse()
        view = json.loads(answer.read())
        expect(answer.status == 202 and view["counts"]["total"] == len(items + more), answer.status, view)
        self.jobs[view["id"]] = items + more
        connection.close()

    def appends(self, job):
        for _ in range(100000):
            items = self.names(3)
            told = self.post("/v1/jobs/%s/items" % job, json.dumps(items))
            if not told or told[0] == 503:
                return
            self.jobs[job] += items


class Watcher:
    """Reads a stream until the drain ends it, and from there after the restart."""

    def __init__(self, house, job, order, sse=False):
        self.house, self.job, self.order, self.sse = house, job, order, sse
        self.lines, self.error, self.last = [], None, ""
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.follower = self.follow("order=" + order)
        self.thread.start()

    def follow(self, query, headers=()):
        return Follower(self.house, self.job, query, {**({"Accept": "text/event-stream"} if self.sse else {}),
                                                      **dict(headers)})

    def next(self):
        """The next line or event; its last id in self.last."""
        if not self.sse:
            return self.follower.next()
        while True:
            name, _, value = self.follower.line().rstrip("\n").partition(": ")
            if name == "id":
                self.last = value
            elif name == "data":
                return json.loads(value)

    def run(self):
        try:
            while not self.lines or "end" not in self.lines[-1]:
                self.lines.append(self.next())
            rest = self.follower.answer.read().strip()
            expect(rest == b"", "after the end:", rest)
        except Exception as error:  # pylint: disable=broad-except
            self.error = error

    def check_drained(self):
        self.thread.join(PATIENCE_S)
        expect(self.error is None and not self.thread.is_alive(), "a stream ended with", self.error)
        end = self.lines.pop()
        expect(end == {"end": False, "reason": "draining", "next": len(self.lines)}, end, len(self.lines), "lines")
        expect(not self.sse or self.last in ("", str(len(self.lines))), "the last id", self.last)

    def check_rest(self, count):
        if self.sse:
            self.follower = self.follow("order=" + self.order, {"Last-Event-ID": self.last} if self.last else {})
        else:
            self.follower = self.follow("order=%s&from=%d" % (self.order, len(self.lines)))
        self.run()
        expect(self.error is None, self.error)
        expect(self.lines.pop()["end"] is True)
        indexes = [line["index"] for line in self.lines]
        expect(sorted(indexes) == list(range(count)), "a stream of", count, "had", indexes)
        expect(self.order == "completion" or indexes == sorted(indexes), "out of order:", indexes)


class DrainHouse(StackHouse):
    def __init__(self, binary):
        self.journal_seen = 0
        super().__init__(binary, "--grace", "%ds" % GRACE_S, "--kill-grace", "%ds" % KILL_GRACE_S, processes=8)
        with open(self.functions + "/drains.py", "w", encoding="utf-8") as file:
            file.write(FUNCTIONS)
        with open(self.functions + "/slow.sh", "w", encoding="utf-8") as file:
            file.write(SCRIPT)
        os.chmod(self.functions + "/slow.sh", 0o755)
        self.put("drains", {"runtime": "python", "module": "drains"})
        self.put("slow", {"command": ["./slow.sh"]})
        self.process.send_signal(signal.SIGHUP)
        try:
            until(lambda: {"drains.quick", "slow"} <= {f["name"] for f in self.listed()}, "the functions to be there")
        except BaseException:
            self.clean_up()
            raise

    def wait_pool(self):
        """It does not come to rest: what was handed back runs."""

    def begin_upload(self, name, key=None):
        host, port = self.address.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S)
        connection.putrequest("POST", "/v1/jobs?function=drains.quick&name=" + name)
        for name, value in (("Authorization", self.authorization), ("Content-Type", "application/x-ndjson"),
                            ("Transfer-Encoding", "chunked"), ("Idempotency-Key", key)):
            if value:
                connection.putheader(name, value)
        connection.endheaders()
        return connection

    def journal(self):
        """What items did, by name: [word, ...]."""
        deeds = collections.defaultdict(list)
        with contextlib.suppress(FileNotFoundError):
            with open(self.notes + "/journal", encoding="utf-8") as file:
                for line in file:
                    word, item = line.split()
                    deeds[item].append(word)
        return deeds

    def wait_end(self):
        """As stop(), without another signal."""
        expect(self.process.wait(PATIENCE_S) == 0, "poold ended with", self.process.returncode)
        self.process.stdin.close()
        self.process = None
        until(lambda: not self.marked(), lambda: "left after the end: %r" % self.marked())

    def hold(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.notes + "/released")

    def release_all(self):
        with open(self.notes + "/released", "w", encoding="utf-8"):
            pass


# ---- a round ----


def prepare(load, house):
    """Jobs that outlast the grace, each with something else in it."""
    names = load.names(6, held=(3,))
    made = {"slice": load.submit("drains.quick", names, chunksize=6),  # what ran before the held item is kept
            "python": load.submit("drains.held", load.names(1, held=(0,))),
            "exec": load.submit("slow", load.names(1)),
            "own process": load.submit("drains.held", load.names(1, held=(0,)), isolation="process"),
            "retry": load.submit("drains.second", load.names(2), max_attempts=2, backoff=60),
            "long": load.submit("drains.quick", load.names(600), chunksize=1, processes=2),
            "open": load.submit("drains.quick", load.names(1), open=True)}
    name = "round-%d" % load.number
    expect(house.ask("PUT", "/v1/queues/" + name, {})[0] // 100 == 2)
    made["waits"] = load.submit("drains.waits", [name])
    load.jobs[made["waits"]] = ["put"]
    until(lambda: {"running", "waiting"} & {house.item(made["waits"])["state"]} and house.journal()[names[3]] and
          len([w for w in house.workers() if w["function"] in ("slow", "drains.held")]) == 3 and
          house.get("/v1/jobs/" + made["retry"])["counts"]["waiting"] == 2, "all to run that shall be caught running")
    return made, name


def waiting(load, made, queue):
    """Clients that wait for what does not come before the drain's end."""
    def for_job():
        status, text = load.house.ask("GET", "/v1/jobs/%s?wait=60" % made["python"])
        expect(status == 200 and json.loads(text)["state"] == "running", status, text)

    def for_own():
        items = load.names(1, held=(0,))
        status, view = load.post("/v1/jobs?wait=60", json.dumps({"function": "drains.held", "map": items}))
        expect(status == 202, "a wait for an accepted job was answered", status, view)
        load.jobs[view["id"]] = items

    def for_page():
        status, text = load.house.ask("GET", "/v1/jobs/%s/results?wait=60&format=json" % made["python"])
        expect(status == 200, status, text)
        expect(json.loads(text) == {"results": [], "next": 0, "end": False, "state": "running"}, text)

    def for_element():
        told = load.post("/v1/queues/%s-other/get?wait=60" % queue, "")
        expect(told[0] == 503, told)

    expect(load.house.ask("PUT", "/v1/queues/%s-other" % queue, {})[0] // 100 == 2)
    for client in (for_job, for_own, for_page, for_element):
        load.start(client)


def terminate(house, load, made):
    """SIGTERM; what it answers meanwhile; its end, within its time."""
    began = time.monotonic()
    house.process.send_signal(signal.SIGTERM)
    until(lambda: house.ask("GET", "/readyz")[0] == 503, "/readyz to say that it drains", GRACE_S)
    load.draining.set()
    status, view = load.post("/v1/jobs", '{"function":"echo","apply":1}')
    expect(status == 503, "a new job is answered", status, view)
    status, view = load.post("/v1/jobs/%s/items" % made["open"], "[1]")
    expect(status == 503 and view["accepted"] == 0, "more items are answered", status, view)
    expect(house.ask("GET", "/healthz")[0] == 200 and house.ask("GET", "/v1/jobs")[0] == 200)
    expect(house.get("/v1/pool")["draining"] is True and house.metric("poold_draining") == 1)
    house.wait_end()
    took = time.monotonic() - began
    expect(GRACE_S - 0.1 < took < GRACE_S + KILL_GRACE_S + 3, "the drain took", took, "s")
    load.ends.set()


def check_journal_at_the_end(house, before):
    """Whatever had begun is done, but for what was held."""
    for item, words in house.journal().items():
        if item not in before and not item.endswith("held"):
            expect(words in (["begin", "done"], ["failed"]), item, "was stopped within:", words)


def after_restart(house, load, made, queue, watchers):
    house.release_all()
    house.start()
    for key, body, items in load.unknown:  # whoever was not told, asks again
        status, view = load.post("/v1/jobs", body, key)
        expect(status in (200, 202), status, view)
        load.jobs[view["id"]] = items
    more = load.names(2)
    expect(load.post("/v1/jobs/%s/items" % made["open"], json.dumps(more))[0] == 200)
    load.jobs[made["open"]] += more
    expect(load.post("/v1/jobs/%s/close" % made["open"], "")[0] // 100 == 2)
    expect(house.ask("POST", "/v1/queues/%s/put" % queue, {"value": "put"})[0] // 100 == 2)
    for watcher in watchers:
        watcher.check_rest(len(load.jobs[made["long"]]))
    for job, values in load.jobs.items():
        lines = house.results(job)
        expect([line["index"] for line in lines] == list(range(len(values))), job, "has the results", lines)
        expect([line.get("value") for line in lines] == values, job, "has other results:", lines, values)
    cut = [job for job in house.get("/v1/jobs?state=cancelled&limit=1000")["jobs"] if job["name"] == "%d-cut" % load.number]
    expect(len(cut) == 1 and "upload" in cut[0]["reason"], "the upload that was cut:", cut)
    for what, index in (("slice", 3), ("python", 0), ("exec", 0), ("built in", 0), ("own process", 0), ("waits", 0)):
        attempts = house.item(made[what], index)["attempts"]
        expect([(a["type"], a["signal"]) for a in attempts] == [("interrupted", "SIGTERM")], what, attempts)


def check_deeds(house):
    for item, words in house.journal().items():
        if item.endswith("held"):
            expect(words in (["begin", "begin", "done"], ["begin", "done"]), item, words)
        elif "failed" in words:
            expect(words == ["failed", "begin", "done"], item, words)
        elif not item.endswith("upload"):
            expect(words == ["begin", "done"], item, "was done so often:", words)


def one_round(house, number, dice):
    house.hold()
    before = set(house.journal())
    load = Load(house, number, dice)
    made, queue = prepare(load, house)
    watchers = [Watcher(house, made["long"], order, sse) for order, sse in
                (("input", False), ("completion", False), ("completion", True), ("input", True))]
    waiting(load, made, queue)
    for query in ("", "?wait=30"):
        load.start(load.maps, query)
    load.start(load.upload, True)
    load.start(load.upload, False)
    load.start(load.appends, made["open"])
    until(lambda: house.metric("poold_http_waiting") >= len(watchers) + 4, "all to wait")
    time.sleep(dice.uniform(0, 0.5))  # the moment
    late, items = house.begin_upload("%d-late" % number), load.names(3)
    send_lines(late, items)
    until(lambda: any(job["name"] == "%d-late" % number for job in house.get("/v1/jobs")["jobs"]), "it to be on its way")
    load.start(load.upload_in_time, late, items)
    made["built in"] = load.submit("sleep", [GRACE_S + 1.5])  # it ends by itself: not before the grace does
    until(lambda: house.item(made["built in"])["state"] == "running", "it to run")
    terminate(house, load, made)
    load.join()
    for watcher in watchers:
        watcher.check_drained()
    check_journal_at_the_end(house, before)
    after_restart(house, load, made, queue, watchers)
    check_deeds(house)
    return len(load.jobs), load.items


# ---- other ends ----


def idle(house):
    """Nothing runs: no grace is needed, and who follows an open job is told."""
    load = Load(house, 0, None)
    job = load.submit("drains.quick", [], open=True)
    watcher = Watcher(house, job, "input")
    kept, answer = house.open("GET", "/healthz")  # a connection that is kept holds nothing up
    answer.read()
    began = time.monotonic()
    house.stop()
    expect(time.monotonic() - began < GRACE_S, "an idle drain took", time.monotonic() - began)
    watcher.check_drained()
    kept.close()
    house.start()
    expect(load.post("/v1/jobs/%s/close" % job, "")[0] // 100 == 2)
    watcher.check_rest(0)


def twice(house):
    """A second SIGTERM ends it at once; what ran is handed back all the same."""
    house.hold()
    load = Load(house, -1, None)
    job = load.submit("drains.held", load.names(1, held=(0,)))
    until(lambda: house.journal()[load.jobs[job][0]], "it to run")
    began = time.monotonic()
    house.process.send_signal(signal.SIGTERM)
    until(lambda: house.ask("GET", "/readyz")[0] == 503, "the drain to begin", GRACE_S)
    house.stop()
    expect(time.monotonic() - began < GRACE_S, "the second signal was not heard")
    house.release_all()
    house.start()
    expect(house.results(job)[0]["value"] == load.jobs[job][0])
    expect(house.item(job)["attempts"][0]["type"] == "interrupted")


def at_start(house, dice):
    """SIGTERM while it starts: it ends, and the next start is as if nothing had been."""
    house.stop()
    for _ in range(4):
        with open(house.dir + "/log", "ab") as log:
            house.process = subprocess.Popen(house.argv(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                                             env=house.environment())
        until(lambda: "event=started" in house.log().rsplit("event=stopped", 1)[-1] or house.marked(), "it to begin")
        time.sleep(dice.uniform(0.02, 0.15))
        house.stop()
    house.start()
    expect(house.value("echo", "here") == "here")


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 2
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    dice = random.Random(seed)
    house = DrainHouse(sys.argv[1])
    try:
        for number in range(1, rounds + 1):
            began = time.monotonic()
            jobs, items = one_round(house, number, dice)
            print("round %d: %d jobs, %d items, %.1f s" % (number, jobs, items, time.monotonic() - began), flush=True)
        for check in (idle, twice):
            check(house)
        at_start(house, dice)
        house.stop()
    except Wrong as wrong:
        where = traceback.extract_tb(wrong.__traceback__)[-2]
        print("WRONG: seed %d, line %d: %s\npoold's log:\n%s" % (seed, where.lineno, wrong, house.log()[-3000:]))
        sys.exit(1)
    finally:
        house.clean_up()


main()
