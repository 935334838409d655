#!/usr/bin/env python3
"""sandbox: what functions are refused, what they are not, and that /v1/pool says so.

Usage: sandbox_test.py POOLD LACKING_KERNEL [PATTERN]
"""
import contextlib
import itertools
import os
import platform
import re
import shutil
import signal
import subprocess
import sys

from functions_kit import House, expect, run, until

PYTHON = {"runtime": "python", "module": "breakout"}
OTHER = 54321  # a number that nobody has
NODE = shutil.which("node")
SANITIZED = os.environ.get("FUNCTIONS_TEST_SANITIZED") == "1"


def landlock():
    """The kernel's ABI, 0 if there is none."""
    import ctypes
    return max(0, ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1))


@contextlib.contextmanager
def house(manifests, *options, **more):
    it = House(sys.argv[1], manifests, *options, processes=more.pop("processes", 2), **more)
    try:
        yield it
        it.stop()
    except Exception:
        print(it.log()[-3000:], file=sys.stderr)
        raise
    finally:
        it.clean_up()


def pids(it):
    with open("/proc/%d/task/%d/children" % (it.process.pid, it.process.pid), encoding="ascii") as file:
        children = [int(pid) for pid in file.read().split()]
    workers = [worker["pid"] for worker in it.workers()]
    return {"supervisor": it.process.pid, "server": [pid for pid in children if pid not in workers][0],
            "workers": workers}


def sandbox(it):
    return it.get("/v1/pool")["sandbox"]


def refusals(it):
    """What this kernel and user refuse with everything in force."""
    in_force = sandbox(it)
    every = {"mount": "EPERM"}
    if platform.machine() == "x86_64":
        every.update({"io_uring": "EPERM", "keyctl": "EPERM"})
    for name in "server", "supervisor", "worker":
        every["memory of " + name] = "EACCES"
        if not SANITIZED or in_force["landlock"]:
            every["ptrace of " + name] = "EPERM"
        if in_force["signals"]:
            every["signal to " + name] = "EPERM"
    every["device"] = "EACCES"
    return every


def check_auto(_):
    with house({"breakout": PYTHON}) as it:
        abi = landlock()
        in_force = sandbox(it)
        expect(in_force["mode"] == "auto" and in_force["no_new_privs"] and in_force["seccomp"], in_force)
        expect(in_force["landlock"] == (min(abi, 7) if abi >= 2 else None), in_force, "Landlock", abi)
        expect(in_force["signals"] == (abi >= 6) and in_force["user"] is None, in_force)
        expect((in_force["missing"] == []) == (abi >= 6), in_force)
        whom = pids(it)
        if in_force["signals"]:
            whom["signal"] = signal.SIGKILL
        found = it.value("breakout.tries", whom)
        for what, wanted in refusals(it).items():
            if in_force["landlock"] or "of" not in what.split() and what != "device":
                expect(found[what] == wanted, what, "was not refused:", found[what])
        expect(pids(it) == {**whom, "workers": pids(it)["workers"]} if "signal" not in whom else True, "they changed")
        expect(it.value("breakout.ordinary", it.notes) == "all", "ordinary things")


def check_off(_):
    with house({"breakout": PYTHON}, "--sandbox", "off") as it:
        in_force = sandbox(it)
        expect(in_force == {"mode": "off", "no_new_privs": True, "seccomp": False, "landlock": None, "signals": False,
                            "user": None, "missing": []}, in_force)
        found = it.value("breakout.tries", pids(it))
        for name in "server", "supervisor", "worker":
            expect(found["signal to " + name] == "done", found)
        if os.geteuid() == 0:
            for what in "memory of server", "ptrace of worker", "device":
                expect(found[what] == "done", what, found)
        expect(it.value("breakout.state", 0)["seccomp"] == "0", "a filter")


def lacking(what):
    """Options for a House whose poold is run by a kernel that lacks something."""
    class Lacking(House):
        def argv(self, *more):
            return [sys.argv[2], what] + super().argv(*more)
    return Lacking


def without(what, still):
    """auto takes what there is, and says what there is not."""
    it = lacking(what)(sys.argv[1], {"breakout": PYTHON}, processes=1)
    try:
        in_force = sandbox(it)
        expect(not in_force[what] and (in_force[still] or landlock() < 2), in_force)
        expect(any(reason.lower().startswith(what) for reason in in_force["missing"]), in_force)
        expect("sandbox.incomplete" in it.log(), "the log does not say so")
        expect(it.value("breakout.ordinary", it.notes) == "all", "ordinary things")
        it.stop()
    finally:
        it.clean_up()


