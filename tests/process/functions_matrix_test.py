#!/usr/bin/env python3
"""Functions of every kind, and everything that they may do to whoever runs them.

    tests/process/functions_matrix_test.py BUILD/bin/poold PLUGIN.so [PATTERN]

One poold with four workers; CASES is the matrix: what a function does × its kind → how its item must end. In each cell
it is the middle one of five items whose siblings must succeed, beside other jobs that must succeed too. Then what is
told of items (pid, log, progress), limits, ceilings, and functions that do not start. After all of that the pool has
its size, and nothing is left running. PATTERN chooses checks by name; FUNCTIONS_TEST_TIMES=1 tells how long each took.
"""
import datetime
import json
import os
import sys
import threading
import time

from functions_kit import House, PATIENCE_S, expect, judge_end, run, until

KINDS = {"exec": "tool", "python": "py.deed", "node": "js.deed", "raw": "raw.deed", "plugin": "plug.deed"}
MEMORY = 256 << 20
OUTPUT = 1 << 20
SANITIZED = os.environ.get("FUNCTIONS_TEST_SANITIZED") == "1"  # workers with shadow memory: no limit fits a plugin
PYTHON = os.path.realpath(sys.executable)
TOOL = [PYTHON, "-S", "-E", "tool.py"]
RAW = [PYTHON, "-S", "-E", "raw.py"]
LIMITS = {"memory": MEMORY, "output": OUTPUT, "files": 64, "cpu": 20}


def value(of):
    return {"value": of}


def error(*types, says="", **fields):
    return {"types": types, "says": says, "fields": fields}


CRASH = error("crash", says="SIGSEGV", signal="SIGSEGV")
HANGS = error("timeout")
BROKEN = error("protocol")
GONE = error("crash", exit_code=0)  # it went without a word
SERVES = ("python", "node", "raw")

