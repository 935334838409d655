#!/usr/bin/env python3
"""The systemd unit, without systemd running: systemd-analyze finds nothing wrong with it and calls it safe, and all
kinds of functions work under what it takes away.

    tests/process/unit_file_test.py SOURCE_DIR BIN_DIR SCRATCH_DIR

The second part starts poold as the unit would, in a sandbox of the same kind: a user of its own without capabilities,
/ read-only, no /home and no devices, other users' processes invisible, and the unit's own filters of system calls,
address families and namespaces. Skipped (77) where there is no systemd-analyze or no root.
"""
import json
import os
import re
import shutil
import socket
import subprocess

import image_build
from functions_kit import expect, until
from image_build import CannotTell, read, run, write
from image_kit import Container, loopback_only, namespaces, tmpfs

EXPOSURE = 20  # at most 2.0 of 10, as systemd-analyze counts; it was 1.5 when this was written
USER = "61234"
KINDS = {  # what each is called with, and what comes of it
    "square": (7, 49),
    "shell": ("a b", 2),
    "py.deep": ([1, 2, 3], 6),
    "py.shared": (4, 44),
    "js.add": ([1, 2, 3], 6),
}
PYTHON = """import ctypes, json, multiprocessing, subprocess, threading
def deep(numbers):
    "A thread, a process, code made at run time (ctypes), and one more that is not there"
    total = []
    thread = threading.Thread(target=lambda: total.append(sum(numbers)))
    thread.start()
    thread.join()
    assert subprocess.run(["true"]).returncode == 0
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
    assert callback(1) == 2
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(abs, [-1]) == [1]
    return total[0]
def shared(n):
    "Memory that poold maps"
    import poold
    array = poold.Array("d", "numbers", [10, 20])
    array[1] *= 2
    with array.get_lock():
        return array[1] + n
"""
NODE = "exports.add = (numbers) => numbers.reduce((a, b) => a + b);\n"


def settings(text):
    """Of [Service], as systemd reads them: {"SystemCallFilter": ["...", ...]}"""
    found = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", text.partition("[Service]")[2].partition("\n[")[0], re.M):
        found.setdefault(name, []).append(value)
    return found


def call_names(*groups):
    """The system calls of "@system-service" and the like."""
    names = set()
    for group in groups:
        if not group.startswith("@"):
            names.add(group)
            continue
        said = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", group], check=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout
        names |= call_names(*[word for word in map(str.strip, said.split("\n")[1:]) if word and word[0] != "#"])
    return names


def check_analysis(unit, work, bin_dir):
    """Its program is where this build has it, so that systemd-analyze finds it."""
    copy = work + "/poold.service"
    write(unit.replace("/opt/poold/bin/", bin_dir + "/"), copy)
    said = run("systemd-analyze", "verify", "--man=no", copy)
    expect("poold.service" not in said, "systemd-analyze verify:", said)
    said = run("systemd-analyze", "security", "--no-pager", "--offline=yes", "--threshold=%d" % EXPOSURE, copy)
    print(" ", said.strip().split("\n")[-1].strip("→ "))


def write_functions(to):
    os.mkdir(to)
    write(PYTHON, to, "py.py")
    write(NODE, to, "js.js")
    write('{"runtime": "python", "module": "py"}', to, "py.json")
    write('{"runtime": "node", "module": "js"}', to, "js.json")
    write('{"command": ["wc", "-w"], "input": "text"}', to, "shell.json")


def check_functions(container, kinds):
    functions = until(lambda: [f for f in [container.get("/v1/functions")["functions"]]
                               if not any(one.get("state") == "loading" for one in f)], "functions are loading")[0]
    for name, (item, value) in kinds.items():
        line = container.map(name, [item])[0]
        expect(line.get("value") == value, name, "under the unit's restrictions:", line,
               [f for f in functions if f["name"] == name], container.log()[-500:])


def check_restrictions(container, calls):
    """They are in force, or the rest of this says nothing."""
    status = read("/proc/%d/status" % container.pid)
    for line in ("Seccomp:\t2", "NoNewPrivs:\t1", "CapBnd:\t0000000000000000", "Uid:\t%s" % USER):
        expect(line in status, "is not in force:", line)
    expect("mount" not in calls and "seccomp" in calls and "landlock_restrict_self" in calls, "the unit's calls")


def check_run(work, unit, bin_dir):
    service = settings(unit)
    calls = call_names(*" ".join(service["SystemCallFilter"]).split())
    families = [int(getattr(socket, name)) for name in service["RestrictAddressFamilies"][0].split()]
    image = image_build.Image(["/"])
    image.entrypoint, image.user, image.ports = service["ExecStart"], USER + ":" + USER, [8080]
    image.environment.update(word.split("=", 1) for word in " ".join(service["Environment"]).split())
    image.environment["POOLD_FUNCTIONS"] = "/etc/poold/functions"
    shutil.copytree(bin_dir, work + "/bin")
    write_functions(work + "/functions")
    os.mkdir(work + "/data", 0o700)
    os.chown(work + "/data", int(USER), int(USER))
    binds = [[work + "/bin", "/opt/poold/bin", "ro"], [work + "/data", "/var/lib/poold", "rw"],
             [work + "/functions", "/etc/poold/functions", "ro"]]
    kinds = {name: kind for name, kind in KINDS.items() if name != "js.add" or os.path.exists("/usr/bin/node")}
    with Container(work, image, binds, tmpfs=["/tmp", "/var/tmp", "/home", "/root"], calls=sorted(calls),
                   families=families, hide_processes=True) as container:
        check_restrictions(container, calls)
        print("  /v1/pool: sandbox", json.dumps(container.get("/v1/pool").get("sandbox")))
        check_functions(container, kinds)
        container.stop()


def inside(source, bin_dir, scratch):
    work = tmpfs(scratch)
    unit = read(source, "deploy/poold.service")
    check_analysis(unit, work, bin_dir)
    if not os.path.exists("/usr/bin/python3"):
        raise CannotTell("no python3 that other users can run")
    loopback_only()
    check_run(work, unit, bin_dir)
    print("unit: ok")


if __name__ == "__main__":
    namespaces(inside, 3, __doc__, ["systemd-analyze"])