def check_without_landlock(_):
    without("landlock", "seccomp")


def check_without_seccomp(_):
    without("seccomp", "landlock")


def check_strict_without_landlock(_):
    """No worker starts, the log says why, and whoever asks is told that nothing is ready (after the 10 s that a server
    waits for its first worker)."""
    it = lacking("landlock")(sys.argv[1], {}, "--sandbox", "strict", processes=1, start=False)
    try:
        it.start(wait_functions=False, wait_pool=False)
        reasons = re.findall(r"worker\.no_sandbox.*--sandbox strict: Landlock", it.log())
        expect(1 < len(reasons) < 20, len(reasons), "starts of a worker:", it.log()[-2000:])
        expect(it.ask("GET", "/readyz")[0] == 503, "ready without workers")
        expect(it.ask("GET", "/healthz")[0] == 200, "not alive")
        expect(sandbox(it)["missing"] == ["no worker has started yet"], sandbox(it))
        it.stop()
    finally:
        it.clean_up()


def check_strict(_):
    if landlock() < 2:
        return
    with house({"breakout": PYTHON}, "--sandbox", "strict") as it:
        expect(sandbox(it)["mode"] == "strict" and sandbox(it)["landlock"], sandbox(it))
        expect(it.value("breakout.ordinary", it.notes) == "all", "ordinary things")


def files_manifests(it):
    """Functions of each kind that may read `in` and write `out` beside the folder of functions, and nothing else."""
    for name in "in", "out", "else":
        os.mkdir(os.path.join(it.dir, name))
        with open(os.path.join(it.dir, name, "file"), "w", encoding="ascii") as file:
            file.write(name)
    files = {"read": ["../in", sys.prefix], "write": ["../out", it.notes]}
    it.put("breakout", dict(PYTHON, files=files))
    it.put("cat", {"command": ["cat", "{}"], "input": "text", "output": "text", "files": files})
    it.put("call", {"command": ["poold-call", "values/counted", "get"], "files": {}})
    it.put("free", dict(PYTHON, name="free"))
    if NODE:
        it.put("reader", {"runtime": "node", "module": "reader", "files": dict(files, read=["../in", node_prefix()])})


def node_prefix():
    return os.path.dirname(os.path.dirname(os.path.realpath(NODE)))


def is_confined(it):
    def path(*names):
        return os.path.join(it.dir, *names)
    file = [
        ({"read": path("in", "file")}, "done"), ({"list": path("in")}, "done"), ({"write": path("in", "file")}, "EACCES"),
        ({"write": path("in", "new")}, "EACCES"), ({"read": path("else", "file")}, "EACCES"),
        ({"list": path("else")}, "EACCES"), ({"list": it.dir}, "EACCES"), ({"read": path("data", "poold.db")}, "EACCES"),
        ({"write": path("out", "new")}, "done"), ({"read": path("out", "file")}, "done"),
        ({"write": path("functions", "new")}, "EACCES"), ({"read": path("functions", "py.py")}, "done"),
        ({"write": "/tmp/poold-never"}, "EACCES"), ({"read": "/etc/passwd"}, "done"), ({"write": "/dev/null"}, "done"),
        ({"read": "/dev/urandom"}, "done"), ({"read": "/proc/self/status"}, "done"),
    ]
    for (what, wanted), line in zip(file, it.map("breakout.file", [what for what, _ in file])):
        expect(line.get("value") == wanted, what, "is", line)
    expect(it.value("cat", path("in", "file")) == "in", "cat")
    expect("Permission denied" in it.error("cat", path("else", "file"))["stderr"], "cat of another")
    for what, options in itertools.product(("breakout", "free"), ({}, {"isolation": "process"})):
        wanted = "done" if what == "free" else "EACCES"
        found = it.value(what + ".file", {"read": path("else", "file")}, **options)
        expect(found == wanted, what, options, "reads another's file:", found)
    if NODE:
        expect(it.value("reader.read", path("in", "file")) == "in", "node")
        expect(it.error("reader.read", path("else", "file"))["message"].startswith("EACCES"), "node reads another's file")
    it.ask("PUT", "/v1/values/counted", {"typecode": "i", "value": 41})
    expect(it.value("breakout.counter", "counted") == 42, "memory that is shared")
    expect(it.value("call", 0) == 42, "poold-call")
    if sandbox(it)["signals"]:
        expect(it.value("breakout.parent", 0) == "EPERM", "a signal to its own worker")


