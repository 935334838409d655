#!/usr/bin/env python3
"""Manifests, looked at from outside: what is wrong with one is said, SIGHUP reloads them under load, and a runtime that
does not start is not started again and again.

    tests/process/functions_reload_test.py BUILD/bin/poold PLUGINS [PATTERN]
"""
import os
import signal
import sys
import threading
import time

from functions_kit import House, Wrong, expect, run, until

PYTHON = os.path.realpath(sys.executable)
RAW = [PYTHON, "-S", "-E", "raw.py"]

# What is wrong: (the manifest as text, line, what is to be named).
WRONG = {
    "no JSON": ('{"command": ["/bin/true"],\n}', 2, ""),
    "empty": ("", 1, ""),
    "an array": ("[]", 1, ""),
    "no kind": ('{"name": "x"}', 1, "command"),
    "two kinds": ('{"command": ["/bin/true"],\n "runtime": "python", "module": "py"}', 2, "runtime"),
    "unknown key": ('{"command": ["/bin/true"],\n "summary": "s",\n "tiemout": 5}', 3, "tiemout"),
    "key of another kind": ('{"command": ["/bin/true"],\n "module": "py"}', 2, "module"),
    "command is a text": ('{"command": "rm -rf /"}', 1, "command"),
    "command is empty": ('{"command": []}', 1, "command"),
    "no module": ('{"runtime": "python"}', 1, "module"),
    "unknown language": ('{"runtime": "cobol", "module": "x"}', 1, "runtime"),
    "unknown option": ('{"command": ["/bin/true"],\n\n "defaults": {"tiemout": 5}}', 3, "tiemout"),
    "default of the wrong type": ('{"command": ["/bin/true"],\n "defaults": {"timeout": "5"}}', 2, "timeout"),
    "default over its ceiling": ('{"command": ["/bin/true"],\n "defaults": {"timeout": 9},\n "ceilings": {"timeout": 5}}', 2,
                                 "timeout"),
    "limit that is no size": ('{"command": ["/bin/true"],\n "limits": {"memory": "much"}}', 2, "memory"),
    "negative limit": ('{"command": ["/bin/true"], "limits": {"files": -1}}', 1, "files"),
    "bad environment": ('{"command": ["/bin/true"], "environment": ["A B"]}', 1, "environment"),
    "bad name": ('{"name": "a/b", "command": ["/bin/true"]}', 1, "name"),
    "bad form": ('{"command": ["/bin/true"], "output": "xml"}', 1, "output"),
    "key twice": ('{"command": ["/bin/true"],\n "command": ["/bin/false"]}', 2, "command"),
    "nul in an argument": ('{"command": ["/bin/true", "a\\u0000b"]}', 1, "command"),
    "bad example": ('{"command": ["/bin/true"], "summary": 5}', 1, "summary"),
}
PLAIN = {"command": ["/bin/cat"]}


def names(text, house, line, what):
    """The message names file, line and key."""
    return os.path.join(house.functions, "bad.json") + ":%d" % line in text and what in text


def refused(name):
    def check(binary):
        text, line, what = WRONG[name]
        house = House(binary, {"bad": text, "good": PLAIN}, start=False)
        try:
            for more in (["--check"], []):
                status, said = house.fails(*more)
                expect(status == 78, more, "exit status", status, said)
                expect(names(said, house, line, what), more, "line", line, what, "but it says:", said)
                expect(not os.path.exists(os.path.join(house.dir, "data", "poold.db")), "a database was made")
        finally:
            house.clean_up()
    return check


def check_good(binary):
    """--check of a good folder: exit 0, a line for each manifest, nothing made, nothing started."""
    house = House(binary, {"one": PLAIN, "two": {"runtime": RAW + ["refusing"]}}, start=False)
    try:
        status, said = house.fails("--check")
        expect(status == 0, "exit status", status, said)
        expect("one" in said and "two" in said, "it does not name them:", said)
        expect(not os.path.exists(os.path.join(house.dir, "data", "poold.db")), "a database was made")
        expect(not os.listdir(house.notes), "it started something:", os.listdir(house.notes))
    finally:
        house.clean_up()


def check_twice(binary):
    """The same name in two files, and a folder that is not there."""
    house = House(binary, {"one": dict(PLAIN, name="same"), "two": dict(PLAIN, name="same")}, start=False)
    try:
        for more, what in (([], "same"), (["--functions", "/nowhere/at/all"], "/nowhere/at/all")):
            status, said = house.fails(*more)
            expect(status == 78 and what in said, status, said)
            if what == "same":
                house.drop("two")
    finally:
        house.clean_up()


# ---- reload ----

def reload(house):
    house.process.send_signal(signal.SIGHUP)


def problem(house):
    return house.get("/v1/functions")["problem"]


def version(n, kind):
    """A function that tells which version of its manifest it runs under."""
    if kind == "exec":
        return {"command": [PYTHON, "-S", "-E", "-c", "import time;time.sleep(0.01);print(%d)" % n]}, "vers"
    return {"runtime": "python", "module": "vers", "initializer": "begin", "initargs": [n]}, "vers.tell"


