"""functions_kit: a real poold with functions of its own, for functions_matrix_test.py and functions_reload_test.py.

A House is a temporary folder with manifests, what they need, notes that functions leave behind, and one poold. All of
its processes carry a mark in their environment, by which those that are left over are found wherever they hide.
"""
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
PATIENCE_S = 60  # how long anything may take on a machine that is busy with other tests


_houses = set()


def _end_of_time(*_):
    """ctest's time-out: nothing of ours outlives us."""
    for house in list(_houses):
        house.clean_up()
    os._exit(1)


signal.signal(signal.SIGTERM, _end_of_time)


class Wrong(Exception):
    pass


def expect(true, *what):
    if not true:
        raise Wrong(" ".join(w if isinstance(w, str) else repr(w) for w in what))


def until(true, what, patience=PATIENCE_S):
    """Asks again until the answer is true, and returns it."""
    end = time.monotonic() + patience
    while True:
        answer = true()
        if answer:
            return answer
        expect(time.monotonic() < end, "in vain for", "%d s:" % patience, what() if callable(what) else what)
        time.sleep(0.02)


def addresses(log):
    """One for each start, as the log is appended to."""
    return re.findall(r"listening on https?://(\S+)", log)


class House:
    """`manifests` maps a file's name (without .json) to its content: a dict, or a text that is not checked."""

    def __init__(self, binary, manifests, *options, processes=4, notes="", start=True):
        self.binary = binary
        self.dir = tempfile.mkdtemp(prefix="poold-functions-")
        self.mark = "POOLD_TEST_MARK=" + os.path.basename(self.dir)
        self.functions = os.path.join(self.dir, "functions")
        self.notes = os.path.join(self.dir, "notes")
        self.processes = processes
        shutil.copytree(os.path.join(HERE, "functions_house"), self.functions)
        os.mkdir(self.notes)
        for name, manifest in manifests.items():
            self.put(name, manifest)
        self.options = list(options)
        self.process = None
        self.address = None
        _houses.add(self)
        if start:
            self.start()

    def put(self, name, manifest):
        """Writes a manifest; those that are dicts get the mark and the folder for notes declared."""
        if isinstance(manifest, dict):
            declared = manifest.get("environment", [])
            if isinstance(declared, list):
                manifest = dict(manifest, environment=declared + [self.mark, "DEEDS_NOTES=" + self.notes])
            manifest = json.dumps(manifest)
        whole = os.path.join(self.functions, name + ".json")
        with open(whole + ".new", "w", encoding="utf-8") as file:
            file.write(manifest)
        os.rename(whole + ".new", whole)

    def drop(self, name):
        os.unlink(os.path.join(self.functions, name + ".json"))

    def argv(self, *more):
        return [self.binary, "--listen", "127.0.0.1:0", "--data", os.path.join(self.dir, "data"), "--processes",
                str(self.processes), "--functions", self.functions, "--test-functions", *self.options, *more]

    def environment(self):
        kept = {k: v for k, v in os.environ.items() if not k.startswith("POOLD_") and k != "PYTHONPATH"}
        # "python" in a manifest is the interpreter that runs this test, also where python3 is a wrapper.
        kept["PATH"] = os.path.dirname(os.path.realpath(sys.executable)) + ":" + kept["PATH"]
        name, value = self.mark.split("=")
        kept[name] = value
        kept["DEEDS_NOTES"] = self.notes
        kept["DEEDS_SECRET"] = "never passed on"
        kept["DEEDS_PASSED"] = "passed on"
        return kept

    def start(self, wait_functions=True, wait_pool=True):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            before = len(addresses(self.log()))
            self.process = subprocess.Popen(self.argv(), stdin=subprocess.PIPE, stdout=log, stderr=log,
                                            env=self.environment())
        until(lambda: len(addresses(self.log())) > before or self.process.poll() is not None,
              lambda: "poold does not start: " + self.log()[-2000:])
        expect(self.process.poll() is None, "poold does not start:", self.log()[-2000:])
        self.address = addresses(self.log())[-1]
        if wait_pool:
            self.wait_pool()
        if wait_functions:
            until(lambda: not any(f.get("state") == "loading" for f in self.listed()),
                  lambda: "functions are still loading: %r" % self.listed())

    def fails(self, *more, patience=PATIENCE_S):
        """Runs poold for as long as it takes to end by itself: (exit status, what it says)."""
        try:
            done = subprocess.run(self.argv(*more), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                                  stderr=subprocess.STDOUT, timeout=patience, env=self.environment(), check=False)
        except subprocess.TimeoutExpired as goes_on:
            raise Wrong("it goes on: %r" % (goes_on.stdout or b"")[-500:]) from None
        return done.returncode, done.stdout

    def log(self):
        with contextlib.suppress(FileNotFoundError):
            with open(os.path.join(self.dir, "log"), encoding="utf-8", errors="replace") as log:
                return log.read()
        return ""

    # ---- HTTP, or HTTPS with the option --tls-cert, whose certificate is trusted ----

    def connection(self):
        if "--tls-cert" not in self.options:
            return http.client.HTTPConnection(self.address, timeout=3 * PATIENCE_S)
        cafile = self.options[self.options.index("--tls-cert") + 1]
        return http.client.HTTPSConnection(self.address, timeout=3 * PATIENCE_S,
                                           context=ssl.create_default_context(cafile=cafile))

    def ask(self, method, path, body=None, accept="application/json", **more):
        connection = self.connection()
        headers = {"Accept": accept, **more}
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8")
        connection.close()
        return answer.status, text

    def get(self, path):
        status, text = self.ask("GET", path)
        expect(status == 200, "GET", path, status, text[:500])
        return json.loads(text)

    def submit(self, function, items, kind="map", **options):
        status, text = self.ask("POST", "/v1/jobs", {"function": function, kind: items, **options})
        expect(status == 202, "POST of", function, status, text[:500])
        return json.loads(text)["id"]

    def refused(self, function, items, kind="map", **options):
        status, text = self.ask("POST", "/v1/jobs", {"function": function, kind: items, **options})
        expect(status // 100 == 4, function, options, "was not refused:", status, text[:300])
        return status, json.loads(text)

    def ended(self, job, patience=2 * PATIENCE_S):
        status, text = self.ask("GET", "/v1/jobs/%s?wait=%d" % (job, patience))
        expect(status == 200, status, text[:500])
        view = json.loads(text)
        expect(view["ended"], "it did not end within", patience, "s:", text[:800])
        return view

    def results(self, job, patience=2 * PATIENCE_S):
        """The result lines by index, of a job that has ended."""
        self.ended(job, patience)
        status, text = self.ask("GET", "/v1/jobs/%s/results?order=input" % job, accept="application/x-ndjson")
        expect(status == 200, status, text[:500])
        lines = [json.loads(line) for line in text.split("\n") if line]
        expect(lines and lines[-1].get("end"), "the results were cut off")
        return lines[:-1]

    def map(self, function, items, **options):
        return self.results(self.submit(function, items, **options))

    def call(self, function, item, **options):
        return self.results(self.submit(function, item, kind="apply", **options))[0]

    def value(self, function, item, **options):
        line = self.call(function, item, **options)
        expect("value" in line, function, item, line)
        return line["value"]

    def error(self, function, item, **options):
        line = self.call(function, item, **options)
        expect("error" in line, function, item, str(line)[:500])
        return line["error"]

    def item(self, job, index=0):
        return self.get("/v1/jobs/%s/items/%d" % (job, index))

    def printed(self, job, index=0, stream=None):
        return "".join(line["text"] + "\n" for line in self.item(job, index)["output"]
                       if stream in (None, line["stream"]))

    def listed(self):
        return self.get("/v1/functions")["functions"]

    def workers(self):
        return self.get("/v1/workers")["workers"]

    def wait_pool(self):
        """The pool has its size again, everybody in it is idle, and nobody is there on top."""
        def ready():
            states = [(w["state"], w["extra"]) for w in self.workers()]
            return states == [("ready", False)] * self.processes
        until(ready, lambda: "the pool does not come to rest: %r" % self.workers())

    # ---- processes ----

    def marked(self):
        """All processes that carry the mark: {pid: (command line, parent)}."""
        found = {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError, IndexError):
                with open("/proc/%s/environ" % pid, "rb") as file:
                    if self.mark.encode() not in file.read().split(b"\0"):
                        continue
                with open("/proc/%s/cmdline" % pid, "rb") as file:
                    line = file.read().replace(b"\0", b" ").decode("utf-8", "replace")
                with open("/proc/%s/stat" % pid, encoding="utf-8") as file:
                    state, parent = file.read().rsplit(")", 1)[1].split()[:2]
                if state != "Z":
                    found[int(pid)] = (line, int(parent))
        return found

    def noted(self):
        """Processes that functions noted down before they made or became something that stays."""
        return {int(name.split("-")[1]) for name in os.listdir(self.notes) if name.startswith("pid-")}

    def wait_nothing_left(self):
        """Nothing that was noted lives, nothing has the name of what must not stay; and a worker has but its runtimes."""
        def left():
            marked = self.marked()
            workers = [pid for pid, (line, _) in marked.items() if os.path.basename(line.split(" ")[0]) == "poold-worker"]
            for pid, (line, parent) in marked.items():
                if pid in self.noted() or line.startswith("left-over"):
                    return "left running: %d %s" % (pid, line)
                if os.path.basename(line.split(" ")[0]) not in ("poold", "poold-server", "poold-worker") \
                        and parent not in workers:
                    return "nobody's: %d %s (parent %d)" % (pid, line, parent)
            return None
        until(lambda: left() is None, left)

    def stop(self):
        """SIGTERM: status 0, and after it nothing is left that carries the mark."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(PATIENCE_S)
            expect(status == 0, "poold ended with", status)
            until(lambda: not self.marked(), lambda: "left after the end: %r" % self.marked())
        finally:
            self.process.stdin.close()
            self.process = None

    def kill_all(self):
        """kill -9 of all of poold at the same time: stopped first, so that nobody gets to know of anybody else's death.
        In the order of their pids, a runtime could be seen to crash: pids begin anew, and then those of workers and
        runtimes that are made later are lower than the server's."""
        pids = list(self.marked())
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        self.process.wait()
        self.process.stdin.close()
        self.process = None
        until(lambda: not self.marked(), lambda: "killed, but there: %r" % self.marked())

    def clean_up(self):
        _houses.discard(self)
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for _ in range(50):
            for pid in self.marked():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not self.marked():
                break
            time.sleep(0.1)
        shutil.rmtree(self.dir, ignore_errors=True)


def run(title, house, checks, at_once=8, only=None):
    """Runs (name, function) pairs, several at once; prints what was wrong. The number of wrong ones."""
    wrong, lock = [], threading.Lock()

    def one(check):
        name, function = check
        start = time.monotonic()
        try:
            function(house)
        except Exception as problem:  # pylint: disable=broad-except
            with lock:
                wrong.append(name)
                text = str(problem) if isinstance(problem, Wrong) else " <- ".join(
                    traceback.format_exc().strip().splitlines()[:0:-1])[:1000]
                print("WRONG: %s: %s" % (name, text), flush=True)
        if os.environ.get("FUNCTIONS_TEST_TIMES"):
            print("%6.2f s  %s" % (time.monotonic() - start, name), flush=True)

    chosen = [c for c in checks if only is None or re.search(only, c[0])]
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, chosen))
    print("%s: %d checks, %d wrong%s" % (title, len(chosen), len(wrong), ": " + ", ".join(wrong) if wrong else ""),
          flush=True)
    return len(wrong)


def judge_end(house, wrong, forgiven=None):
    """The last checks of every house: its pool is whole, nothing is left, it ends, and its log has no sign of a defect (but
    in lines with the text `forgiven`). Prints what is wrong, and the log if anything was; the number of wrong ones."""
    for title, last in (("the pool's size", house.wait_pool), ("nothing left", house.wait_nothing_left),
                        ("the end", house.stop)):
        try:
            last()
        except Wrong as problem:
            wrong += 1
            print("WRONG: %s: %s" % (title, problem))
    lines = [line for line in house.log().split("\n") if not forgiven or forgiven not in line]
    for sign in ("AddressSanitizer", "runtime error:", "failed assertion", "check.failed"):
        found = [line for line in lines if sign in line]
        if found:
            wrong += 1
            print("WRONG: poold's log has", *found[:3], sep="\n")
    if wrong:
        print("poold's log ends:\n" + house.log()[-6000:])
    return wrong