# name: (the item, time-out, {kinds: how it ends}). "*": all other kinds.
CASES = {
    "success": ({"do": "ok", "n": 5}, 0, {"*": value(5)}),
    "error": ({"do": "error"}, 0, {
        "exec": error("error", says="exited with status 1", exit_code=1),
        "python": error("error", says="no such picture", **{"class": "ValueError"}),
        "node": error("error", says="no such picture", **{"class": "RangeError"}),
        "*": error("error", says="no such picture")}),
    "wrong argument": ({"do": "argument"}, 0, {
        "exec": error("error", exit_code=1),
        "python": error("error", says="missing", **{"class": "KeyError"}),
        "node": error("error", says="undefined", **{"class": "TypeError"}),
        "*": error("error", says="missing")}),
    "no argument at all": ("not an object", 0, {"*": error("error")}),
    "crash by signal": ({"do": "crash"}, 0, {"*": CRASH}),
    "crash by SIGKILL": ({"do": "crash", "signal": "SIGKILL"}, 0, {"*": error("crash", signal="SIGKILL")}),
    "exit 0 without a reply": ({"do": "leave"}, 0, {"exec": BROKEN, "*": GONE}),
    "exit 7 without a reply": ({"do": "leave", "code": 7}, 0, {
        "exec": error("error", exit_code=7), "*": error("crash", exit_code=7)}),
    "garbage among replies": ({"do": "garbage_replies"}, 10, {"exec": None, "plugin": None, "*": BROKEN}),
    "garbage on fd 3": ({"do": "garbage"}, 10, {"exec": None, "plugin": None, "*": BROKEN}),
    "garbage for a value": ({"do": "babble"}, 0, {"exec": BROKEN, "*": None}),
    "half a line, then silence": ({"do": "half"}, 1.5, {"plugin": None, "*": HANGS}),
    "half a line on fd 3": ({"do": "half_channel"}, 1.5, {"exec": None, "plugin": None, "raw": HANGS,
                                                         "*": error("timeout", "protocol")}),
    "reply for another id": ({"do": "stranger"}, 10, {"exec": None, "plugin": None, "*": BROKEN}),
    "huge reply": ({"do": "huge", "n": 3 * OUTPUT}, 0, {"*": error("too_large")}),
    "large reply": ({"do": "huge", "n": OUTPUT // 2}, 0, {"*": value("x" * (OUTPUT // 2))}),
    "endless reply": ({"do": "endless"}, 10, {"raw": error("too_large", "protocol"), "*": None}),
    "prints": ({"do": "prints", "n": 5}, 0, {"*": value(5)}),
    "prints later": ({"do": "prints_later", "n": 5}, 0, {"node": value(5), "*": None}),
    "floods": ({"do": "floods", "n": 5}, 0, {"*": value(5)}),
    "leaves daemons": ({"do": "daemon", "n": 5}, 0, {"*": value(5)}),
    "ignores SIGTERM": ({"do": "deaf"}, 1.5, {"*": HANGS}),
    "closes all descriptors": ({"do": "closes"}, 2, {"exec": error("timeout", "protocol"), "plugin": error("crash", "protocol"),
                                                     "*": error("crash", "protocol", "timeout")}),
    "allocates without end": ({"do": "allocates"}, 0, {"*": error("memory")}),
    "a child allocates": ({"do": "maps"}, 20, {"node": None, "plugin": None, "*": error("memory")}),
    "too many files": ({"do": "opens", "n": 100}, 0, {"plugin": None, "*": error("error")}),
    "no value": ({"do": "no_value"}, 10, {"raw": BROKEN, "plugin": BROKEN, "*": None}),
    "a value that is no JSON": ({"do": "wrong_value"}, 10, {"raw": BROKEN, "plugin": BROKEN, "*": None}),
}

# Manifests that do not start: (manifest, what the reason says).
STARTS = {
    "exec-missing": ({"command": ["/nowhere/tool"]}, "No such file"),
    "python-missing": ({"runtime": "python", "module": "nosuchmodule"}, "nosuchmodule"),
    "python-syntax": ({"runtime": "python", "module": "syntax"}, "syntax"),
    "python-raises": ({"runtime": "python", "module": "inits", "initializer": "raises"}, "no model at /nowhere"),
    "python-dies": ({"runtime": "python", "module": "inits", "initializer": "dies"}, "SIGSEGV"),
    "python-leaves": ({"runtime": "python", "module": "inits", "initializer": "leaves"}, ""),
    "python-hangs": ({"runtime": "python", "module": "inits", "initializer": "hangs", "start_timeout": 2}, "2"),
    "python-nofunction": ({"runtime": "python", "module": "inits", "initializer": "isnot"}, "isnot"),
    "node-missing": ({"runtime": "node", "module": "nosuchmodule"}, "nosuchmodule"),
    "node-syntax": ({"runtime": "node", "module": "jssyntax"}, ""),
    "node-raises": ({"runtime": "node", "module": "jsinits", "initializer": "raises"}, "no model at /nowhere"),
    "node-dies": ({"runtime": "node", "module": "jsinits", "initializer": "dies"}, "SIGSEGV"),
    "node-leaves": ({"runtime": "node", "module": "jsinits", "initializer": "leaves"}, ""),
    "node-hangs": ({"runtime": "node", "module": "jsinits", "initializer": "hangs", "start_timeout": 2}, "2"),
    "raw-missing": ({"runtime": ["/nowhere/runtime"]}, "No such file"),
    "raw-never": ({"runtime": RAW + ["never"], "start_timeout": 2}, "2"),
    "raw-dying": ({"runtime": RAW + ["dying"]}, "SIGSEGV"),
    "raw-leaving": ({"runtime": RAW + ["leaving"]}, ""),
    "raw-refusing": ({"runtime": RAW + ["refusing"]}, "no model here"),
    "raw-babbling": ({"runtime": RAW + ["babbling"], "start_timeout": 5}, ""),
    "plugin-missing": ({"plugin": "nowhere.so"}, "nowhere.so"),
    "plugin-version": ({"plugin": "functions_plugin_version.so"}, "version"),
    "plugin-raises": ({"plugin": "functions_plugin_raises.so"}, "no model at /nowhere"),
    "plugin-dies": ({"plugin": "functions_plugin_dies.so"}, "SIGSEGV"),
    "plugin-symbol": ({"plugin": "functions_plugin_empty.so"}, "poold"),
}
LATE = {"raw-late": ({"runtime": RAW + ["late"]}, "deed", {"do": "ok", "n": 5}, 5),
        "python-late": ({"runtime": "python", "module": "slow"}, "double", 4, 8),
        "node-late": ({"runtime": "node", "module": "jsslow"}, "double", 4, 8),
        "plugin-late": ({"plugin": "functions_plugin_late.so"}, "deed", {"do": "ok", "n": 5}, 5)}

# One manifest for each kind, under the name that a function "deed" gets it, and variants of it.
BASES = {"exec": {"command": TOOL}, "python": {"runtime": "python", "module": "py"},
         "node": {"runtime": "node", "module": "js"}, "raw": {"runtime": RAW}, "plugin": {"plugin": "functions_plugin.so"}}


def variant(name, kind, **more):
    """A further manifest of this kind, and what its function is called."""
    return name, dict(BASES[kind], name=name, **more), name if kind == "exec" else name + ".deed"


def manifests():
    every = {}
    for kind, base in BASES.items():
        limits = dict(LIMITS)
        if SANITIZED and kind == "plugin":
            del limits["memory"]
        name = KINDS[kind].split(".")[0]
        every[name] = dict(base, name=name, limits=limits, environment=["DEEDS_PASSED", "DEEDS_SET=a=b", "DEEDS_NOT_THERE"])
    for kind in BASES:
        every["cpu-" + kind] = dict(BASES[kind], name="cpu-" + kind, limits={"cpu": 1})
        every["few-" + kind] = dict(BASES[kind], name="few-" + kind, max_tasks_per_child=3)
        every["lean-" + kind] = dict(BASES[kind], name="lean-" + kind, max_rss="96M")
        every["alone-" + kind] = dict(BASES[kind], name="alone-" + kind, concurrency=1)
        every["capped-" + kind] = dict(BASES[kind], name="capped-" + kind, defaults={"timeout": 0.75, "max_attempts": 2},
                                       ceilings={"timeout": 1.5, "max_attempts": 3, "processes": 2})
    for name in ("few-exec", "lean-exec"):  # a command is a process for each item anyway
        del every[name]
    every["argument"] = {"command": [PYTHON, "-S", "-E", "argument.py", "<{}>", "{}"], "input": "text", "output": "text"}
    every["bytes"] = {"command": ["/bin/cat"], "input": "base64", "output": "base64"}
    every["text"] = {"command": ["/bin/cat"], "input": "text", "output": "text"}
    every["inits"] = {"runtime": "python", "module": "inits", "initializer": "good", "initargs": [40]}
    every["jsinits"] = {"runtime": "node", "module": "jsinits", "initializer": "good", "initargs": [40]}
    every["away"] = {"command": [PYTHON, "-S", "-E", "-c", "import os,json;print(json.dumps(os.getcwd()))"], "directory": "sub"}
    for name, (manifest, _) in STARTS.items():
        every[name] = dict(manifest, name=name)
    for name, (manifest, *_) in LATE.items():
        every[name] = dict(manifest, name=name)
    return every


# ---- the matrix ----

def expected_of(case, kind):
    ends = CASES[case][2]
    return ends[kind] if kind in ends else ends.get("*")


def judge(line, wanted, what):
    if "value" in wanted:
        expect(line.get("value", line) == wanted["value"], what, "gave", str(line)[:600])
        return
    expect("error" in line, what, "did not fail:", str(line)[:300])
    problem = line["error"]
    expect(problem["type"] in wanted["types"], what, "is to end as", wanted["types"], "but:", str(problem)[:600])
    expect(wanted["says"] in problem["message"], what, "does not say", wanted["says"], "but:", str(problem)[:600])
    for key, of in wanted["fields"].items():
        expect(problem.get(key) == of, what, "is to have", key, of, "but:", str(problem)[:600])
    expect(problem["attempts"] == 1, what, "was tried again:", str(problem)[:300])


def seconds(time_text):
    return datetime.datetime.fromisoformat(time_text.replace("Z", "+00:00")).timestamp()


def cell(case, kind):
    item, timeout, _ = CASES[case]
    wanted = expected_of(case, kind)

    def check(house):
        items = [{"do": "ok", "n": 0}, {"do": "ok", "n": 1}, item, {"do": "ok", "n": 3}, {"do": "ok", "n": 4}]
        job = house.submit(KINDS[kind], items, chunksize=5, timeout=timeout)
        lines = house.results(job)
        judge(lines[2], wanted, case)
        for i in (0, 1, 3, 4):
            # Its siblings' own starts may be slow on a busy machine: their time-out is not what is judged here.
            if timeout and "error" in lines[i] and lines[i]["error"]["type"] == "timeout":
                lines[i] = house.call(KINDS[kind], items[i])
                lines[i]["index"] = i
            expect(lines[i] == {"index": i, "value": i}, "sibling", i, "ended as", str(lines[i])[:500])
        if "types" in wanted:
            last = house.item(job, 2)["attempts"][-1]
            took = seconds(last["ended"]) - seconds(last["started"])
            expect(took < (timeout or 20) + 15, "it took", took, "s")
            if lines[2]["error"]["type"] == "timeout":
                expect(took >= timeout * 0.9, "it timed out early:", took)
        if lines[2].get("error", {}).get("type") == "memory":
            problem = lines[2]["error"]
            expect(problem.get("limit") == MEMORY and problem.get("peak", 0) >= MEMORY * 0.5, "limit and peak:", problem)
        check_log(house, job, case, kind)
    return check


def check_log(house, job, case, kind):
    said = {"error": "about to fail", "crash by signal": "about to crash", "ignores SIGTERM": "cannot hear you",
            "half a line, then silence": "half a line"}.get(case)
    if said and (case, kind) != ("error", "plugin") and not (SANITIZED and kind == "plugin"):
        expect(said in house.printed(job, 2), "the log lacks", said, ":", house.item(job, 2)["output"])
    if case == "prints":
        log = house.printed(job, 2)
        for text in ("one", "two", "three", "not a reply", "no newline at the end"):
            expect(text in log, "the log lacks", text, ":", log)
        expect("two" in house.printed(job, 2, "stderr"), "stderr is not told apart")
    if case == "floods":
        log = house.printed(job, 2)
        expect("line 000000" in log or "line 0 " in log, "the log does not begin:", log[:200])
        expect(len(log) < 20000 * 100, "it was not capped:", len(log))


# ---- beside the matrix ----

def check_beside(house):
    """Other jobs run all the while, of each kind, and none of their items is touched."""
    jobs = {f: house.submit(f, [{"do": "ok", "n": i} for i in range(40)], processes=1) for f in KINDS.values()}
    squares = house.submit("square", list(range(20000)))
    for function, job in jobs.items():
        lines = house.results(job)
        bad = [line for line in lines if line.get("value") != line["index"]]
        expect(not bad and len(lines) == 40, function, "beside:", str(bad)[:800])
    expect(all(line["value"] == line["index"] ** 2 for line in house.results(squares)), "squares")


def isolated(kind):
    def check(house):
        lines = house.map(KINDS[kind], [{"do": "pid"}] * 4, isolation="process")
        pids = [line.get("pid") for line in lines]
        expect(all(pids) and len(set(pids)) == 4, "a fresh process for each:", lines)
        expect(all(line["exit_code"] == 0 for line in lines), "exit codes:", lines)
        expect([line["value"] for line in lines] == pids, "its own pid:", lines)
        until(lambda: not set(pids) & set(house.marked()), lambda: "still there: %r" % pids)
        problem = house.error(KINDS[kind], {"do": "crash"}, isolation="process")
        expect(problem["type"] == "crash" and problem["signal"] == "SIGSEGV" and problem.get("pid"), problem)
    return check


def recycled(kind):
    def check(house):
        values = [line["value"] for line in house.map("few-" + kind + ".deed", [{"do": "pid"}] * 10, processes=1)]
        expect(max(values.count(pid) for pid in values) <= 3, "max_tasks_per_child 3:", values)
        expect(max(values.count(pid) for pid in values) > 1, "it did not stay warm:", values)
    return check


def resident(pid):
    try:
        with open("/proc/%d/statm" % pid, encoding="ascii") as file:
            return int(file.read().split()[1]) * 4096
    except (OSError, IndexError):
        return 0


def grown(kind):
    def big(house):
        # Sanitizers make poold's own processes large, too.
        return {pid for pid, (line, _) in house.marked().items()
                if resident(pid) > 140 << 20 and not (SANITIZED and line.startswith("poold"))}

    def check(house):
        items = [{"do": "pid"}, {"do": "allocates", "most": 160}, {"do": "pid"}]
        values = [line.get("value", line) for line in house.map("lean-" + kind + ".deed", items, chunksize=1)]
        expect(values[1] == 160 << 20, "the item itself is not harmed:", values)
        # Which worker had it is not told; but whoever holds so much now must go (other checks' processes do so, too).
        grown_ones = big(house)
        until(lambda: not grown_ones & big(house), lambda: "max_rss had no effect: %r" % (grown_ones & big(house)))
    return check


def cancelled(kind):
    def check(house):
        note = "cancel-" + kind
        job = house.submit(KINDS[kind], {"do": "deaf", "n": note}, kind="apply")
        until(lambda: os.path.exists(os.path.join(house.notes, "hears-not-" + note)),
              lambda: "it does not start: %r %r" % (house.item(job), house.workers()))
        before = time.monotonic()
        status, text = house.ask("POST", "/v1/jobs/%s/cancel" % job)
        expect(status == 200, status, text)
        view = house.ended(job)
        expect(view["state"] == "cancelled", view)
        expect(time.monotonic() - before < 20, "it took too long")
        expect(house.item(job)["state"] == "cancelled", house.item(job))
    return check


WEIRD = ["; touch owned $(touch owned) `touch owned` | cat & \\ ' \" * ? ~ # ! {} %s", "-rf --help", "a\nb\tc", "",
         "grüße 🎈 \u2028", "$HOME ${PATH}", "'; exit 1; '", "\\", "\"", "<>", "--"]


def unchanged(kind):
    def check(house):
        if kind == "argument":
            for text in WEIRD:
                got = house.value("argument", text)
                expect(got == "<%s>|%s|" % (text, text), "as an argument:", text, "came as", got)
        elif kind in ("text", "bytes"):
            import base64
            items = WEIRD if kind == "text" else [base64.b64encode(w.encode() + b"\0\xff").decode() for w in WEIRD]
            got = [line.get("value", line) for line in house.map(kind, items)]
            expect(got == items, "on stdin:", got)
        else:
            got = [line.get("value", line) for line in house.map(KINDS[kind], [{"do": "echo", "text": w} for w in WEIRD])]
            expect(got == WEIRD, "came back as", got)
        expect(not any("owned" in files for _, _, files in os.walk(house.dir)), "a shell was at work")
    return check


def live_log(kind):
    def check(house):
        note = "talks-" + kind
        job = house.submit(KINDS[kind], {"do": "talks", "note": note, "n": 1}, kind="apply", timeout=PATIENCE_S)
        until(lambda: "before " + note in house.printed(job), lambda: "not readable while it runs: %r" % house.item(job))
        expect(house.item(job)["state"] == "running", house.item(job))
        status, text = house.ask("GET", "/v1/jobs/%s/log" % job)
        expect(status == 200 and "before " + note in text, "the job's log while it runs:", text[:300])
        open(os.path.join(house.notes, note), "w", encoding="utf-8").close()
        line = house.results(job)[0]
        expect(line.get("value") == 1, line)
        log = house.printed(job)
        expect(log.index("before " + note) < log.index("after " + note), log)
    return check


def progressing(kind):
    def check(house):
        note, function = "progress-" + kind, {"python": "py.progress"}.get(kind, KINDS[kind])
        job = house.submit(function, {"do": "progress", "note": note, "n": 1}, kind="apply", timeout=PATIENCE_S)
        until(lambda: house.item(job).get("progress") == {"done": 0.5}, lambda: "no progress: %r" % house.item(job))
        open(os.path.join(house.notes, note), "w", encoding="utf-8").close()
        expect(house.results(job)[0].get("value") == 1, house.results(job))
    return check


def capped(kind):
    def check(house):
        function = "capped-" + kind + ("" if kind == "exec" else ".deed")
        for option, over in (("timeout", 100), ("timeout", 0), ("max_attempts", 4), ("processes", 3), ("processes", 0)):
            status, problem = house.refused(function, [{"do": "ok"}], **{option: over})
            expect(status == 422 and option in problem["detail"], "over the ceiling of", option, status, problem)
        view = house.get("/v1/jobs/" + house.submit(function, [{"do": "ok", "n": 1}]))
        got = {k: view["options"][k] for k in ("timeout", "max_attempts", "processes")}
        expect(got == {"timeout": 0.75, "max_attempts": 2, "processes": 2}, "defaults and ceilings:", got)
        house.ended(view["id"])
        status, view = house.ask("POST", "/v1/jobs?wait=60", {"function": function, "map": [{"do": "ok", "n": 1}],
                                                            "timeout": 1.5, "max_attempts": 1, "processes": 1})
        expect(status == 200, "what is within the ceilings is taken:", status, view)
        status, problem = house.ask("POST", "/v1/jobs?function=%s&timeout=2" % function)
        expect(status // 100 == 4, "NDJSON over the ceiling:", status, problem)
    return check


def cpu(kind):
    def check(house):
        function = "cpu-" + kind + ("" if kind == "exec" else ".deed")
        items = [{"do": "ok", "n": 0}, {"do": "burns"}, {"do": "ok", "n": 2}, {"do": "burns"}, {"do": "ok", "n": 4}]
        before = time.monotonic()
        lines = house.map(function, items, timeout=PATIENCE_S)
        expect(time.monotonic() - before < PATIENCE_S, "the processor's limit did not come first")
        for i, line in enumerate(lines):
            if i % 2 == 0:
                expect(line.get("value") == i, "a sibling:", line)
            else:
                expect(line.get("error", {}).get("type") in ("timeout", "crash"), "it is to be stopped:", line)
                expect("processor" in line["error"]["message"] or "CPU" in line["error"]["message"], line)
    return check


def scrubbed(kind):
    def check(house):
        got = house.value(KINDS[kind], {"do": "environ"})
        allowed = {"PATH", "DEEDS_PASSED", "DEEDS_SET", "POOLD_TEST_MARK", "DEEDS_NOTES", "LC_CTYPE"}
        if kind == "exec":
            allowed |= {"POOLD_JOB", "POOLD_INDEX", "POOLD_ATTEMPT", "POOLD_FUNCTION", "POOLD_CALL", "POOLD_SOCKET"}
            expect(got.get("POOLD_FUNCTION") == "tool" and got.get("POOLD_INDEX") == "0", got)
        else:
            allowed |= {"PYTHONPATH", "NODE_PATH"}
        expect(set(got) <= allowed, "undeclared:", set(got) - allowed)
        expect(got["DEEDS_PASSED"] == "passed on" and got["DEEDS_SET"] == "a=b", got)
        found = house.value(KINDS[kind], {"do": "descriptors"})
        own = {"0", "1", "2", "3"} | (set() if kind == "exec" else {"4"})
        if kind != "node":  # which has its own event descriptors
            expect(set(found) <= own | {fd for fd, to in found.items() if "/proc/" in to}, "strange descriptors:", found)
        stray = [to for to in found.values() if "poold.db" in to or "scoreboard" in to or "/log" in to]
        expect(not stray, "poold's own descriptors:", stray)
        if kind != "exec":
            expect(found["0"] == "/dev/null", "stdin:", found)
        got = house.value(KINDS[kind], {"do": "folder"})
        expect(os.path.realpath(got) == os.path.realpath(house.functions), "the folder:", got)
    return check


def traced(kind):
    """The header of the submission, in each item of the job; the next job's items know nothing of it."""
    def check(house):
        trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-%016x-01" % (1 + sorted(KINDS).index(kind))
        body = {"function": KINDS[kind], "map": [{"do": "trace"}] * 5, "chunksize": 3}
        for header, expected in (({"traceparent": trace}, trace), ({}, None), ({"traceparent": trace + "-no"}, None)):
            status, text = house.ask("POST", "/v1/jobs", body, **header)
            expect(status == 202 and json.loads(text)["traceparent"] == expected, status, text)
            lines = house.results(json.loads(text)["id"])
            expect([line.get("value", line) for line in lines] == [expected] * 5, header, lines)
    return check


def tried_again(kind):
    def check(house):
        job = house.submit(KINDS[kind], {"do": "attempt", "note": "again-" + kind, "n": 7}, kind="apply", max_attempts=2,
                           backoff=0.01)
        line = house.results(job)[0]
        expect(line.get("value") == 7, line, house.item(job))
    return check


def alone(kind):
    def check(house):
        function = "alone-" + kind + ("" if kind == "exec" else ".deed")
        items = [{"do": "alone", "note": kind}] * 4
        jobs = [house.submit(function, items, chunksize=1) for _ in range(2)]
        for job in jobs:
            lines = house.results(job)
            expect(all(line.get("value") is True for line in lines), "not one at a time:", lines)
    return check


# ---- what only some have ----

def check_python(house):
    expect([line["value"] for line in house.map("py.power", [2, 3])] == [4, 9], "map")
    lines = house.results(house.submit("py.power", [[2, 5], [3], {"base": 2, "exponent": 3}], kind="starmap"))
    expect([line.get("value") for line in lines] == [32, 9, 8], "starmap:", lines)
    lines = house.results(house.submit("py.power", [[], [1, 2, 3], {"nobase": 1}], kind="starmap"))
    expect([line.get("error", {}).get("class") for line in lines] == ["TypeError"] * 3, "wrong arguments:", lines)
    expect(house.value("py.soon", 1) == 2, "async")
    problem = house.error("py.counts", 3)
    expect(problem["type"] == "error" and "generator" in problem["message"], problem)
    problem = house.error("py.odd", 3)
    expect(problem["type"] == "error" and "JSON" in problem["message"], problem)
    problem = house.error("py.deed", {"do": "error"})
    expect("ValueError: no such picture" in problem.get("traceback", "") and "deeds.py" in problem["traceback"], problem)
    lines = house.map("py.prints_later", [{"n": i} for i in range(20)], processes=1)
    expect([line.get("value") for line in lines] == list(range(20)), "prints after its reply:", lines)
    expect(house.value("inits.add", 2) == 42, "initializer and initargs")


def check_node(house):
    lines = house.results(house.submit("js.power", [[2, 5], [3]], kind="starmap"))
    expect([line.get("value") for line in lines] == [32, 9], "starmap:", lines)
    problem = house.error("js.odd", 3)
    expect(problem["type"] == "error", problem)
    expect(house.value("jsinits.add", 2) == 42, "initializer and initargs")
    problem = house.error("js.deed", {"do": "error"})
    expect("js.js" in problem.get("traceback", ""), problem)


def check_raw(house):
    got = house.value("raw.deed", {"do": "request"})
    expect(got["function"] == "deed" and got["attempt"] == 1 and got["deadline"] is None and got["index"] == 0, got)
    expect(list(got)[0] == "id" and got["star"] is False, got)
    got = house.value("raw.deed", {"do": "request"}, timeout=30)
    expect(5 < got["deadline"] - time.time() < 40, got)
    job = house.submit("raw.deed", {"do": "logs", "n": 1}, kind="apply")
    expect(house.results(job)[0].get("value") == 1, "a log line over the channel")
    expect("said over the channel" in house.printed(job, 0, "stderr"), house.item(job))
    line = house.map("raw.deed", [{"do": "two_replies"}, {"do": "late", "s": 0.2, "n": 1}], processes=1, chunksize=1)
    expect(line[0].get("value") == 1 or line[0]["error"]["type"] == "protocol", line)


def check_exec(house):
    expect(os.path.realpath(house.value("away", None)) == os.path.realpath(os.path.join(house.functions, "sub")), "directory")
    job = house.submit("tool", {"do": "error"}, kind="apply")
    problem = house.results(job)[0]["error"]
    expect("no such picture" in problem["stderr"], problem)
    items = [{"do": "pid"}] * 6
    pids = [line["value"] for line in house.map("tool", items)]
    expect(len(set(pids)) == 6, "a process for each:", pids)


def check_warm(house):
    """A runtime stays, and its function goes to where it is."""
    for kind in SERVES:
        house.value(KINDS[kind], {"do": "pid"})
        pids = [house.value(KINDS[kind], {"do": "pid"}) for _ in range(6)]
        # Other checks may take the worker meanwhile, so not all need be the same.
        expect(len(set(pids)) < 6, kind, "always starts anew:", pids)


def check_listed(house):
    listed = {f["name"]: f for f in house.listed()}
    for kind, function in KINDS.items():
        entry = listed.get(function, {})
        expect(entry.get("kind") == {"exec": "exec", "plugin": "plugin"}.get(kind, "runtime"), function, entry)
    expect(listed["raw.deed"]["summary"] == "does as the item says", listed["raw.deed"])
    capped_one = listed["capped-exec"]
    expect(capped_one["ceilings"].get("timeout") == 1.5 and capped_one["defaults"].get("timeout") == 0.75, capped_one)
    status, _ = house.refused("py.nosuch", [1])
    expect(status == 422, "an unknown function of a known manifest", status)
    status, _ = house.refused("nosuch.deed", [1])
    expect(status == 422, "an unknown manifest", status)


def starting(name):
    """What does not start fails its items with the reason; it neither hangs nor hurts anybody else."""
    def check(house):
        _, says = STARTS[name]
        function = name if name.startswith("exec") else name + ".deed"
        lines = house.map(function, [{"do": "ok", "n": i} for i in range(3)])
        for line in lines:
            problem = line.get("error", {})
            expect(problem.get("type") == "error", "it is to fail as error:", line)
            expect(says.lower() in problem["message"].lower(), "the reason is to say", says, ":", line)
        if not name.startswith("exec"):
            told = [f.get("problem") for f in house.listed() if f["name"].split(".")[0] == name]
            expect(told and all(told) and says.lower() in told[0].lower(), "GET /v1/functions:", told)
    return check


def starts_late(name):
    def check(house):
        _, function, item, result = LATE[name]
        expect(house.value(name + "." + function, item, timeout=1) == result, "a slow start is not the item's time")
    return check


def checks():
    listed = [("beside the others", check_beside)]
    slow_first = sorted(CASES, key=lambda case: -CASES[case][1])
    listed += [("%s, %s" % (kind, case), cell(case, kind)) for case in slow_first for kind in KINDS
               if expected_of(case, kind) and not (SANITIZED and kind == "plugin" and case == "allocates without end")]
    listed += [("start: " + name, starting(name)) for name in STARTS]
    listed += [("start: " + name, starts_late(name)) for name in LATE]
    each = (("isolation", isolated), ("cancel", cancelled), ("unchanged", unchanged), ("live log", live_log),
            ("ceilings", capped), ("processor time", cpu), ("environment", scrubbed), ("tried again", tried_again),
            ("concurrency 1", alone), ("trace", traced))
    listed += [("%s, %s" % (title, kind), make(kind)) for title, make in each for kind in KINDS
               if (title, kind) != ("environment", "plugin")]  # it lives in the worker's
    listed += [("unchanged, " + kind, unchanged(kind)) for kind in ("argument", "text", "bytes")]
    listed += [("progress, " + kind, progressing(kind)) for kind in KINDS]
    listed += [("max_tasks_per_child, " + kind, recycled(kind)) for kind in KINDS if kind != "exec"]
    listed += [("max_rss, " + kind, grown(kind)) for kind in KINDS
               if kind != "exec" and not (SANITIZED and kind == "plugin")]
    listed += [("python's own", check_python), ("node's own", check_node), ("the protocol's own", check_raw),
               ("a command's own", check_exec), ("warm", check_warm), ("listed", check_listed)]
    listed += [("beside the rest", check_beside)]
    return listed


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    house = House(sys.argv[1], manifests(), "--kill-grace", "500ms", "--idle-runtimes", "6", start=False)
    wrong = 0
    try:
        os.mkdir(os.path.join(house.functions, "sub"))
        for name in os.listdir(sys.argv[2]):
            if name.startswith("functions_plugin") and name.endswith(".so"):
                os.symlink(os.path.join(sys.argv[2], name), os.path.join(house.functions, name))
        house.start()
        wrong = run("functions", house, checks(), 12, sys.argv[3] if len(sys.argv) == 4 else None)
        # A plugin that closes all descriptors is told of so: that check is the test's own.
        wrong = judge_end(house, wrong, forgiven="left the worker's descriptors alone")
    finally:
        house.clean_up()
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