VERS = """import os
import time
import deeds
_version = []


def begin(n):
    _version.append(n)


def tell(item):
    time.sleep(0.01)
    return _version[0]


def hold(item):
    deeds._note("held-%d" % _version[0])
    deeds._wait_note(item)
    return _version[0]


def breed(item):
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
            deeds._stay()
    deeds._wait_note(item)
"""


def house_of(binary, manifests, **more):
    house = House(binary, manifests, "--kill-grace", "500ms", start=False, **more)
    with open(os.path.join(house.functions, "vers.py"), "w", encoding="utf-8") as file:
        file.write(VERS)
    house.start()
    return house


def in_house(manifests, check):
    def wrapped(binary):
        house = house_of(binary, manifests)
        try:
            check(house)
            house.wait_pool()
            house.wait_nothing_left()
            house.stop()
        except Wrong as wrong:
            raise Wrong("%s\npoold's log ends:\n%s" % (wrong, house.log()[-3000:])) from wrong
        finally:
            house.clean_up()
    return wrapped


def under_load(kind):
    """Ten reloads while a map runs: every item once, none failed, versions in order, the last one at the end."""
    def check(house):
        function = version(1, kind)[1]
        job = house.submit(function, [None] * 600, chunksize=1)
        for n in range(2, 12):
            before = house.get("/v1/jobs/" + job)["counts"]["succeeded"]
            house.put("vers", version(n, kind)[0])
            reload(house)
            until(lambda least=before + 20: house.get("/v1/jobs/" + job)["counts"]["succeeded"] >= min(least, 600),
                  lambda: "it stands still: %r" % house.get("/v1/jobs/" + job))
        view = house.ended(job)
        expect(view["state"] == "succeeded", "items were lost:", view, [
            line for line in house.results(job) if "error" in line][:3])
        values = [line["value"] for line in house.results(job)]
        expect(len(values) == 600 and set(values) <= set(range(1, 12)), "values:", sorted(set(values)))
        expect(len(set(values)) >= 5, "the reloads had no effect:", sorted(set(values)))
        expect(house.value(function, None) == 11, "the last version is not in force")
    return in_house({"vers": version(1, kind)[0]}, check)


def check_running(house):
    """A running item finishes under the version that it began with, while later ones run under the next."""
    note = "let-go"
    job = house.submit("vers.hold", note, kind="apply")
    until(lambda: os.path.exists(os.path.join(house.notes, "held-1")), "it does not start")
    house.put("vers", version(2, "python")[0])
    reload(house)
    until(lambda: house.value("vers.tell", None) == 2, "the new version is not in force", 20)
    open(os.path.join(house.notes, note), "w", encoding="utf-8").close()
    expect(house.results(job)[0].get("value") == 1, "the running item:", house.results(job))
    expect(all(line.get("value") == 2 for line in house.map("vers.tell", [None] * 40, chunksize=1)), "an old one is left")


def check_bad(house):
    """A bad manifest leaves the old set in force and says so; a good one takes over."""
    house.put("extra", PLAIN)
    house.put("bad", '{"command": ["/bin/true"],\n "tiemout": 5}')
    reload(house)
    until(lambda: problem(house), "GET /v1/functions says nothing")
    expect(names(problem(house), house, 2, "tiemout"), "problem:", problem(house))
    until(lambda: names(house.log(), house, 2, "tiemout"), lambda: "the log: " + house.log()[-2000:])
    expect(house.value("vers.tell", None) == 1, "the old set is not in force")
    expect("extra" not in {f["name"] for f in house.listed()}, "half of the new set is in force")
    house.refused("extra", [1])
    house.drop("bad")
    reload(house)
    until(lambda: not problem(house), lambda: "still: %r" % problem(house))
    expect(house.value("extra", 5) == 5, "the new set is not in force")


def check_vanished(house):
    """A function that is not there any more: its jobs wait, say so, and go on when it is back."""
    job = house.submit("vers.tell", [None] * 300, chunksize=1)
    until(lambda: house.get("/v1/jobs/" + job)["counts"]["succeeded"] > 5, "it does not start")
    house.drop("vers")
    reload(house)
    view = until(lambda: (lambda v: v.get("waiting_for") and v)(house.get("/v1/jobs/" + job)),
                 lambda: "it does not wait: %r" % house.get("/v1/jobs/" + job))
    expect("vers" in view["waiting_for"], view["waiting_for"])
    house.refused("vers.tell", [None])
    expect(house.value("square", 5) == 25, "others")
    until(lambda: house.get("/v1/jobs/" + job)["counts"]["running"] == 0, "what runs does not end")
    count = house.get("/v1/jobs/" + job)["counts"]["succeeded"]
    expect(count < 300, "it was too fast to be seen")
    house.put("vers", version(3, "python")[0])
    reload(house)
    view = house.ended(job)
    expect(view["state"] == "succeeded" and "waiting_for" not in view, view)
    values = [line["value"] for line in house.results(job)]
    expect(set(values) == {1, 3} and count <= values.count(1) < 300, count, {v: values.count(v) for v in set(values)})


