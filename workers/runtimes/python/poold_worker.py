"""poold_worker: serves the functions of a module to poold (the protocol: workers/runtimes/PROTOCOL.md).

    python3 -m poold_worker MODULE[:FUNCTION] [--initializer NAME] [--initargs JSON]

Started by poold, not by people. Needs Python 3.9 and its standard library; modules that only some functions need
(asyncio, traceback) are imported when they do, because a process for each item has to start quickly.
"""

import codecs
import importlib
import io
import json
import os
import signal
import sys
import time
from _thread import RLock
from json.encoder import encode_basestring

import poold

REQUESTS, ANSWERS = 3, 4  # descriptors
READ_BYTES = 128 * 1024
NOTICE_NS = 2_000_000  # poold looks at the answers at least this often
LOG_BYTES_MAX = 256 * 1024  # of a stream of an item; poold keeps less, but marks where it has cut
LOG_PIECE_MAX = 16 * 1024
MESSAGE_MAX, TRACEBACK_MAX = 8 * 1024, 12 * 1024
EXIT_NO_CHANNEL = 70  # our descriptors are gone: somebody has closed them

GENERATOR, COROUTINE, ASYNC_GENERATOR = 0x20, 0x80, 0x200  # of inspect.CO_…, which takes 10 ms to import

context = poold._context


# ---- what goes to poold ----


class Answers:
    """Lines on descriptor 4, and now and then a newline on descriptor 3 that says so."""

    noticed_ns = 0

    @classmethod
    def send(cls, line):
        """For lines within an item; the loop of run_batch has its own, faster way."""
        os.write(ANSWERS, line)
        now = time.monotonic_ns()
        if now - cls.noticed_ns > NOTICE_NS:
            cls.noticed_ns = now
            os.write(REQUESTS, b"\n")


def leave_without_channel(error):
    """Nobody can be told anything any more, but for our exit status."""
    try:
        os.write(2, f"poold_worker: descriptors 3 and 4 belong to poold, they must stay open: {error}\n".encode())
    finally:
        os._exit(EXIT_NO_CHANNEL)


class LogBytes(io.RawIOBase):
    """sys.stdout.buffer."""

    def __init__(self, text):
        self._text = text
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        self._text.write(self._decoder.decode(data))
        return len(data)

    def flush(self):
        self._text.flush()

    def fileno(self):
        return self._text.fileno()

    def close(self):
        self.flush()


class Log(io.TextIOBase):
    """sys.stdout and sys.stderr: while an item runs its log, a line at a time, in order with its answers; the real
    descriptor otherwise. Never closes: the next item prints, too."""

    def __init__(self, name, descriptor):
        self.stream = name
        self.name = f"<{name}>"
        self.mode = "w"
        self.line_buffering = True
        self.write_through = False
        self._descriptor = descriptor
        self.buffer = LogBytes(self)
        self.reset()

    encoding = property(lambda self: "utf-8")
    errors = property(lambda self: "replace")
    newlines = property(lambda self: None)

    def reset(self):
        self._lock = RLock()
        self.pending = ""
        self.room = LOG_BYTES_MAX

    def writable(self):
        return True

    def fileno(self):
        return self._descriptor

    def isatty(self):
        return False

    def reconfigure(self, **settings):
        pass

    def close(self):
        self.flush()

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            self.pending += text
            if len(self.pending) > LOG_PIECE_MAX:
                self._send(len(self.pending))
            elif "\n" in text:
                self._send(self.pending.rindex("\n") + 1)
        return len(text)

    def flush(self):
        with self._lock:
            if self.pending:
                self._send(len(self.pending))

    def _send(self, length):
        text, self.pending = self.pending[:length], self.pending[length:]
        identity = context.id
        if identity is None:
            self._send_raw(text.encode("utf-8", "replace"))
            return
        for at in range(0, len(text), LOG_PIECE_MAX):
            piece = text[at : at + LOG_PIECE_MAX]
            if self.room <= 0:
                return
            self.room -= len(piece)
            line = encode_basestring(piece).encode("utf-8", "replace")  # lone surrogates have no UTF-8
            Answers.send(b'{"id":%d,"log":%b,"stream":"%b"}\n' % (identity, line, self.stream.encode()))

    def _send_raw(self, data):
        try:
            while data:
                data = data[os.write(self._descriptor, data) :]
        except OSError:
            pass  # it was closed: as little as anybody can do about it


stdout, stderr = Log("stdout", 1), Log("stderr", 2)


def end_of_item_log():
    for log in (stdout, stderr):
        if log.pending:
            log.flush()
        log.room = LOG_BYTES_MAX


# ---- values and errors ----


def json_text(value):
    """A value that is none of the simple ones."""
    try:
        return json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except ValueError as error:
        if "Out of range float" in str(error):
            raise ValueError("NaN and Infinity are no JSON values") from None
        raise


