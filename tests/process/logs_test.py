#!/usr/bin/env python3
"""Every line of every process's log can be read, as logfmt and as JSON, whatever happens and whatever names there are.

    tests/process/logs_test.py SOURCE_DIR build/bin/poold        exit status 0 if all is true

And docs/operations.md has all events that the sources log, with their levels and fields; none of which means two things.
"""
import json
import os
import re
import signal
import sys
import threading
import time

import log_events
from functions_kit import House, expect, run, until

SECRET = "what-nobody-is-to-read"
ODD = 'odd "quoted" \\ näme = x'  # of a folder

NUMBERS = {"slot", "gen", "pid", "item", "attempt", "items", "succeeded", "failed", "cancelled", "seconds", "exit_code",
           "max_rss_kib", "unlogged", "status", "jobs", "running", "handed_back", "grace", "from", "to"}
BOOLEANS = {"extra", "again", "read_only", "was_ready", "cut"}


# ---- the sources and the document ----


def documented(source):
    """{event: (levels, fields, all events of its row)}"""
    with open(os.path.join(source, "docs", "operations.md"), encoding="utf-8") as file:
        section = file.read().split("\n## Logs\n")[1].split("\n## ")[0]
    found = {}
    for line in re.findall(r"^\|(.*)\|$", section, re.M):
        row = [cell.strip() for cell in line.split("|")]
        events = re.findall(r"`([^`]+)`", row[0])
        for event in events:
            expect(event not in found, "twice in docs/operations.md:", event)
            found[event] = set(row[1].split(", ")), set(row[2].split()), events
    return found


def sources(source):
    def check(_):
        calls, told = log_events.calls(source), documented(source)
        expect(len(calls) > 60, "found only", len(calls))
        kinds, fields = {}, {}
        for call in calls:
            expect(call.wrong() is None, call.where, call.wrong())
            for name, kind in call.fields.items():
                expect(kinds.setdefault(name, kind) == kind, call.where, name, "is a", kind, "here and a", kinds[name])
            for event in call.events:
                expect(event in told, "docs/operations.md has no", event, call.where)
                levels, _, _ = told[event]
                expect("?" in call.levels or call.levels <= levels, call.where, event, call.levels, "in the table:", levels)
                fields.setdefault(event, set()).update(call.fields)
        expect(set(told) == set(fields), "nobody logs:", set(told) - set(fields))
        for event, (_, names, row) in told.items():
            union = set().union(*(fields[other] for other in row))
            expect(names == union, "docs/operations.md,", event, "has not:", union - names, "; has too many:", names - union)
    return check


# ---- lines ----


def read_logfmt(line):
    """key=value with one space between; a bare value has none of what would need quotes."""
    fields, at = {}, 0
    pattern = re.compile(r'([a-z_]+)=("(?:[^"\\\x00-\x1f\x7f]|\\(?:["\\nrt]|u00[0-9a-f]{2}))*"|[^\s"=\\\x00-\x20\x7f-\U0010ffff]+)( |$)')
    while at < len(line):
        match = pattern.match(line, at)
        expect(match, "no logfmt from", repr(line[at:at + 60]), "on:", line)
        key, value, _ = match.groups()
        expect(key not in fields, "twice:", key, line)
        fields[key] = json.loads(value) if value.startswith('"') else value
        at = match.end()
    expect(not line.endswith(" "), "a space at the end:", line)
    return fields


def read_json(line):
    def pairs(found):
        expect(len(dict(found)) == len(found), "a field twice:", line)
        return dict(found)
    try:
        fields = json.loads(line, object_pairs_hook=pairs)
    except ValueError as error:
        expect(False, "no JSON:", error, line)
    for name, value in fields.items():
        wanted = (int, float) if name in NUMBERS else bool if name in BOOLEANS else str
        right = isinstance(value, wanted) and (name in BOOLEANS or not isinstance(value, bool))
        expect(right or not (name in NUMBERS or name in BOOLEANS), name, "is", repr(value), line)
        expect(isinstance(value, (str, int, float)), name, line)
    return fields


