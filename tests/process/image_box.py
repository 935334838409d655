#!/usr/bin/env python3
"""image_box: becomes a process of a container. image_build.box() starts it as PID 1 of new namespaces, with JSON:

    root         a mounted overlay, the root from now on; nothing else of the machine is seen
    binds        [[source, target, "ro" or "rw"], ...]; targets are made when they are missing
    tmpfs        targets
    hide_processes  those of other users are not seen in /proc
    read_only    the root cannot be written
    user         "0:0", or another by number or name
    locked       no capabilities, also none to be gained, and no new privileges
    calls        names of the only system calls that do not fail with EPERM
    families     of sockets: the only ones (numbers); namespaces: none can be made, once there are `calls`
    environment, directory, argv
"""
import ctypes
import errno
import json
import os
import pwd
import signal
import subprocess
import sys

MNT_DETACH = 2
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
ALLOW, EQUAL, MASKED_EQUAL = 0x7fff0000, 4, 7  # of libseccomp
CLONE_NEW = 0x7e020080  # all CLONE_NEW... flags
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


def system(root, hide):
    """/proc, /sys and /dev as engines make them."""
    mount("-t", "proc", "-o", "nosuid,nodev,noexec" + (",hidepid=invisible" if hide else ""), "proc", root + "/proc")
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


class Comparison(ctypes.Structure):
    """libseccomp's struct scmp_arg_cmp"""
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def refuse_with(code):
    return 0x00050000 | code  # SCMP_ACT_ERRNO


def filter_calls(calls, families):
    """As systemd's SystemCallFilter, RestrictAddressFamilies and RestrictNamespaces do it."""
    seccomp = ctypes.CDLL("libseccomp.so.2")
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(refuse_with(errno.EPERM)))

    def rule(action, name, *comparisons):
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are another architecture's
            array = (Comparison * len(comparisons))(*comparisons)
            status = seccomp.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), array)
            if status != 0:
                raise OSError(-status, name)

    for name in set(calls) - {"socket", "clone", "clone3", "unshare", "setns"}:
        rule(ALLOW, name)
    for family in families:
        rule(ALLOW, "socket", Comparison(0, EQUAL, family, 0))
    rule(ALLOW, "clone", Comparison(0, MASKED_EQUAL, CLONE_NEW, 0))
    rule(refuse_with(errno.ENOSYS), "clone3")  # its flags are out of a filter's sight
    if seccomp.seccomp_load(context) != 0:
        raise OSError("no seccomp filter")


def main():
    spec = json.loads(sys.argv[1])
    root = spec["root"]
    system(root, spec.get("hide_processes"))
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
    if "calls" in spec:
        filter_calls(spec["calls"], spec["families"])
    os.execvpe(spec["argv"][0], spec["argv"], spec["environment"])


main()