if json.encoder.c_make_encoder is not None:

    def refuse(value):
        raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")

    # The encoder that json.dumps makes anew for each call, at twice the price. Without its look-out for cycles: they
    # end in a RecursionError, and json.dumps is asked again for the better message.
    fast_encoder = json.encoder.c_make_encoder(None, refuse, encode_basestring, None, ":", ",", False, False, False)

    def compound_text(value):
        try:
            return "".join(fast_encoder(value, 0))
        except (RecursionError, ValueError):
            pass
        return json_text(value)

else:
    compound_text = json_text


def value_line(identity, value):
    kind = type(value)
    if kind is str:
        text = encode_basestring(value)
    elif kind is dict or kind is list:
        text = compound_text(value)
    elif value is None:
        text = "null"
    elif hasattr(value, "__next__") or hasattr(value, "__anext__"):
        close = getattr(value, "close", None)
        if close:
            close()
        raise TypeError(f"returned {kind.__name__}, which gives values one by one; return a list of them")
    elif hasattr(value, "__await__"):
        return answer_line(identity, finish(value))
    else:
        text = compound_text(value)
    return b'{"id":%d,"value":%b}\n' % (identity, text.encode())


def answer_line(identity, value):
    if type(value) is int:
        return b'{"id":%d,"value":%d}\n' % (identity, value)
    return value_line(identity, value)


def class_name(kind):
    return kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"


def message_of(error):
    try:
        text = str(error)
    except BaseException as second:
        text = f"<its text cannot be had: {class_name(type(second))}>"
    return text if len(text) <= MESSAGE_MAX else text[:MESSAGE_MAX] + "…"


def is_ours(trace):
    """Frames that are no business of the function's author: the launcher's, and what runs coroutines and imports."""
    name = trace.tb_frame.f_code.co_filename
    return name == __file__ or name.startswith("<frozen importlib") or os.path.dirname(name).endswith(
        ("/asyncio", "/importlib", "/json"))


def traceback_of(error):
    import traceback

    trace = error.__traceback__
    while trace is not None and is_ours(trace):
        trace = trace.tb_next
    text = "".join(traceback.format_exception(type(error), error, trace))
    return text if len(text) <= TRACEBACK_MAX else text[: TRACEBACK_MAX // 4] + "\n…\n" + text[-TRACEBACK_MAX * 3 // 4 :]


def error_text(error):
    """The object that PROTOCOL.md calls an error."""
    fields = {"message": message_of(error), "class": class_name(type(error))}
    if isinstance(error, MemoryError):
        fields["type"] = "memory"
        fields["message"] = fields["message"] or "out of memory"
    if not fields["message"]:
        fields["message"] = fields["class"]
    try:
        fields["traceback"] = traceback_of(error)
    except BaseException:
        pass  # as with MemoryError: better an error without it than none
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace")


def error_line(identity, error):
    return b'{"id":%d,"error":%b}\n' % (identity, error_text(error))


# ---- functions ----

loop = None


def finish(awaitable):
    """Runs a coroutine to its end, in the one loop of this process; what it has left behind there is cancelled."""
    global loop
    import asyncio

    if loop is None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)

    async def whole():
        return await awaitable

    try:
        return loop.run_until_complete(whole())
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))


def flags_of(function):
    function = getattr(function, "__func__", function)
    code = getattr(function, "__code__", None)
    return code.co_flags if code is not None else 0


def refused(name):
    def refuse_generator(*_, **__):
        raise TypeError(f"{name} is a generator, which gives values one by one; return a list of them")

    return refuse_generator


def callable_for(name, function):
    """What to call for an item."""
    if flags_of(function) & (GENERATOR | ASYNC_GENERATOR):
        return refused(name)
    if flags_of(function) & COROUTINE:
        return lambda *args, **kwargs: finish(function(*args, **kwargs))
    return function


def unpacked(function):
    """For the items of a starmap."""

    def call(item):
        if type(item) is list:
            return function(*item)
        if type(item) is dict:
            return function(**item)
        raise TypeError(f"the items of a starmap are arrays or objects of arguments, not {type(item).__name__}")

    return call


def is_public(module, name, value):
    if not callable(value) or isinstance(value, type) or not name.isascii() or not name.isidentifier():
        return False
    if name in getattr(module, "__all__", ()):
        return True
    return not name.startswith("_") and getattr(value, "__module__", None) == module.__name__


def functions_of(module, only, initializer):
    if only is not None:
        function = getattr(module, only)
        if not callable(function):
            raise TypeError(f"{module.__name__}.{only} is no function")
        return {only: function}
    return {
        name: value
        for name, value in vars(module).items()
        if is_public(module, name, value) and name != initializer
    }


def summary_of(function):
    lines = (getattr(function, "__doc__", None) or "").strip().splitlines()
    return lines[0].strip() if lines else None


def offer(functions):
    entries = []
    for name, function in functions.items():
        entry = {"name": name}
        summary = summary_of(function)
        if summary:
            entry["summary"] = summary
        entries.append(entry)
    return entries


# ---- items ----