def events(house, read):
    """All lines but those that are no events by contract, read strictly."""
    with open(os.path.join(house.dir, "log"), "rb") as file:
        data = file.read()
    expect(data.endswith(b"\n"), "the last line is torn:", data[-200:])
    found = []
    for line in data[:-1].decode("utf-8").split("\n"):  # strict: no byte that is none
        if line.startswith("listening on http://"):
            continue
        expect(len(line.encode()) < 4096, "a line of", len(line), "characters")
        fields = read(line)
        expect(list(fields)[:4] == ["time", "level", "process", "event"], "the head:", line)
        expect(re.fullmatch(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", fields["time"]), line)
        found.append(fields)
    return found


# ---- a life with everything ----


def live(house, odd):
    """What goes wrong on a day. Ids of the jobs that are looked for."""
    jobs = {}

    def job(name, function, items, **options):
        jobs[name] = house.submit(function, items, **options)
        return jobs[name]

    def begun(id_):  # what has printed has begun, which a worker that has the item may not have yet
        return [w for w in house.workers() if w["job"] == id_] if "before" in house.printed(id_) else []

    house.results(job("fine", "square", [1, 2, 3]))
    house.results(job("errors", "py.deed", [{"do": "error", "secret": SECRET}] * 25, chunksize=1))
    house.results(job("crash", "exit", [1, 5, 3], chunksize=1))
    house.results(job("crashes", "exit", list(range(1, 31)), chunksize=1))
    house.results(job("mixed", "exit", ["no number"] * 20 + [7], chunksize=1, processes=1))
    house.results(job("timeout", "sleep", [60], timeout=0.1))
    house.results(job("again", "tool", [{"do": "leave", "code": 7}], max_attempts=2, backoff=0.01))
    house.results(job("apply", "fail", {"secret": SECRET}, kind="apply"))
    house.results(job("odd", 'odd', [1]))
    # more streams than there may be
    path = "/v1/jobs/" + job("slow", "sleep", [60])
    statuses = []
    waiting = [threading.Thread(target=lambda: statuses.append(house.ask("GET", path + "?wait=60")[0])) for _ in "123"]
    for thread in waiting:
        thread.start()
    until(lambda: statuses == [503], "a 503")
    house.ask("POST", path + "/cancel")
    for thread in waiting:
        thread.join()
    # a reload that is refused, with a text in it that is hard to quote
    with open(os.path.join(odd, 'b"ad\n.json'), "w", encoding="utf-8") as file:
        file.write('{"command":["true"], "no \\"such\\" key\\n":1}')
    house.process.send_signal(signal.SIGHUP)
    until(lambda: "functions stay as they were" in house.log(), "a refused reload")
    os.unlink(os.path.join(odd, 'b"ad\n.json'))
    house.process.send_signal(signal.SIGHUP)
    # a worker, then the server, is killed while an item runs
    job("killed", "py.deed", [{"do": "talks", "note": "never"}])
    worker = until(lambda: begun(jobs["killed"]), "it runs")[0]
    os.kill(worker["pid"], signal.SIGKILL)
    house.ended(jobs["killed"])
    server = next(pid for pid, (line, _) in house.marked().items() if "poold-server" in line.split(" ")[0])
    os.kill(server, signal.SIGKILL)

    def back():
        try:
            return house.ask("GET", "/readyz")[0] == 200
        except OSError:
            return False
    until(back, "the server's return")
    # drained with something that does not end in time
    job("handed", "py.deed", [{"do": "talks", "note": "never"}])
    until(lambda: begun(jobs["handed"]), "it runs")
    house.stop()
    return jobs


def told(lines, event, **fields):
    """The lines of that event with these fields."""
    return [line for line in lines if line["event"] == event and all(str(line.get(name)) == str(value)
                                                                    for name, value in fields.items())]


def judge(lines, jobs, house):
    def one(event, **fields):
        found = told(lines, event, **fields)
        expect(len(found) == 1, len(found), "lines of", event, fields, found[:3])
        return found[0]

    expect({line["process"] for line in lines} >= {"poold", "server"}, "processes")
    line = one("job.accepted", job=jobs["fine"])
    expect(line["function"] == "square" and str(line["items"]) == "3" and line["kind"] == "map", line)
    line = one("job.ended", job=jobs["fine"])
    expect(line["state"] == "succeeded" and str(line["succeeded"]) == "3" and float(line["seconds"]) < 60, line)
    expect("unlogged" not in line and line["level"] == "info", line)

    expect(len(told(lines, "item.failed", job=jobs["errors"], type="error", level="info")) == 10, "ten of 25")
    line = one("job.ended", job=jobs["errors"])
    expect(str(line["failed"]) == "25" and str(line["unlogged"]) == "15", line)

    line = one("item.failed", job=jobs["crash"], level="warning", type="crash", item=1)
    gone = one("worker.gone", job=jobs["crash"], item=1, cause="crash", level="warning")
    expect((line["slot"], line["gen"]) == (gone["slot"], gone["gen"]), line, gone)
    expect(line.get("signal") == gone.get("signal") and line.get("exit_code") == gone.get("exit_code"), line, gone)
    expect(len(told(lines, "worker.gone", job=jobs["crashes"])) == 10, "of one cause after the other")
    expect(str(one("job.ended", job=jobs["crashes"])["unlogged"]) == "20", "crashes")

    one("item.failed", job=jobs["mixed"], type="crash", item=20, exit_code=7)
    one("worker.gone", job=jobs["mixed"], cause="crash", item=20)
    expect(str(one("job.ended", job=jobs["mixed"])["unlogged"]) == "10", "errors hide no crash")

    one("item.failed", job=jobs["timeout"], type="timeout")
    one("worker.gone", job=jobs["timeout"], cause="timeout")
    attempts = told(lines, "item.failed", job=jobs["again"])
    expect([str(line["again"]).lower() for line in attempts] == ["true", "false"], attempts)
    expect([str(line["attempt"]) for line in attempts] == ["1", "2"] and str(attempts[0]["exit_code"]) == "7", attempts)
    one("item.failed", job=jobs["apply"])
    expect(not told(lines, "job.accepted", job=jobs["apply"]), "applies are for debug")
    one("job.ended", job=jobs["odd"], state="succeeded")

    expect(any(ODD in line.get("path", "") for line in told(lines, "function.added")), "the odd folder")
    line = told(lines, "functions.reload", level="error")[0]
    expect('b"ad\n.json' in line["error"] and ODD in line["error"], line)
    expect(told(lines, "functions.reload", level="info"), "the reload that was not refused")
    line = told(lines, "http.error", status=503, type="overloaded", method="GET", route="/v1/jobs/{id}", job=jobs["slow"])
    expect(line, "the 503")
    one("worker.gone", job=jobs["killed"], signal="SIGKILL", item=0)
    one("server.gone", signal="SIGKILL", level="error")
    one("drain", signal="SIGTERM")
    line = one("drain.begin")
    expect(str(line["jobs"]) == "1" and str(line["running"]) == "1", line)
    line = one("drain.end")
    expect(str(line["jobs"]) == "1" and str(line["handed_back"]) == "1", line)
    one("stopped", exit_code=0)
    expect(SECRET not in house.log() and "no such picture" not in house.log(), "payloads in the log")


def life(binary, form, read):
    def check(_):
        house = House(binary, {"py": {"runtime": "python", "module": "py"}, "tool": {"command": ["python3", "tool.py"]}},
                      "--log-format", form, "--max-streams", "2", "--grace", "0", "--kill-grace", "300ms", start=False)
        odd = os.path.join(house.dir, ODD)
        try:
            os.mkdir(odd)
            with open(os.path.join(odd, "odd.json"), "w", encoding="utf-8") as file:
                json.dump({"command": ["true"], "output": "text", "directory": odd}, file)
            house.options += ["--functions", odd]
            house.start()
            try:
                jobs = live(house, odd)
                judge(events(house, read), jobs, house)
            except BaseException:
                print(house.log())
                raise
        finally:
            house.clean_up()
    return check


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    source, binary = sys.argv[1:3]
    checks = [("sources and docs/operations.md", sources(source)), ("text", life(binary, "text", read_logfmt)),
              ("json", life(binary, "json", read_json))]
    sys.exit(run("logs", None, checks, 3, sys.argv[3] if len(sys.argv) == 4 else None) > 0)


main()
