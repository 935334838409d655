"""deeds: what a function may do to whoever runs it. {"do": NAME, …} is the item; {"do":"ok","n":5} gives 5.

The same for a Python runtime (deeds.deed), a runtime that speaks the protocol by itself (raw.py) and a command
(tool.py), which say by CHANNEL and REPLIES where their replies go.
"""
import ctypes
import os
import resource
import signal
import sys
import time

CHANNEL = 3  # where garbage goes: among the replies
REPLIES = 3  # a batch's replies go to 4
STARTED = "pid %d" % os.getpid()
_grown = []


def _note(name, text=""):
    with open(os.path.join(os.environ["DEEDS_NOTES"], name), "a", encoding="utf-8") as file:
        file.write(text)


def _wait_note(name):
    while not os.path.exists(os.path.join(os.environ["DEEDS_NOTES"], name)):
        time.sleep(0.02)


def _put(fd, data):
    while data:
        data = data[os.write(fd, data):]


def ok(item):
    return item.get("n")


def error(item):
    print("about to fail", file=sys.stderr, flush=True)
    raise ValueError("no such picture")


def argument(item):
    return item["missing"] + 1


def crash(item):
    print("about to crash", flush=True)
    number = getattr(signal, item.get("signal", "SIGSEGV"))
    signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
    os.kill(os.getpid(), number)
    time.sleep(60)


def leave(item):
    os._exit(item.get("code", 0))


def garbage(item):
    _put(CHANNEL, b"\xff\xfe this is {no JSON\n")
    time.sleep(60)


def babble(item):
    _put(REPLIES, b"this is {no JSON\n")
    os._exit(0)


def garbage_replies(item):
    _put(REPLIES, b"\xff\xfe this is {no JSON\n")
    if REPLIES != CHANNEL:
        _put(CHANNEL, b"\n")
    time.sleep(60)


def half(item):
    print("half a line", file=sys.stderr, flush=True)
    _put(REPLIES, b'{"id":1')
    time.sleep(60)


def half_channel(item):
    _put(CHANNEL, b'{"id":1')
    time.sleep(60)


def stranger(item):
    _put(REPLIES, b'{"id":987654321,"value":"not asked for"}\n')
    if REPLIES != CHANNEL:
        _put(CHANNEL, b"\n")
    time.sleep(60)


def huge(item):
    return "x" * item["n"]


def prints(item):
    print("one", flush=True)
    print("two", file=sys.stderr, flush=True)
    os.system("echo three")
    print('{"id":1,"value":"not a reply"}', flush=True)
    sys.stdout.write("no newline at the end")
    return item.get("n")


def floods(item):
    for i in range(item.get("lines", 20000)):
        print("line %06d %s" % (i, "y" * 100))
    return item.get("n")


def _stay():
    """Becomes something that wants to stay, under a name that is looked for."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    _note("pid-%d" % os.getpid())
    os.execv("/bin/sleep", ["left-over", "86400"])


def daemon(item):
    """A child in a session of its own whose parent has gone, one in the process group, and one that is a copy."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            _stay()
        os._exit(0)
    if os.fork() == 0:
        _stay()
    if os.fork() == 0:
        _note("pid-%d" % os.getpid())
        os.setsid()
        while True:
            time.sleep(1)
    end = time.monotonic() + 20
    while sum(n.startswith("pid-") for n in os.listdir(os.environ["DEEDS_NOTES"])) < 3 and time.monotonic() < end:
        time.sleep(0.01)
    return item.get("n")


def deaf(item):
    """Ignores SIGTERM, as does a child of it in a session of its own."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("cannot hear you", flush=True)
    _note("pid-%d" % os.getpid())
    if os.fork() == 0:
        os.setsid()
        _stay()
    _note("hears-not-%s" % item.get("n"))
    time.sleep(60)


def closes(item):
    os.closerange(0, 64)
    time.sleep(60)


def allocates(item):
    step, most = item.get("step", 8) << 20, item.get("most", 4096) << 20
    for _ in range(0, most, step):
        _grown.append(bytearray(step))
        for at in range(0, step, 4096):
            _grown[-1][at] = 1
    return len(_grown) * step


def maps(item):
    """Takes memory beside the allocator, in a child of its own."""
    if os.fork() == 0:
        allocates(item)
        os._exit(0)
    os.wait()
    time.sleep(60)


def burns(item):
    while True:
        pass


def opens(item):
    return len([open("/dev/null", "rb") for _ in range(item["n"])])  # pylint: disable=consider-using-with


def late(item):
    time.sleep(item.get("s", 1))
    return item.get("n")


def talks(item):
    print("before " + item["note"], flush=True)
    _wait_note(item["note"])
    print("after " + item["note"], flush=True)
    return item.get("n")


def pid(item):
    return os.getpid()


def environ(item):
    return dict(os.environ)


def trace(item):
    return os.environ.get("TRACEPARENT")


def descriptors(item):
    """Where every open descriptor leads to, but for the one that lists them."""
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink("/proc/self/fd/" + fd)
        except OSError:
            pass
    return found


def folder(item):
    return os.getcwd()


def privileges(item):
    return {"no_new_privs": ctypes.CDLL(None).prctl(39, 0, 0, 0, 0), "files": resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            "group": os.getpgid(0) != os.getpgid(os.getppid()), "core": resource.getrlimit(resource.RLIMIT_CORE)[0]}


def alone(item):
    """Whether somebody else was in here at the same time."""
    name = os.path.join(os.environ["DEEDS_NOTES"], "alone-" + item["note"])
    try:
        os.mkdir(name)
    except FileExistsError:
        return False
    time.sleep(0.05)
    os.rmdir(name)
    return True


def attempt(item):
    """Crashes at its first attempt, which it knows by a note."""
    name = os.path.join(os.environ["DEEDS_NOTES"], item["note"])
    if not os.path.exists(name):
        _note(item["note"])
        os.kill(os.getpid(), signal.SIGKILL)
    return item.get("n")


def echo(item):
    return item["text"]


def do(item):
    return globals()[item["do"]](item)


def deed(item):
    return do(item)
