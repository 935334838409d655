"""poold_calls: descriptor 3, which brings items to run and answers to what they have called (../PROTOCOL.md, Calls).

A part of poold_worker; not for functions. Any thread of a function may call, but only one reads at a time: whoever
finds nobody reading does it, hands others what comes for them, and when it has its own line leaves the reading to one
of those that still wait."""

import os
import select
from _thread import RLock, allocate_lock
from json.decoder import JSONDecoder

import poold
from poold_answers import REQUESTS, Answers, leave_without_channel

LINE_BYTES_MAX = 9 * 1024 * 1024
READ_BYTES_MIN, READ_BYTES_MAX = 8 * 1024, 512 * 1024
ITEMS = 0  # whoever waits under this number waits for items, not for an answer
ANSWER = b'{"call":'

context = poold._context
scan = JSONDecoder().scan_once

# A read that blocks is also woken, for nothing, when poold has read what was written to the same socket.
_poll = select.poll()
_poll.register(REQUESTS, select.POLLIN)
readable = _poll.poll


class Waiter:
    """A thread that lets another one read."""

    __slots__ = ("woken", "line", "reads")

    def __init__(self):
        self.woken = allocate_lock()
        self.woken.acquire()
        self.line = None
        self.reads = False  # nobody else does any more


class Lines:
    """Whole lines of descriptor 3."""

    def __init__(self):
        self._part = []  # of a line whose end has not come
        self._lines = []  # the next one is last

    def next(self):
        """None at the end."""
        lines = self._lines
        if lines:
            return lines.pop()
        size = READ_BYTES_MIN
        while True:
            try:
                readable()
                data = os.read(REQUESTS, size)
            except ConnectionError:
                return None
            except OSError as error:
                leave_without_channel(error)
            if not data:
                return None
            if not self._part and data.find(b"\n") == len(data) - 1:
                return data  # as nearly always
            self._part.append(data)
            if b"\n" in data:
                lines[:] = b"".join(self._part).split(b"\n")
                rest = lines.pop()
                self._part = [rest] if rest else []
                lines.reverse()
                return lines.pop()
            size = READ_BYTES_MAX


def addressee(line):
    if not line.startswith(ANSWER):
        return ITEMS
    return int(line[len(ANSWER) : line.index(b",", len(ANSWER))])


class Channel:
    def __init__(self):
        self._mutex = allocate_lock()  # never held while something is written, so answers always get through
        self._lines = Lines()  # of whoever reads
        self._reading = False
        self._waiting = {}
        self._items = []
        self._last = ITEMS
        self._posted = {}  # number → what makes an exception of its error
        self._failed = None

    def item(self):
        """The next line that asks for items; None at the end. Of the main thread alone."""
        with self._mutex:
            if self._items:
                return self._items.pop(0)
            waiter = self._join(ITEMS)
        try:
            return self._receive(ITEMS, b'{"id":', waiter)
        finally:
            self._leave(ITEMS, waiter)

    def call(self, request):
        """The text of an answer, and where in it the answer begins."""
        identity = context.id
        if identity is None:
            raise RuntimeError("shared objects are there for tasks: no item of poold is being run here")
        context.called = True
        if self._failed is not None:
            self._raise()
        with self._mutex:
            self._last = number = self._last + 1
            waiter = self._join(number)
        try:
            self._send(b'{"id":%d,"call":%d,"request":%b}\n' % (identity, number, request))
            answer = b'{"call":%d,"answer":' % number
            line = self._receive(number, answer, waiter)
        finally:
            self._leave(number, waiter)
        if line is None:
            os._exit(0)  # poold is gone
        return line.decode(), len(answer)

    def tell(self, request):
        """A call that is not answered: an error goes to the item's log."""
        identity = context.id
        if identity is not None:
            context.called = True
            self._send(b'{"id":%d,"call":0,"request":%b}\n' % (identity, request))

    def post(self, request, error_of):
        """A call that is done in its turn while we go on; should it be refused, the next call raises that, or the item's
        end (see settle)."""
        identity = context.id
        if self._failed is not None:
            self._raise()
        with self._mutex:
            self._last = number = self._last + 1
            self._posted[number] = error_of
        self._send(b'{"id":%d,"call":%d,"request":%b}\n' % (identity, number, request))

    def settled(self):
        """Something that was asked for after all that was posted has been answered."""
        if self._failed is not None:
            self._raise()
        self._posted.clear()

    def forget(self):
        self._posted.clear()
        self._failed = None

    def _raise(self):
        failed = self._failed
        self.forget()
        raise failed

    def _send(self, line):
        length = len(line)
        if length > LINE_BYTES_MAX:
            raise limit_error(f"a call of {length} bytes; at most {LINE_BYTES_MAX} are possible")
        with Answers.writing:
            try:
                sent = os.write(REQUESTS, line)
                while sent < length:
                    sent += os.write(REQUESTS, line[sent:])
            except OSError as error:
                leave_without_channel(error)

    def _join(self, number):
        """Under the mutex: None for who is to read."""
        if not self._reading:
            self._reading = True
            return None
        waiter = self._waiting[number] = Waiter()
        return waiter

    def _receive(self, number, beginning, waiter):
        if waiter is not None:
            waiter.woken.acquire()
            if not waiter.reads:
                return waiter.line
        while True:
            line = self._lines.next()
            if line is None or line.startswith(beginning):
                return line
            to = addressee(line)
            if to == number:
                return line  # no request at all, but whoever reads requests is to say so
            with self._mutex:
                self._deliver(to, line)

    def _leave(self, number, waiter):
        """Also when a signal's handler has raised something: then the answer will be nobody's."""
        with self._mutex:
            if waiter is None or waiter.reads:
                self._reading = False
                if self._waiting:
                    self._pass_on(number)
            else:
                self._waiting.pop(number, None)

    def _pass_on(self, number):
        """The reading, to anybody who still waits."""
        self._waiting.pop(number, None)
        for heir in self._waiting.values():
            self._reading = heir.reads = True
            heir.woken.release()
            return

    def _deliver(self, to, line):
        waiter = self._waiting.pop(to, None)
        if waiter is not None:
            waiter.line = line
            waiter.woken.release()
        elif to == ITEMS:
            self._items.append(line)
        elif to in self._posted and self._failed is None:
            self._failed = self._posted[to](refusal(scan(line.decode(), line.index(b'"answer":') + 9)[0]))


def limit_error(message):
    error = ValueError(message)
    error.type = "limit"
    return error


channel = Channel()


def settle():
    """At an item's end: whether what it has posted was done is known before its own end is told."""
    posted, context.posted = context.posted, None
    posted.settle()
    channel.settled()


def reset():
    """In a forked child: whatever other threads were doing, they are not here."""
    channel.__init__()
    Answers.writing = RLock()


def answer_of(request):
    """What `ok` says; an error raises Refused."""
    text, at = channel.call(request)
    answer = scan(text, at)[0]
    try:
        return answer["ok"]
    except KeyError:
        pass
    raise refusal(answer)


def refusal(answer):
    error = answer.get("error") or {}
    return Refused(error.get("type", "error"), error.get("message", "refused"))


class Refused(Exception):
    """An error as it came; poold_objects makes the one of Python of it."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.type = kind
