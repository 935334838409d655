"""poold_answers: the two descriptors that lead to poold, and what functions print on its way there.

A part of poold_worker; not for functions."""

import codecs
import io
import os
import time
from _thread import RLock
from json.encoder import encode_basestring

import poold

REQUESTS, ANSWERS = 3, 4  # descriptors
NOTICE_NS = 2_000_000  # poold looks at the answers at least this often
LOG_BYTES_MAX = 256 * 1024  # of a stream of an item; poold keeps less, but marks where it has cut
LOG_PIECE_MAX = 16 * 1024
EXIT_NO_CHANNEL = 70  # our descriptors are gone: somebody has closed them

context = poold._context


class Answers:
    """Lines on descriptor 4, and now and then a newline on descriptor 3 that says so."""

    noticed_ns = 0
    quiet = False  # poold does not know yet that the batch has begun: it may have looked long before
    writing = RLock()  # descriptor 3: another thread may be in the midst of a long line

    @classmethod
    def send(cls, line):
        """For lines within an item; the loop of run_batch has its own, faster way."""
        os.write(ANSWERS, line)
        now = time.monotonic_ns()
        if cls.quiet or now - cls.noticed_ns > NOTICE_NS:
            cls.quiet = False
            cls.noticed_ns = now
            cls.notice()

    @classmethod
    def notice(cls):
        with cls.writing:
            os.write(REQUESTS, b"\n")


def leave_without_channel(error):
    """Nobody can be told anything any more, but for our exit status."""
    if isinstance(error, ConnectionError):
        os._exit(0)  # poold is gone, or this is a child that a function has forked
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
