"""What a function might try against poold, other workers and the machine: each answer is "done" or the errno's name."""
import ctypes
import errno
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
PTRACE_SEIZE = 0x4206
KEYCTL, IO_URING_SETUP = 250, 425  # x86-64; elsewhere other harmless ones that are refused, too


def answer(attempt):
    try:
        result = attempt()
    except OSError as problem:
        return errno.errorcode[problem.errno]
    return errno.errorcode[ctypes.get_errno()] if result == -1 else "done"


def by_child(attempt):
    """In a process of its own: what ptrace holds is let go when that ends."""
    receiver, sender = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(sender, answer(attempt).encode())
        os._exit(0)
    os.close(sender)
    with os.fdopen(receiver) as file:
        text = file.read()
    os.waitpid(child, 0)
    return text


def read_memory(pid):
    with open("/proc/%d/mem" % pid, "rb", buffering=0):
        return 0


def device(path):
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 3))
    os.unlink(path)


def strangers(pids):
    """Of the workers' those that are not ours."""
    return [pid for pid in pids if pid != os.getppid()]


def tries(whom):
    """{"server", "supervisor", "workers"}: pids."""
    others = {"server": whom["server"], "supervisor": whom["supervisor"], "worker": strangers(whom["workers"])[0]}
    found = {}
    for name, pid in others.items():
        found["signal to " + name] = answer(lambda pid=pid: os.kill(pid, whom.get("signal", 0)))
        found["memory of " + name] = answer(lambda pid=pid: read_memory(pid))
        found["ptrace of " + name] = by_child(lambda pid=pid: libc.ptrace(PTRACE_SEIZE, pid, None, None))
    found["mount"] = answer(lambda: libc.mount(b"none", b"/nowhere", b"tmpfs", 0, None))
    found["io_uring"] = answer(lambda: libc.syscall(IO_URING_SETUP, 0, None))
    found["keyctl"] = answer(lambda: libc.syscall(KEYCTL, 0, 0, 0, 0, 0))
    found["device"] = answer(lambda: device("device-%d" % os.getpid()))
    return found


def state(_):
    """As whom it runs."""
    with open("/proc/self/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        oom = int(file.read())
    return {"uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "oom": oom,
            "home": os.environ.get("HOME"), "pid": os.getpid(), "parent": os.getppid(),
            "no_new_privs": status["NoNewPrivs"], "seccomp": status["Seccomp"], "caps": status["CapEff"]}


def counter(name):
    """What values and arrays need: memory that poold and functions map."""
    import poold
    value = poold.Value("i", name)
    value.value += 1
    return value.value


def file(what):
    """{"read": PATH} or {"write": PATH} or {"list": PATH} or {"move": [FROM, TO]}"""
    def do():
        if "read" in what:
            with open(what["read"], "rb") as opened:
                opened.read(1)
        elif "write" in what:
            with open(what["write"], "wb") as opened:
                opened.write(b"x")
        elif "list" in what:
            os.listdir(what["list"])
        else:
            os.rename(*what["move"])
    return answer(do)


def parent(_):
    """A signal to its own worker."""
    return answer(lambda: os.kill(os.getppid(), 0))


def everybody(namespace):
    """SIGKILL to whoever can be reached; only where that is nobody but a test's own (pid_namespaces(7))."""
    if os.readlink("/proc/self/ns/pid") == namespace:
        raise RuntimeError("this is the machine's own namespace")
    os.kill(-1, signal.SIGKILL)
    return "it goes on"


def ordinary(folder):
    """What functions do all the time; raises if any does not work."""
    import multiprocessing
    import socket
    import subprocess
    import threading
    with multiprocessing.Pool(2) as pool:
        assert pool.map(abs, [-1, -2]) == [1, 2]
    assert subprocess.run("echo $((6*7)) | cat", shell=True, stdout=subprocess.PIPE, check=True).stdout == b"42\n"
    sleeper = subprocess.Popen(["sleep", "60"])
    sleeper.send_signal(signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    listener = socket.create_server(("127.0.0.1", 0))
    socket.create_connection(listener.getsockname()).close()
    os.makedirs(folder + "/a/b")
    with open(folder + "/a/file", "w", encoding="ascii") as file_:
        file_.write("x")
    os.rename(folder + "/a/file", folder + "/a/b/file")
    os.link(folder + "/a/b/file", folder + "/a/file")
    os.mkfifo(folder + "/a/pipe")
    with open("/dev/shm/poold-%d" % os.getpid(), "wb") as shared:
        os.unlink(shared.name)
    return "all"
