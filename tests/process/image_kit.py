"""image_kit: a container without an engine, for image_test.py and unit_file_test.py.

namespaces() gives a test mount and PID namespaces of its own: when it ends, however it ends, neither a mount nor a
process is left.
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
from image_build import CannotTell, box, read, run

SKIPPED = 77
CLONE_NEWNET = 0x40000000
TOOLS = ("unshare", "nsenter", "setpriv", "mount", "tar", "gzip")
TOKEN = "0123456789abcdef" * 4


class Container:
    """What an engine makes of an image, in the test's own network. A context: at its end it is killed if it still runs.
    `binds`: [[source, target, "ro" or "rw"], ...]; `options` follow the entry point; `spec`: see image_box.py."""

    def __init__(self, work, image, binds, *options, **spec):
        self.image, self.binds = image, binds
        self.environment = {**image.environment, "HOME": "/", "HOSTNAME": "container"}
        self.upper = os.path.join(work, "container-%d" % time.monotonic_ns())
        self.log_name = self.upper + ".log"
        self.stack = contextlib.ExitStack()
        self.process = self.pid = None
        self.spec = {"binds": binds, "tmpfs": ["/tmp"], "read_only": True, "user": image.user, "locked": True,
                     "environment": self.environment, "directory": image.directory,
                     "argv": [*image.entrypoint, *options], **spec}

    def __enter__(self):
        root = self.stack.enter_context(image_build.mounted(self.image.layers, self.upper))
        log = self.stack.enter_context(open(self.log_name, "wb"))
        self.stack.callback(self.kill)
        self.process = subprocess.Popen(box(root=root, **self.spec), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
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

    def pause(self, name):
        """docker pause, of one program: its pid, once all its threads have stopped."""
        pid = next(pid for pid, (its_name, _) in self.processes().items() if its_name == name)
        os.kill(pid, signal.SIGSTOP)
        tasks = os.listdir("/proc/%d/task" % pid)
        until(lambda: all(read("/proc/%d/task/%s/stat" % (pid, task)).rpartition(")")[2].split()[0] == "T"
                          for task in tasks), "it does not stop")
        return pid

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


def loopback_only():
    """A network of our own, with nothing in it but loopback."""
    expect(ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0, "no network namespace")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0x1)  # IFF_UP
        fcntl.ioctl(any_socket, 0x8914, request)  # SIOCSIFFLAGS


def tmpfs(folder):
    os.makedirs(folder, exist_ok=True)
    run("mount", "-t", "tmpfs", "-o", "size=2g,mode=755", "tmpfs", folder)
    return folder


def outside(tools):
    missing = [tool for tool in (*TOOLS, *tools) if shutil.which(tool) is None]
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


def namespaces(inside, arguments, document, tools=()):
    """Runs the test `inside` with its `arguments` (folders and files) in namespaces, as the whole of this program."""
    if len(sys.argv) - 1 not in (arguments, arguments + 1):
        sys.exit(document)
    try:
        if sys.argv[arguments + 1:] != ["--inside"]:
            sys.exit(outside(tools))
        inside(*map(os.path.abspath, sys.argv[1:arguments + 1]))
    except CannotTell as reason:
        print("skipped:", reason)
        sys.exit(SKIPPED)
    except Wrong as wrong:
        print("WRONG:", wrong)
        sys.exit(1)
