#!/usr/bin/env python3
"""The image, without a container engine: built by the Dockerfile's own steps, then started as an engine would start it.

    tests/process/image_test.py SOURCE_DIR CACHE_DIR     (the cache keeps the unpacked Debian from run to run)

Everything happens in mount, PID and network namespaces of its own, on a tmpfs: when it ends, however it ends, nothing
is left, neither a mount nor a process nor a file. Skipped (77) where there is no root, no overlayfs, no debootstrap or
no mirror of Debian.
"""
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

import image_build
from functions_kit import Wrong, expect, until
from image_build import CannotTell, box, megabytes, packed_megabytes, read, run, write

SKIPPED = 77
CLONE_NEWNET = 0x40000000
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "debootstrap", "tar", "gzip")
TOKEN = "0123456789abcdef" * 4
# Manifests of functions that an operator might mount; `leaves` is one that forgets a process.
FUNCTIONS = {"upper": ["tr", "a-z", "A-Z"], "dies": ["sh", "-c", "kill -SEGV $$"],
             "leaves": ["sh", "-c", "setsid sleep 0.2 >/dev/null 2>&1 & echo 1"]}


# ---- a container ----

class Container:
    """What `docker run --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges -v DATA:/data` makes,
    in the test's own network. A context: at its end it is killed if it is still there."""

    def __init__(self, work, image, data, *options, functions=None, read_only=True, **environment):
        self.image, self.work, self.options, self.read_only = image, work, options, read_only
        self.environment = {**image.environment, "HOME": "/", "HOSTNAME": "container", **environment}
        self.binds = [[data, "/data", "rw"], [work + "/token", "/run/secrets/poold_token", "ro"]]
        self.binds += [[functions, "/functions", "ro"]] if functions else []
        self.upper = os.path.join(work, "container-%d" % time.monotonic_ns())
        self.log_name = self.upper + ".log"
        self.stack = contextlib.ExitStack()
        self.process = self.pid = None

    def __enter__(self):
        root = self.stack.enter_context(image_build.mounted(self.image.layers, self.upper))
        log = self.stack.enter_context(open(self.log_name, "wb"))
        self.stack.callback(self.kill)
        argv = box(root=root, binds=self.binds, tmpfs=["/tmp"], read_only=self.read_only, user=self.image.user,
                   locked=True, environment=self.environment, directory=self.image.directory,
                   argv=[*self.image.entrypoint, *self.options])
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        children = "/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)
        try:
            self.pid = int(until(lambda: read(children), "it has no process"))
            until(lambda: "listening on" in self.log() or self.process.poll() is not None, "poold does not listen")
            expect(self.process.poll() is None, "poold does not start:", self.log()[-2000:])
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def kill(self):
        """docker kill: its PID 1, with which all others go, and unshare after them. (The other way round would not do:
        a change of user takes the death signal away that --kill-child arranged.)"""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid or self.process.pid, signal.SIGKILL)
            self.process.wait()

    def log(self):
        with open(self.log_name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def exec(self, *argv, timeout=30):
        """docker exec: (exit status, output). Status 124 when it took too long."""
        user, group = self.image.user.split(":")
        try:
            done = subprocess.run(["nsenter", "--target", str(self.pid), "--mount", "--pid", "--ipc", "--uts", "--root",
                                   "--wd", "--setuid", user, "--setgid", group, *argv], env=self.environment,
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  timeout=timeout, check=False)
        except subprocess.TimeoutExpired:
            return 124, ""
        return done.returncode, done.stdout.decode("utf-8", "replace")

    def healthy(self):
        argv, times = self.image.healthcheck
        return self.exec(*argv, timeout=times["timeout"])[0] == 0

    def stop(self):
        """docker stop: how long it took. Exit status 0 within --grace and --kill-grace."""
        start = time.monotonic()
        os.kill(self.pid, signal.Signals[self.image.stop_signal])
        status = self.process.wait(60)
        expect(status == 0, "its end has status", status, self.log()[-1000:])
        took = time.monotonic() - start
        expect(took < 13, "its end took", took, "s")
        return took

    def processes(self):
        """All in its PID namespace: {pid: (name, state)}, by our pids."""
        space, found = os.readlink("/proc/%d/ns/pid" % self.pid), {}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if os.readlink("/proc/%s/ns/pid" % pid) == space:
                    name, state = re.match(r"\d+ \((.*)\) (\w)", read("/proc", pid, "stat")).groups()
                    found[int(pid)] = (name, state)
        return found

    def written(self):
        """What is in the container's own layer besides the places where something is mounted."""
        return sorted(name for parent, _, files in os.walk(self.upper) for name in
                      [os.path.join(parent, file)[len(self.upper):] for file in files]
                      if name not in [target for _, target, _ in self.binds])

    # ---- HTTP, as a client beside it ----

    def ask(self, method, path, body=None, token=TOKEN):
        connection = http.client.HTTPConnection("127.0.0.1", self.image.ports[0], timeout=60)
        headers = {"Authorization": "Bearer " + token} if token else {}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def get(self, path):
        status, text = self.ask("GET", path)
        expect(status == 200, "GET", path, status, text[:500])
        return json.loads(text)

    def submit(self, function, items):
        status, text = self.ask("POST", "/v1/jobs", {"function": function, "map": items})
        expect(status == 202, "a map of", function, status, text[:500])
        return json.loads(text)["id"]

    def lines(self, job):
        status, text = self.ask("GET", "/v1/jobs/%s/results" % job)
        expect(status == 200, "results:", status, text[:500])
        lines = [json.loads(line) for line in text.split("\n") if line]
        expect(lines and lines[-1].get("end"), "results were cut off")
        return lines[:-1]

    def map(self, function, items):
        return self.lines(self.submit(function, items))


# ---- what must be true of it ----

def check_libraries(work, image):
    with image_build.mounted(image.layers, work + "/ldd") as root:
        script = "for f in $(find /opt/poold -type f -perm /111); do ldd $f; done; true"
        said = run(*box(root=root, user=image.user, directory="/", environment=image.environment,
                        argv=["sh", "-c", script]))
    expect("libmicrohttpd" in said and "not found" not in said, "libraries:", said)


def check_first_process(container):
    status = dict(re.findall(r"^(\w+):\t(.*)$", read("/proc/%d/status" % container.pid), re.M))
    user, group = container.image.user.split(":")
    expect(status["Uid"].split() == [user] * 4 and status["Gid"].split() == [group] * 4, "runs as", status["Uid"])
    expect(user.isdigit() and int(user) > 0 and not status["Groups"].strip(), "runs as", user, status["Groups"])
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        expect(int(status[name], 16) == 0, "has capabilities:", name, status[name])
    expect(status["NoNewPrivs"] == "1", "may gain privileges")
    expect(status["Name"] == "poold" and status["NSpid"].split()[-1] == "1", "poold is not PID 1:", status["NSpid"])
    for path, can in (("/", False), ("/opt/poold/bin", False), ("/etc", False), ("/tmp", True), ("/data", True)):
        expect((container.exec("touch", path + "/written")[0] == 0) == can, path, "can be written:", not can)
    container.exec("rm", "/tmp/written", "/data/written")


def check_access(container):
    expect(container.ask("GET", "/healthz", token=None)[0] == 200, "/healthz asks for a token")
    expect(container.ask("GET", "/v1/pool", token=None)[0] == 401, "an answer without a token")
    expect(container.ask("GET", "/v1/pool", token="f" * 64)[0] == 401, "an answer to another token")
    pool = container.get("/v1/pool")
    if "sandbox" in pool:
        print("  /v1/pool: sandbox", json.dumps(pool["sandbox"]))


def check_health(container):
    expect(container.healthy(), "HEALTHCHECK fails:", container.exec(*container.image.healthcheck[0]))
    servers = [pid for pid, (name, _) in container.processes().items() if name == "poold-server"]
    expect(len(servers) == 1, container.processes())
    os.kill(servers[0], signal.SIGSTOP)
    expect(not container.healthy(), "HEALTHCHECK does not notice a stopped server")
    os.kill(servers[0], signal.SIGCONT)
    until(container.healthy, "HEALTHCHECK fails for ever")


def check_work(container):
    values = [line["value"] for line in container.map("square", list(range(10000)))]
    expect(values == [n * n for n in range(10000)], "a map of 10000 is wrong")
    expect(container.map("upper", ["a b"])[0].get("value") == "A B", "a command does not run")
    lines = container.map("dies", [1, 2])
    expect([line["error"]["signal"] for line in lines] == ["SIGSEGV"] * 2, lines)
    job = container.submit("sleep", [30])
    worker = until(lambda: next((w["pid"] for w in container.get("/v1/workers")["workers"]
                                 if w["job"] == job and w["state"] == "waiting"), None), "nobody sleeps in the item")
    expect(container.exec("sh", "-c", "kill -9 %d" % worker)[0] == 0, "no such worker in the container:", worker)
    expect(container.lines(job)[0]["error"]["type"] == "crash", "the death of a worker went unnoticed")
    expect(container.map("square", [3])[0]["value"] == 9, "no work after a crash")


def check_orphans(container):
    """PID 1 gets everybody whose parent has gone, also those that it never heard of."""
    container.map("leaves", [1, 2])
    expect(container.exec("sh", "-c", "sleep 0.2 & sleep 0.3 & exit 0")[0] == 0, "docker exec")
    until(lambda: all(name.startswith("poold") and state != "Z" for name, state in container.processes().values()),
          lambda: "processes are left: %r" % container.processes())


def check_life(work, image):
    """One volume, three containers; the third without read-only root, to see that it is not needed."""
    data, functions = work + "/data", work + "/functions"
    with image_build.mounted(image.layers, work + "/volume") as root:  # a new volume begins as what is in the image
        run("cp", "-a", root + image.volumes[0], data)
    os.mkdir(functions)
    for name, command in FUNCTIONS.items():
        texts = {"input": "text", "output": "text"} if name == "upper" else {}
        write(json.dumps({"command": command, **texts}), functions, name + ".json")
    mine = ["--functions", "/functions", "--processes", "3"]
    with Container(work, image, data, *mine, functions=functions) as first:
        check_first_process(first)
        check_access(first)
        check_health(first)
        check_work(first)
        check_orphans(first)
        done, going = first.submit("cube", [1, 2, 3]), first.submit("sleep", [0.5] * 30)
        expect([line["value"] for line in first.lines(done)] == [1, 8, 27], "cube is wrong")
        expect(first.exec("ls", "-A", "/tmp") == (0, ""), "poold wrote to /tmp")
        print("  stopped in %.2f s with exit status 0" % first.stop())
        expect(first.written() == [], "written beside /data:", first.written())
    with Container(work, image, data, *mine, functions=functions) as second:
        expect(second.get("/v1/jobs/" + done)["state"] == "succeeded", "a job did not outlive its container")
        expect([line["value"] for line in second.lines(done)] == [1, 8, 27], "results did not outlive their container")
        expect(second.get("/v1/jobs/" + going)["state"] == "running", "a job does not go on")
        second.kill()  # docker kill
    with Container(work, image, data, *mine, functions=functions, read_only=False) as third:
        expect([line.get("value") for line in third.lines(going)] == [0.5] * 30, "a job did not outlive SIGKILL")
        third.stop()
        expect(third.written() == [], "written beside /data:", third.written())


def check_size(source, image, base):
    before, after = base.layers, image.layers[len(base.layers):]
    megabytes_before, megabytes_after = (sum(map(megabytes, layers)) for layers in (before, after))
    packed = [sum(map(packed_megabytes, layers)) for layers in (before, after)]
    print("  image: %.1f MB, of these %.1f MB in the layers above the base; packed %.1f MB, of these %.1f MB" %
          (megabytes_before + megabytes_after, megabytes_after, sum(packed), packed[1]))
    text = re.search(r"adds (\d+) MB to Debian's slim image", read(source, "README.md"))
    expect(text and abs(megabytes_after - int(text.group(1))) <= 1, "the README says", text and text.group(0),
           "but it is %.1f MB" % megabytes_after)


def derived(work, image, builder, text):
    """The Dockerfile's comment on how to make an image with functions of one's own: taken at its word."""
    context = work + "/own"
    os.makedirs(context + "/functions")
    write("def words(text):\n    return len(text.split())\n", context, "functions/text.py")
    write('{"runtime": "python", "module": "text"}', context, "functions/text.json")
    comment = "\n".join(re.findall(r"^#   ?(.*)$", text.partition("\nFROM")[0], re.M))
    builder.images["poold"] = image
    return builder.build(comment, context)


def check_derived(work, own):
    data = work + "/own-data"
    os.mkdir(data)
    os.chown(data, *map(int, own.user.split(":")))
    with Container(work, own, data) as container:
        until(lambda: all(f.get("state") != "loading" for f in container.get("/v1/functions")["functions"]), "loading")
        lines = container.map("text.words", ["to be", "or not to be"])
        expect([line.get("value") for line in lines] == [2, 4], "Python in an image of one's own:", lines)
        container.stop()


def loopback_only():
    """A network of our own, with nothing in it but loopback."""
    expect(ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0, "no network namespace")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0x1)  # IFF_UP
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