class Apart(House):
    """In a PID namespace of its own, so that a signal to everybody reaches nobody else's processes."""

    UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]

    def argv(self, *more):
        return self.UNSHARE + super().argv(*more)

    def stop(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid), encoding="ascii") as file:
            os.kill(int(file.read().split()[0]), signal.SIGTERM)
        expect(self.process.wait(60) == 0, "poold did not end well")
        self.process.stdin.close()
        self.process = None


def check_signal_to_everybody(_):
    if landlock() < 6 or os.geteuid() != 0 or subprocess.run(Apart.UNSHARE + ["true"], check=False).returncode != 0:
        print("signal_to_everybody: no Landlock 6 or no namespaces here: left out")
        return
    it = Apart(sys.argv[1], {"breakout": PYTHON}, processes=3)
    try:
        it.wait_pool()
        before = {worker["slot"]: worker["generation"] for worker in it.workers()}
        expect(it.error("breakout.everybody", os.readlink("/proc/self/ns/pid"))["type"] == "crash", "the item")
        it.wait_pool()
        after = {worker["slot"]: worker["generation"] for worker in it.workers()}
        expect(sum(after[slot] - before[slot] for slot in before) == 1, "more than its own worker went:", before, after)
        expect("server.gone" not in it.log(), "the server went")
        it.stop()
    finally:
        it.clean_up()


def check_files(_):
    if landlock() == 0:
        print("files: no Landlock here: left out")
        return
    it = House(sys.argv[1], {}, processes=2, start=False)
    try:
        files_manifests(it)
        expect(it.fails("--check")[0] == 0, it.fails("--check"))
        it.start()
        listed = {f["name"]: f for f in it.listed()}
        expect(listed["cat"]["files"] == {"read": [os.path.join(it.dir, "in"), os.path.realpath(sys.prefix)],
                                          "write": [os.path.join(it.dir, "out"), it.notes],
                                          "enforced": True}, listed["cat"])
        expect("files" not in listed["free.file"] and "files" not in listed["square"], "files of the others")
        is_confined(it)
        shutil.rmtree(os.path.join(it.dir, "in"))
        expect("files: " in it.error("cat", "x")["message"], "a folder that is gone")
        it.process.send_signal(signal.SIGHUP)
        until(lambda: "in: No such file or directory" in str(it.get("/v1/functions")["problem"]), "the reload refuses it")
        it.stop()
        status, said = it.fails("--check")
        expect(status == 78 and '"files": ' in said and "in: No such file or directory" in said, status, said)
    finally:
        it.clean_up()


def check_files_not_enforced(_):
    """Without Landlock, and without a sandbox: the listing and the log say it."""
    for kind, options in (lacking("landlock"), []), (House, ["--sandbox", "off"]):
        it = kind(sys.argv[1], {}, *options, processes=1, start=False)
        try:
            files_manifests(it)
            it.start()
            expect({f["name"]: f for f in it.listed()}["cat"]["files"]["enforced"] is False, "the listing")
            expect("function.unconfined manifest=cat" in it.log(), "the log")
            expect(it.value("cat", os.path.join(it.dir, "else", "file")) == "else", "cat")
            it.stop()
        finally:
            it.clean_up()


def open_house(it):
    """For somebody else: the folder of functions can be read, that of notes written."""
    os.chmod(it.dir, 0o755)
    os.chmod(it.notes, 0o777)


def may_run(user, path):
    return subprocess.run(["test", "-x", path], user=user, group=user, extra_groups=[], check=False).returncode == 0


