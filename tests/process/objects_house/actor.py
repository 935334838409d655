"""actor: what a task does to shared objects, in Python; actor.js, actor.sh and objects_plugin.c do the same.

Each function takes {"do":, "name":, "who":, "n":} and gives what it has seen, which objects_history_test.py checks."""
import os
import time

import poold


def put(name, who, n):
    queue = poold.Queue(name)
    for i in range(n):
        queue.put([who, i])
    return n


def get(name, who, n):
    "Until null comes."
    queue, got = poold.Queue(name), []
    while True:
        value = queue.get()
        if value is None:
            return got
        got.append(value)


def count(name, who, n):
    "Adds to what only the lock protects."
    lock, counter, seen = poold.Lock(name), poold.Manager().dict(name), []
    for _ in range(n):
        with lock:
            value = counter["n"]
            counter["n"] = value + 1
            seen.append([lock.token, value])
    return seen


def add(name, who, n):
    counter = poold.Manager().dict(name)
    return [counter.add("n") for _ in range(n)]


def shift(name, who, n):
    "There is always something, as everybody appends before taking."
    line, got = poold.Manager().list(name), []
    for i in range(n):
        line.append([who, i])
        got.append(line.pop(0))
    return got


def sum_up(name, who, n):
    "One half by add, the other by compare_set."
    value, seen = poold.Value("q", name), []
    for i in range(n):
        if i % 2:
            seen.append(value.add())
            continue
        while True:
            now = value.value
            if value.compare_set(now, now + 1):
                seen.append(now + 1)
                break
    return seen


def send(name, who, n):
    connection = poold.Connection(name, "a")
    for i in range(n):
        connection.send([who, i])
    return n


def recv(name, who, n):
    connection, got = poold.Connection(name, "b"), []
    while True:
        try:
            got.append(connection.recv())
        except EOFError:
            return got


def permits(name, who, n):
    "How many were inside at once, as each of them saw it."
    room, inside, seen = poold.BoundedSemaphore(name, 3), poold.Manager().dict(name), []
    for _ in range(n):
        with room:
            seen.append(inside.add("n"))
            inside.add("n", -1)
    return seen



DEEDS = {"put": put, "get": get, "count": count, "add": add, "shift": shift, "sum": sum_up, "send": send, "recv": recv,
         "permits": permits}


def act(item):
    return DEEDS[item["do"]](item["name"], item["who"], item["n"])


# ---- objects_kill_test.py: what is done until somebody comes to kill ----


def note(name):
    """A file for the test, with our process in it."""
    path = os.path.join(os.environ["DEEDS_NOTES"], name)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(f"{os.getpid()} {os.getppid()}")
    os.rename(path + ".new", path)


def linger():
    time.sleep(600)


def hold(item):
    "Takes what is named, and with a note stays: only the second attempt goes on."
    lock = {"lock": poold.Lock, "rlock": poold.RLock, "bounded": poold.BoundedSemaphore}[item.get("type", "lock")]
    lock = lock(item["name"])
    lock.acquire()
    if item.get("note") and poold.attempt() == 1:
        note(item["note"])
        linger()
    seen = [lock.token, lock.recovered]
    lock.release()
    return seen


def hold_value(item):
    "The lock of a value, in the midst of a change."
    value = poold.Value("q", item["name"])
    with value.get_lock():
        value.value += 1
        if item.get("note") and poold.attempt() == 1:
            note(item["note"])
            linger()
        value.value += 1
        return [value.value, value.get_lock().recovered]


def wait_for(item):
    "Says so and then waits with an object."
    if item.get("note") and poold.attempt() == 1:
        note(item["note"])
    name = item["name"]
    return {"get": lambda: poold.Queue(name).get(), "put": lambda: poold.Queue(name).put(item["value"]),
            "lock": lambda: poold.Lock(name).acquire(), "recv": lambda: poold.Connection(name, "b").recv(),
            "join": lambda: poold.Queue(name).join()}[item["op"]]()


def half(item):
    "Puts, sets, adds and sends one after the other; dies (or stays) after so many."
    name, i = item["name"], item["i"]
    steps = [lambda: poold.Queue(name).put(i), lambda: poold.Manager().dict(name).update({"k%d" % i: i, "l%d" % i: i}),
             lambda: poold.Manager().dict(name).add("sum"), lambda: poold.Connection(name, "a").send(i),
             lambda: poold.Manager().list(name).append(i)]
    for at, step in enumerate(steps):
        if at == item.get("until"):
            note(item["note"])
            linger()
        step()
    return i


def borrow(item):
    "Takes one element with a lease, which ends with the item, and stays with it."
    answer = poold.Queue(item["name"])._ask(b"get", b'"lease":600', b',"wait":null')
    if poold.attempt() == 1:
        note(item["note"])
        linger()
    poold.Queue(item["name"])._ask(b"ack", b'"leases":[%d]' % answer["leases"][0])
    return answer["values"][0]