# ---- the way there ----

def inside(source, cache):
    """In namespaces of our own: all of it."""
    work = os.path.join(cache, "work")
    os.makedirs(work, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "tmpfs", work)
    write(TOKEN + "\n", work, "token")
    start = time.monotonic()
    apt = image_build.copy_apt(work)
    base = image_build.Image([image_build.the_base(os.path.join(cache, "base"), work, apt)])
    print("%6.1f s %7.1f MB  %s" % (time.monotonic() - start, megabytes(base.layers[0]), image_build.BASE), flush=True)
    builder = image_build.Builder(work, apt, {image_build.BASE: base})
    text = read(source, "Dockerfile")
    image = builder.build(text, image_build.context_without_ignored(source, work + "/context"))
    check_libraries(work, image)
    check_size(source, image, base)
    own = derived(work, image, builder, text)
    loopback_only()
    check_life(work, image)
    check_derived(work, own)
    print("image: ok, %.0f s" % (time.monotonic() - start))


def outside():
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if os.geteuid() != 0:
        raise CannotTell("this is not root")
    if missing:
        raise CannotTell("not installed: " + " ".join(missing))
    spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
    probe = [*spaces, "mount", "-t", "overlay", "overlay", "-o", "lowerdir=/etc:/usr", "/mnt"]
    done = subprocess.run(probe, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise CannotTell("no namespaces or no overlayfs here: " + done.stdout.strip())
    # Whoever ends us, also by SIGKILL, ends the namespaces, too.
    child = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *spaces, sys.executable, *sys.argv, "--inside"])
    signal.signal(signal.SIGTERM, lambda *_: child.kill())
    return child.wait()


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    try:
        if sys.argv[3:] != ["--inside"]:
            sys.exit(outside())
        inside(*map(os.path.abspath, sys.argv[1:3]))
    except CannotTell as reason:
        print("skipped:", reason)
        sys.exit(SKIPPED)
    except Wrong as wrong:
        print("WRONG:", wrong)
        sys.exit(1)


main()