def check_worker_user(_):
    if os.geteuid() != 0 or not may_run(OTHER, os.path.dirname(sys.argv[1]) + "/poold-worker"):
        print("worker_user: not as root, or the programs cannot be read by others: left out")
        return
    manifests = {
        "breakout": dict(PYTHON, environment=["HOME"]),
        "id": {"command": ["id", "-u"]},
        "js": {"runtime": "node", "module": "js"},
        "slow": {"command": ["sh", "-c", "trap '' TERM; sleep 60"]},
    }
    it = House(sys.argv[1], manifests, "--kill-grace", "100ms", processes=2, start=False)
    try:
        open_house(it)
        it.start(wait_functions=False)  # what root's functions have made is the others', too
        expect(it.ask("PUT", "/v1/values/counted", {"typecode": "i", "value": 41})[0] == 201, "a value")
        it.stop()
        it.options += ["--worker-user", str(OTHER)]
        it.start()
        expect(sandbox(it)["user"] == str(OTHER), sandbox(it))
        for options in {}, {"isolation": "process"}:
            state = it.value("breakout.state", 0, **options)
            expect(state["uid"] == [OTHER] * 3 and state["gid"] == [OTHER] * 3 and state["groups"] == [], state)
            expect(state["caps"] == "0" * 16 and state["oom"] == 500 and state["home"] == "/", state)
            expect(it.value("id", 0, **options) == OTHER, "id")
        expect(it.value("square", 3) == 9, "square")
        expect(it.value("breakout.counter", "counted") == 42, "memory that is shared")
        if NODE:
            expect(it.value("js.power", 3) == 9, "node")
        for path in "data", "data/objects":
            expect(it.value("breakout.file", {"list": os.path.join(it.dir, path)}) == "EACCES", path, "can be listed")
        files = set(os.listdir(os.path.join(it.dir, "data"))) - {"address"}  # which is no secret
        expect("poold.db" in files, files)
        for path in files:
            path = os.path.join(it.dir, "data", path)
            if os.path.isfile(path):
                expect(it.value("breakout.file", {"read": path}) == "EACCES", path, "can be read")
        refused = it.value("breakout.tries", pids(it))
        expect(all(refused[what] in ("EPERM", "EACCES") for what in refused if "of" in what.split()), refused)
        expect(it.error("slow", 0, timeout=0.2)["type"] == "timeout", "a timeout")
        worker = it.value("breakout.state", 0)["parent"]
        os.kill(worker, signal.SIGKILL)
        it.wait_pool()
        expect(it.value("breakout.state", 0)["uid"] == [OTHER] * 3, "the next worker")
        it.wait_nothing_left()
        unreadable(it)
        orphaned(it)
    except Exception:
        print(it.log()[-3000:], file=sys.stderr)
        raise
    finally:
        it.clean_up()


def unreadable(it):
    """A folder that only root may enter: its functions say so."""
    os.mkdir(it.functions + "/closed", 0o700)
    it.put("closed", {"runtime": "python", "module": "none", "directory": "closed"})
    it.process.send_signal(signal.SIGHUP)
    until(lambda: any("closed: Permission denied" in (f["problem"] or "") for f in it.listed()),
          lambda: "nothing says that the folder is closed: %r" % it.listed())


def orphaned(it):
    """A busy worker dies with its supervisor, although a change of user unties it."""
    it.submit("sleep", [3600, 3600])
    until(lambda: all(worker["item"] is not None for worker in it.workers()), "items run")
    it.process.kill()
    it.process.wait()
    until(lambda: not it.marked(), lambda: "left after the supervisor's end: %r" % it.marked(), patience=10)
    it.process = None


def check_user_refused(_):
    it = House(sys.argv[1], {}, "--worker-user", "no-such-user", start=False)
    try:
        status, said = it.fails()
        expect(status == 78 and "--worker-user: there is no user no-such-user" in said, status, said)
        expect(it.fails("--check")[0] == 78, "--check finds nothing wrong")
        if os.geteuid() == 0 and may_run(OTHER, sys.argv[1]):
            done = subprocess.run([sys.argv[1], "--check", "--worker-user", "root"], user=OTHER, group=OTHER,
                                  extra_groups=[], stderr=subprocess.PIPE, text=True, check=False)
            expect(done.returncode == 78 and "only root can start workers as somebody else" in done.stderr, done)
    finally:
        it.clean_up()


def check_root_is_warned(_):
    for options, warned in ((), os.geteuid() == 0), (("--worker-user", str(os.geteuid())), False):
        with house({}, *options, processes=1) as it:
            expect(("worker_user.root" in it.log()) == warned, options, it.log())


CHECKS = [(name[6:], check) for name, check in list(globals().items()) if name.startswith("check_")]

if __name__ == "__main__":
    sys.exit(run("sandbox", None, CHECKS, at_once=4, only=sys.argv[3] if len(sys.argv) > 3 else None) > 0)