def read_requests():
    """The lines of descriptor 3, until it ends."""
    parts = []
    while True:
        try:
            data = os.read(REQUESTS, READ_BYTES)
        except ConnectionError:
            return
        except OSError as error:
            leave_without_channel(error)
        if not data:
            return
        parts.append(data)
        if b"\n" in data:
            lines = b"".join(parts).split(b"\n")
            parts = [lines.pop()]
            yield from lines


class Unreadable:
    """An integer of more digits than Python reads."""

    def __init__(self, error):
        self.error = error


def read_integer(text):
    try:
        return int(text)
    except ValueError as error:
        return Unreadable(error)


def unreadable_in(item):
    """The first Unreadable within an item, or None."""
    if isinstance(item, Unreadable):
        return item
    for part in item.values() if isinstance(item, dict) else item if isinstance(item, list) else ():
        found = unreadable_in(part)
        if found:
            return found
    return None


def careful(call):
    """`call` for a batch with an item that cannot be read: the others must not suffer for it."""

    def check_and_call(item):
        found = unreadable_in(item)
        if found:
            raise found.error.with_traceback(None)
        return call(item)

    return check_and_call


def parse(line):
    """The request, and what to put around the function."""
    try:
        return json.loads(line), None
    except ValueError:
        pass  # not within it: what careful raises would be told of as a consequence of this
    return json.loads(line, parse_int=read_integer), careful


def run_batch(call, request):
    """The hot path: some 2 µs an item, most of it the write."""
    write, clock, item_context = os.write, time.monotonic_ns, context
    identity = item_context.first_id = request["id"]
    item_context.first_index = request["index"]
    item_context.job = request["job"]
    item_context.attempt = request["attempt"]
    item_context.deadline = request["deadline"]
    item_context.began_ns = now = Answers.noticed_ns = clock()
    try:
        for item in request["items"]:
            item_context.now_ns = now
            item_context.id = identity
            try:
                value = call(item)
                if type(value) is int:
                    line = b'{"id":%d,"value":%d}\n' % (identity, value)
                else:
                    line = value_line(identity, value)
            except BaseException as error:
                line = error_line(identity, error)
            if stdout.pending or stderr.pending or stdout.room + stderr.room != 2 * LOG_BYTES_MAX:
                end_of_item_log()
            write(ANSWERS, line)
            identity += 1
            now = clock()
            if now - Answers.noticed_ns > NOTICE_NS:
                Answers.noticed_ns = now
                write(REQUESTS, b"\n")
        item_context.id = None
        write(REQUESTS, b"\n")
    except OSError as error:
        leave_without_channel(error)


def no_such_function(module, name):
    def call(_):
        raise AttributeError(f"module '{module}' has no function '{name}'")

    return call


def serve(module, functions):
    plain = {name: callable_for(name, function) for name, function in functions.items()}
    for line in read_requests():
        request, wrap = parse(line)
        name = request["function"]
        call = plain.get(name) or no_such_function(module, name)
        if request["star"] and name in plain:
            call = unpacked(call)
        run_batch(wrap(call) if wrap else call, request)


# ---- start ----


def forked():
    """In a child that a function has forked (multiprocessing does): poold is the parent's alone. Whatever the child
    prints goes through the real descriptors, and should it come back into our loop, it ends there."""
    reading, writing = os.pipe()
    os.close(reading)
    for descriptor in (REQUESTS, ANSWERS):
        os.dup2(writing, descriptor, inheritable=False)
    os.close(writing)
    context.id = None
    stdout.reset()
    stderr.reset()


def arguments(argv):
    """(module, function or None, initializer or None, list of its arguments)"""
    usage = "usage: python3 -m poold_worker MODULE[:FUNCTION] [--initializer NAME] [--initargs JSON]"
    if not argv or len(argv) % 2 == 0:
        sys.exit(usage)
    module, _, function = argv[0].partition(":")
    options = {"--initializer": None, "--initargs": "[]"}
    for option, value in zip(argv[1::2], argv[2::2]):
        if option not in options:
            sys.exit(usage)
        options[option] = value
    return module, function or None, options["--initializer"], json.loads(options["--initargs"])


def load(name, only, initializer, initargs):
    """The module's functions, after the initializer has run."""
    module = importlib.import_module(name)
    functions = functions_of(module, only, initializer)
    if initializer is not None:
        result = getattr(module, initializer)(*initargs)
        if hasattr(result, "__await__"):
            finish(result)
    return functions


def set_up():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for descriptor in (REQUESTS, ANSWERS):
        os.set_inheritable(descriptor, False)
    os.register_at_fork(after_in_child=forked)
    context.send = Answers.send
    sys.stdout, sys.stderr = stdout, stderr


def say(message):
    data = json.dumps(message, ensure_ascii=False).encode("utf-8", "replace") + b"\n"
    while data:
        data = data[os.write(REQUESTS, data) :]


def main():
    module, only, initializer, initargs = arguments(sys.argv[1:])
    sys.argv[1:] = []
    set_up()
    try:
        functions = load(module, only, initializer, initargs)
    except BaseException as error:
        say({"ready": False, "error": json.loads(error_text(error))})
        return 1
    say({"ready": True, "functions": offer(functions), "batch": True})
    serve(module, functions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
