#!/usr/bin/env python3
"""Shared objects are atomic, whoever uses them at once: what each saw is put together and must be a possible history.

    tests/process/objects_history_test.py BUILD/bin/poold PLUGINS [PATTERN]

In each check 16 HTTP clients, four Python tasks, and a task each of Node, C and shell work on one object.
"""
import collections
import itertools
import sys
import threading

from functions_kit import PATIENCE_S, expect, judge_end, run
from objects_kit import SANITIZED, ObjectsHouse, Refused

CLIENTS = 16
TASKS = [("python", "py%d" % i) for i in range(4)] + [("node", "js"), ("c", "c"), ("shell", "sh")]
SCALE = 3 if SANITIZED else 1


def size(language):
    """How often a task does it: a shell script starts a process each time."""
    return 12 if language == "shell" else 300 // SCALE


HTTP_SIZE = 60 // SCALE


def at_once(house, tasks, client, clients=CLIENTS):
    """Runs client(Client, who) in so many threads beside tasks [(language, do, name, who, n)]; who → what it saw."""
    seen, wrong = {}, []
    start = threading.Barrier(clients + 1)

    def one(who):
        c = house.client()
        try:
            start.wait()
            seen[who] = client(c, who)
        except Exception as problem:  # pylint: disable=broad-except
            wrong.append("%s: %r" % (who, problem))
        finally:
            c.close()

    threads = [threading.Thread(target=one, args=("http%d" % i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    jobs = {who: house.act(language, do, name, who, n) for language, do, name, who, n in tasks}
    start.wait()
    for thread in threads:
        thread.join()
    expect(not wrong, *wrong[:3])
    seen.update((who, house.history(job)) for who, job in jobs.items())
    return seen


def exactly_once(put, got, what):
    """`put`: who → how many; `got`: elements [who, i] in any order."""
    counted = collections.Counter(tuple(x) for x in got)
    twice = [x for x, n in counted.items() if n > 1]
    expect(not twice, what, "twice:", twice[:5])
    meant = {(who, i) for who, n in put.items() for i in range(n)}
    expect(set(counted) == meant, what, "lost:", sorted(meant - set(counted))[:5], "invented:",
           sorted(set(counted) - meant)[:5])


def in_order(got, what):
    """Whoever took them saw each producer's in the order in which they were put."""
    last = collections.defaultdict(lambda: -1)
    for who, i in got:
        expect(i > last[who], what, "out of order:", who, i, "after", last[who])
        last[who] = i


def all_different(seen, total, what):
    """Each saw the sum behind its own addition, so all of them together are 1 … total."""
    everything = sorted(x for values in seen.values() for x in values)
    expect(everything == list(range(1, total + 1)), what, "lost or doubled updates:",
           [x for x, n in collections.Counter(everything).items() if n > 1][:5], len(everything), "of", total)


# ---- queues ----


def queue(maxsize, key):
    def check(house):
        name = "queue-%d-%s" % (maxsize, "key" if key else "plain")
        house.client().create("queues/" + name, maxsize=maxsize)
        putting = [("python", "py0"), ("python", "py1"), ("node", "js"), ("c", "c"), ("shell", "sh")]
        getting = ["python", "python", "shell" if maxsize else "c"]
        readers = [(language, "get", name, "get%d" % i, 0) for i, language in enumerate(getting)]
        writers = [(language, "put", name, who, size(language)) for language, who in putting]
        left = [CLIENTS // 2 + len(writers)]
        lock = threading.Lock()

        def done():
            """Who comes last puts an end for everybody."""
            with lock:
                left[0] -= 1
                last = left[0] == 0
            if last:
                c = house.client()
                for _ in range(CLIENTS // 2 + len(readers)):
                    c.put(name, None, PATIENCE_S)
                c.close()

        def wait_writers():
            for job in jobs:
                expect(house.history(job) in (size("shell"), [], size("python")), "a producer's answer")
                done()

        def client(c, who):
            if int(who[4:]) % 2:
                for i in range(HTTP_SIZE):
                    c.put(name, [who, i], PATIENCE_S)
                done()
                return []
            got = []
            for n in itertools.count():
                value = c.get(name, key=key and "%s-%d" % (who, n))
                if key and n % 2:  # as if the answer had been lost: the same one comes again
                    again = c.get(name, key="%s-%d" % (who, n))
                    expect(again == value, "with the same key", again, "not", value)
                if value is None:
                    return got
                got.append(value)

        jobs = [house.act(*writer) for writer in writers]
        waiting = threading.Thread(target=wait_writers)
        waiting.start()
        seen = at_once(house, readers, client)
        waiting.join()
        put = {who: size(language) for language, who in putting}
        put.update(("http%d" % i, HTTP_SIZE) for i in range(CLIENTS) if i % 2)
        exactly_once(put, [x for got in seen.values() for x in got], name)
        for who, got in seen.items():
            in_order(got, name + ", by " + who)
        expect(house.client().inspect("queues/" + name)["size"] == 0, "there is more than was put")
    return check


def leases(house):
    """Each element is acknowledged by one: some leases are given back, some lapse, and some are acknowledged late."""
    c = house.client()
    c.create("queues/leases")
    put = {"put": 160 // SCALE}
    for i in range(put["put"]):
        c.put("leases", ["put", i])

    def client(c, who):
        acked = []
        for n in itertools.count():
            try:
                answer = c.get_many("leases", 1 + n % 3, lease=0.25 if n % 7 == 3 else PATIENCE_S)
            except Refused as refused:
                expect(refused.type == "queue-empty", refused)
                if house.client().inspect("queues/leases")["leased"] == 0:
                    return acked
                c.ask("GET", "/v1/pool")  # others still have some that may come back
                continue
            if n % 7 == 3:  # lapses; or somebody else has it by then
                event.wait(0.3)
            if n % 5 == 2:
                try:
                    c.nack("leases", *answer["leases"])
                except Refused as refused:
                    expect(refused.type == "no-entry", refused)
                continue
            try:
                c.ack("leases", *answer["leases"])
                acked += answer["values"]
            except Refused as refused:
                expect(refused.type == "no-entry" and n % 7 == 3, "a lease is lost:", refused)

    event = threading.Event()
    seen = at_once(house, [], client, 8)
    exactly_once(put, [x for got in seen.values() for x in got], "leases")


# ---- locks ----


def lock(house):
    """What only the lock protects is read and written in two calls: nothing is lost, and later tokens saw more."""
    house.client().create("dicts/lock")
    house.client().set("dicts/lock/n", 0)
    house.client().create("locks/lock")

    def client(c, who):
        seen = []
        for _ in range(HTTP_SIZE // 2):
            token = c.acquire("lock")["token"]
            value = c.entry("dicts/lock/n")[0]
            c.set("dicts/lock/n", value + 1)
            c.release("lock", token)
            seen.append([token, value])
        return seen

    tasks = [(language, "count", "lock", who, size(language) // 2) for language, who in TASKS]
    seen = sorted(pair for pairs in at_once(house, tasks, client).values() for pair in pairs)
    expect(len({token for token, _ in seen}) == len(seen), "a token was given twice")
    expect([value for _, value in seen] == list(range(len(seen))), "it was held twice at once, or tokens do not grow:",
           [pair for i, pair in enumerate(seen) if pair[1] != i][:5])
    expect(len(seen) == CLIENTS * (HTTP_SIZE // 2) + sum(size(language) // 2 for language, _ in TASKS), "missing ones")
    expect(house.client().entry("dicts/lock/n")[0] == len(seen), "the counter")


def semaphore(house):
    house.client().create("locks/permits", type="bounded", value=3)
    house.client().create("dicts/permits")

    def client(c, who):
        seen = []
        for _ in range(HTTP_SIZE // 2):
            token = c.acquire("permits")["token"]
            seen.append(c.add("dicts/permits", key="n"))
            c.add("dicts/permits", key="n", by=-1)
            c.release("permits", token)
        return seen

    tasks = [(language, "permits", "permits", who, size(language) // 2) for language, who in TASKS]
    seen = at_once(house, tasks, client)
    inside = [n for values in seen.values() for n in values]
    expect(max(inside) <= 3 and min(inside) >= 1, "of three permits so many were in use:", min(inside), max(inside))
    expect(max(inside) > 1, "never two at once: nothing was tested")
    expect(house.client().entry("dicts/permits/n")[0] == 0, "somebody is still inside")


# ---- dicts, lists, values ----


def dict_add(house):
    def client(c, who):
        seen = []
        for i in range(HTTP_SIZE):
            if i % 3:
                seen.append(c.add("dicts/add", key="n"))
                continue
            while True:  # the same by compare-and-set
                try:
                    value, tag = c.entry("dicts/add/n")
                    c.set("dicts/add/n", value + 1, tag)
                    seen.append(value + 1)
                    break
                except Refused as refused:
                    expect(refused.type == "changed", refused)
        return seen

    house.client().create("dicts/add")
    house.client().set("dicts/add/n", 0)
    tasks = [(language, "add", "add", who, size(language)) for language, who in TASKS]
    total = CLIENTS * HTTP_SIZE + sum(size(language) for language, _ in TASKS)
    all_different(at_once(house, tasks, client), total, "dict")
    expect(house.client().entry("dicts/add/n")[0] == total, "the sum")


def list_pop(house):
    def client(c, who):
        got = []
        for i in range(HTTP_SIZE):
            c.named("lists/shift", "append", value=[who, i])
            got.append(c.named("lists/shift", "pop", index=0)["value"])
        return got

    house.client().create("lists/shift")
    tasks = [(language, "shift", "shift", who, size(language)) for language, who in TASKS]
    seen = at_once(house, tasks, client)
    put = {"http%d" % i: HTTP_SIZE for i in range(CLIENTS)}
    put.update((who, size(language)) for language, who in TASKS)
    exactly_once(put, [x for got in seen.values() for x in got], "list")
    for who, got in seen.items():
        in_order(got, "list, by " + who)
    expect(house.client().inspect("lists/shift")["length"] == 0, "there is more than was appended")


def value_add(house):
    house.client().create("values/sum", typecode="q")

    def client(c, who):
        seen = []
        for i in range(HTTP_SIZE):
            if i % 3:
                seen.append(c.add("values/sum"))
                continue
            while True:
                try:
                    now = c.named("values/sum", "get")["value"]
                    c.named("values/sum", "compare_set", expected=now, value=now + 1)
                    seen.append(now + 1)
                    break
                except Refused as refused:
                    expect(refused.type == "changed", refused)
        return seen

    tasks = [(language, "sum", "sum", who, size(language)) for language, who in TASKS]
    total = CLIENTS * HTTP_SIZE + sum(size(language) for language, _ in TASKS)
    all_different(at_once(house, tasks, client), total, "value")
    expect(house.client().named("values/sum", "get")["value"] == total, "the sum")


# ---- pipes ----


def pipe(house):
    """Many senders, many receivers: whole, once, in order; then the end of file for everybody."""
    house.client().create("pipes/pipe")
    sending = [("python", "py0"), ("node", "js"), ("shell", "sh")]
    receiving = [("python", "in0"), ("python", "in1"), ("c", "in2"), ("node", "in3"), ("shell", "in4")]
    jobs = [house.act(language, "send", "pipe", who, size(language)) for language, who in sending]
    left = [CLIENTS // 2]
    mutex = threading.Lock()

    def close_when_last(c):
        with mutex:
            left[0] -= 1
            if left[0]:
                return
        for job in jobs:
            house.history(job)
        c.close_end("pipe", "a")

    def client(c, who):
        if int(who[4:]) % 2:
            for i in range(HTTP_SIZE):
                c.send("pipe", "a", [who, i])
            close_when_last(c)
            return []
        got = []
        while True:
            try:
                got.append(c.recv("pipe", "b"))
            except Refused as refused:
                expect(refused.type == "end-of-file", refused)
                return got

    seen = at_once(house, [(language, "recv", "pipe", who, 0) for language, who in receiving], client)
    put = {who: size(language) for language, who in sending}
    put.update(("http%d" % i, HTTP_SIZE) for i in range(CLIENTS) if i % 2)
    exactly_once(put, [x for got in seen.values() for x in got], "pipe")
    for who, got in seen.items():
        in_order(got, "pipe, by " + who)


CHECKS = [("queue", queue(0, False)), ("queue, bounded", queue(5, False)), ("queue, with keys", queue(50, True)),
          ("leases", leases), ("lock", lock), ("semaphore", semaphore), ("dict", dict_add), ("list", list_pop),
          ("value", value_add), ("pipe", pipe)]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    house = ObjectsHouse(sys.argv[1], sys.argv[2], "--idle-runtimes", "3")
    wrong = 0
    try:
        wrong = run("histories", house, CHECKS, 1, sys.argv[3] if len(sys.argv) == 4 else None)
        wrong = judge_end(house, wrong)
    finally:
        house.clean_up()
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