def check_restart(house):
    """A job of a function that is gone after a restart is not lost, either."""
    job = house.submit("vers.tell", [None] * 300, chunksize=1)
    until(lambda: house.get("/v1/jobs/" + job)["counts"]["succeeded"] > 5, "it does not start")
    bred = house.submit("vers.breed", "never", kind="apply", timeout=30)
    until(lambda: len(house.noted() & set(house.marked())) == 2, "no children")
    house.drop("vers")
    house.process.send_signal(signal.SIGKILL)
    house.process.wait()
    until(lambda: not house.marked(), lambda: "left: %r" % house.marked())
    house.start()
    house.ask("POST", "/v1/jobs/%s/cancel" % bred)
    until(lambda: house.get("/v1/jobs/" + job).get("waiting_for"), lambda: "it does not wait: %r" % house.get("/v1/jobs/" + job))
    house.put("vers", version(2, "python")[0])
    reload(house)
    view = house.ended(job)
    expect(view["state"] == "succeeded", view)


def check_no_spin(house):
    """A runtime that fails at start is started a few times and no more, however much is asked of it; others work."""
    def starts():
        try:
            return os.path.getsize(os.path.join(house.notes, "starts-refusing"))
        except FileNotFoundError:
            return 0

    until(lambda: starts() > 0, "it was never tried")
    ended = threading.Event()
    begun, first = time.monotonic(), starts()
    jobs = []

    def ask():
        while not ended.is_set():
            jobs.append(house.submit("bad.deed", [{"do": "ok"}] * 50))
            ended.wait(0.2)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        for _ in range(10):
            squares = house.map("square", list(range(2000)))
            expect(all(line["value"] == line["index"] ** 2 for line in squares), "built-ins beside it")
            good = house.map("raw.deed", [{"do": "ok", "n": i} for i in range(20)])
            expect(all(line.get("value") == line["index"] for line in good), "runtimes beside it:", good)
            time.sleep(0.2)
    finally:
        ended.set()
        thread.join()
    took = time.monotonic() - begun
    # Each of four workers may try after 0.1, 0.2, 0.4 … s: 6 times in as many seconds.
    most = 4 * (3 + took.__int__().bit_length() + 3)
    expect(starts() - first <= most, "started", starts() - first, "times in", took, "s; at most", most)
    for job in jobs:
        status, _ = house.ask("POST", "/v1/jobs/%s/cancel" % job)
        expect(status in (200, 409), status)
        house.ended(job)
    bad = next(f for f in house.listed() if f["name"].split(".")[0] == "bad")
    expect("no model here" in (bad.get("problem") or ""), bad)
    house.put("bad", {"runtime": RAW})  # the operator mends it
    reload(house)
    until(lambda: "value" in house.call("bad.deed", {"do": "ok", "n": 1}), "it does not come back", 40)


def check_grows(house):
    """New functions, fewer functions, and back, without a job: the list follows."""
    def listed():
        return {f["name"] for f in house.listed() if f["kind"] != "builtin"}

    house.put("cat", PLAIN)
    house.put("raw", {"runtime": RAW})
    reload(house)
    until(lambda: {"cat", "raw.deed", "raw.other"} <= listed(), lambda: "listed: %r" % listed())
    house.put("cube", PLAIN)  # the operator's wins over what is built in
    house.drop("cat")
    reload(house)
    until(lambda: "cat" not in listed(), lambda: "listed: %r" % listed())
    expect(house.value("cube", 3) == 3 and "function.shadowed" in house.log(), "a built-in's name")
    house.drop("cube")
    reload(house)
    until(lambda: house.value("cube", 3) == 27, "the built-in does not come back")
    for _ in range(20):  # many at once
        reload(house)
    expect(house.value("raw.deed", {"do": "ok", "n": 5}) == 5, "after many reloads")


def checks():
    vers = {"vers": version(1, "python")[0]}
    listed = [("under load, " + kind, under_load(kind)) for kind in ("python", "exec")]
    listed += [("does not spin", in_house({"bad": {"runtime": RAW + ["refusing"]}, "raw": {"runtime": RAW}}, check_no_spin))]
    listed += [(name, in_house(vers, check)) for name, check in (
        ("running items", check_running), ("a bad manifest", check_bad), ("vanished", check_vanished),
        ("gone after a restart", check_restart), ("the list", check_grows))]
    listed += [("--check", check_good), ("twice, and no folder", check_twice)]
    return listed + [("wrong: " + name, refused(name)) for name in WRONG]


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    sys.exit(run("reload", sys.argv[1], checks(), 4, sys.argv[3] if len(sys.argv) == 4 else None) > 0)


if __name__ == "__main__":
    main()
