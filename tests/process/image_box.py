#!/usr/bin/env python3
"""image_box: becomes a process of a container. image_build.box() starts it as PID 1 of new namespaces, with JSON:

    root         a mounted overlay, the root from now on; nothing else of the machine is seen
    binds        [[source, target, "ro" or "rw"], ...]; targets are made when they are missing
    tmpfs        targets
    read_only    the root cannot be written
    user         "0:0", or another by number or name
    locked       no capabilities, also none to be gained, and no new privileges
    environment, directory, argv
"""
import ctypes
import json
import os
import pwd
import signal
import subprocess
import sys

MNT_DETACH = 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
libc = ctypes.CDLL(None, use_errno=True)


def must(result):
    if result == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def mount(*words):
    subprocess.run(["mount", *words], check=True)


def bind(source, target, how="rw"):
    if not os.path.exists(target):
        os.makedirs(target if os.path.isdir(source) else os.path.dirname(target), exist_ok=True)
        if not os.path.isdir(source):
            with open(target, "w", encoding="utf-8"):
                pass
    mount("--bind", source, target)
    mount("-o", "remount,bind,nosuid,nodev," + how, target)


def system(root):
    """/proc, /sys and /dev as engines make them."""
    mount("-t", "proc", "-o", "nosuid,nodev,noexec", "proc", root + "/proc")
    mount("-t", "sysfs", "-o", "nosuid,nodev,noexec,ro", "sysfs", root + "/sys")
    mount("-t", "tmpfs", "-o", "nosuid,mode=755,size=64k", "tmpfs", root + "/dev")
    for name in DEVICES:
        with open(root + "/dev/" + name, "w", encoding="utf-8"):
            pass
        mount("--bind", "/dev/" + name, root + "/dev/" + name)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        os.symlink("/proc/self/fd/%d" % number, root + "/dev/" + name)
    os.symlink("/proc/self/fd", root + "/dev/fd")
    os.mkdir(root + "/dev/shm")
    mount("-t", "tmpfs", "-o", "nosuid,nodev,noexec,size=64m", "tmpfs", root + "/dev/shm")


def enter(root):
    """This machine's own root is gone after it."""
    os.chdir(root)
    must(libc.pivot_root(b".", b"."))
    must(libc.umount2(b".", MNT_DETACH))
    os.chdir("/")


def become(user, locked):
    user, _, group = user.partition(":")
    if not user.isdigit():
        entry = pwd.getpwnam(user)  # the image's own: we are in it
        user, group = entry.pw_uid, group or entry.pw_gid
    if locked:
        with open("/proc/sys/kernel/cap_last_cap", encoding="utf-8") as file:
            last = int(file.read())
        for capability in range(last + 1):
            must(libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0))
        must(libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(*[int(group or 0)] * 3)
    os.setresuid(*[int(user)] * 3)


def main():
    spec = json.loads(sys.argv[1])
    root = spec["root"]
    system(root)
    for source, target, how in spec.get("binds", []):
        bind(source, root + target, how)
    for target in spec.get("tmpfs", []):
        mount("-t", "tmpfs", "-o", "nosuid,nodev,mode=1777", "tmpfs", root + target)
    if spec.get("read_only"):
        mount("-o", "remount,bind,ro", root)
    enter(root)
    os.chdir(spec["directory"])
    become(spec["user"], spec.get("locked"))
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python; what a process inherits is the default
        signal.signal(ignored, signal.SIG_DFL)
    os.umask(0o022)
    os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])


main()
