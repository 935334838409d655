"""poold_objects: Queue, Pipe, Lock … with the names and the ways of Python's multiprocessing; what a function sees of
them is in poold. What they do is written in server/objects/README.md.

Every object is a name and a way to call: nothing is kept here, so they cost nothing and may be made anywhere, also when
a module is loaded."""

import json
import queue
from json.encoder import encode_basestring

import poold
from poold_calls import Refused, answer_of, channel
from poold_values import compound_text

context = poold._context
FOREVER = b',"wait":null'

# What an error becomes, unless the kind of object knows better.
ERRORS = {
    "missing": FileNotFoundError,
    "deleted": FileNotFoundError,
    "exists": FileExistsError,
    "no-entry": LookupError,
    "empty": queue.Empty,
    "full": queue.Full,
    "busy": TimeoutError,
    "not-holder": ValueError,
    "closed": EOFError,
    "changed": ValueError,
    "invalid": TypeError,
    "overflow": OverflowError,
    "limit": ValueError,
    "no-room": OSError,
    "ended": RuntimeError,
}


def json_bytes(value):
    """The JSON of a value; TypeError if it has none."""
    try:
        kind = type(value)
        if kind is str:
            return encode_basestring(value).encode()
        if kind is int:
            return b"%d" % value
        return compound_text(value).encode()
    except (ValueError, RecursionError) as error:
        raise TypeError(f"no JSON value: {error}") from None


def wait_bytes(block, timeout):
    """How long a call may wait."""
    if not block:
        return b""
    if timeout is None:
        return FOREVER
    if timeout != timeout or timeout <= 0:
        return b""
    return b',"wait":%b' % (b"%.6f" % timeout if timeout < 1e9 else b"null")


class Shared:
    """An object of poold's."""

    kind = ""
    errors = {}

    def __init__(self, name, configuration=None):
        if not isinstance(name, str):
            raise TypeError(f"the name of a shared object is a str, not {type(name).__name__}")
        self.name = name
        self._head = b'{"object":%b,"op":"' % json_bytes(f"{self.kind}/{name}")
        self._configuration = None if configuration is None else json_bytes(configuration)[1:-1]
        self._made = None  # the item that has seen to it that it is there, so configured
        if context.id is not None:
            self._make()

    def __repr__(self):
        return f"<poold.{type(self).__name__} {self.name!r}>"

    def __reduce__(self):
        raise TypeError("shared objects are shared by name: use the same name over there")

    def _make(self):
        """Creates it, with its configuration, if it is to be; needed before any other call, and in each item: somebody may
        have deleted it meanwhile, and it would come back by itself as something else."""
        if self._configuration is not None and self._made != context.id:
            self._create(self._configuration)
            self._made = context.id

    def _create(self, configuration):
        self._ask(b"create", configuration, making=True)

    def _ask(self, op, args=b"", wait=b"", subject=None, making=False):
        """The answer; `subject`: of a KeyError."""
        if self._made != context.id and self._configuration is not None and not making:
            self._make()
        try:
            return answer_of(b'%b%b","args":{%b}%b}' % (self._head, op, args, wait))
        except Refused as refused:
            error = self._error(refused, subject)
        raise error

    def _post(self, op, args):
        """Done in its turn, before all that this item asks for afterwards; a refusal is raised by the next call or at the
        item's end. Whoever asks much in a row need not wait for each answer."""
        channel.post(b'%b%b","args":{%b},"quiet":true}' % (self._head, op, args), self._error)
        context.posted = self

    def _tell(self, op):
        channel.tell(b'%b%b","args":{},"quiet":true}' % (self._head, op))

    def _error(self, refused, subject=None):
        kind = self.errors.get(refused.type) or ERRORS.get(refused.type, RuntimeError)
        error = kind(subject if kind is KeyError else str(refused))
        error.type = refused.type
        return error

    def delete(self):
        """Deletes it for everybody; whoever waits with it is told so."""
        self._ask(b"delete")


class PerItem:
    """Numbers that are forgotten when an item ends, as poold then lets go of what it held."""

    def __init__(self):
        self._item = None
        self._numbers = {}

    def add(self, name, by):
        if self._item != context.id:
            self._item = context.id
            self._numbers = {}
        self._numbers[name] = self._numbers.get(name, 0) + by

    def take(self, name):
        """One of them, if there is any."""
        if self._item != context.id or not self._numbers.get(name):
            return False
        self._numbers[name] -= 1
        return True


# ---- queues ----

PUTS_TO_ASK = 3
PUTS_TO_SETTLE = 256  # from time to time one is answered

taken = PerItem()  # elements whose task_done is to come: those who count right need not wait for an answer


class Queue(Shared):
    """multiprocessing.JoinableQueue, by name. Without `maxsize` it is whatever it is; a new one has no limit."""

    kind = "queues"

    def __init__(self, name, maxsize=None):
        self._item = None  # of the next two
        self._puts = 0
        self._endless = False  # it is known to have no limit
        super().__init__(name, None if maxsize is None else {"maxsize": max(0, maxsize)})

    def put(self, obj, block=True, timeout=None):
        """queue.Full if there is no room, also after `timeout` seconds."""
        check_timeout(timeout)
        value = b'"value":' + json_bytes(obj)
        if self._posts():
            self._post(b"put", value)
        else:
            self._ask(b"put", value, wait_bytes(block, timeout))

    def _posts(self):
        """Where there is always room a put need not wait for its answer, as in multiprocessing, whose own thread sends
        it some time later: poold does it before all that this item asks for afterwards. Whoever puts much finds out."""
        if self._item != context.id:
            self._item, self._puts, self._endless = context.id, 0, False
        self._puts += 1
        if self._puts == PUTS_TO_ASK:
            self._endless = self._ask(b"size")["maxsize"] == 0
        return self._endless and self._puts % PUTS_TO_SETTLE

    def settle(self):
        """An answer that comes after that to all puts."""
        self._ask(b"size")

    def put_nowait(self, obj):
        self.put(obj, False)

    def put_many(self, objs, block=True, timeout=None):
        """All of them, next to each other, or none."""
        check_timeout(timeout)
        self._ask(b"put", b'"values":' + json_bytes(list(objs)), wait_bytes(block, timeout))

    def get(self, block=True, timeout=None):
        """queue.Empty if there is nothing, also after `timeout` seconds."""
        check_timeout(timeout)
        value = self._ask(b"get", b"", wait_bytes(block, timeout))["values"][0]
        taken.add(self.name, 1)
        return value

    def get_nowait(self):
        return self.get(False)

    def get_many(self, n, block=True, timeout=None):
        """From one to `n` of them."""
        check_timeout(timeout)
        values = self._ask(b"get", b'"n":%d' % n, wait_bytes(block, timeout))["values"]
        taken.add(self.name, len(values))
        return values

    def qsize(self):
        return self._ask(b"size")["size"]

    def empty(self):
        return self.qsize() == 0

    def full(self):
        state = self._ask(b"size")
        return 0 < state["maxsize"] <= state["size"]

    def task_done(self):
        if taken.take(self.name):
            self._tell(b"task_done")
        else:
            self._ask(b"task_done")

    def join(self):
        """Waits until task_done was called for all that was ever put."""
        self._ask(b"join", b"", FOREVER)

    def clear(self):
        self._ask(b"clear")

    def close(self):
        """Nothing, as nothing is buffered here; for programs that call it."""

    join_thread = cancel_join_thread = close


JoinableQueue = SimpleQueue = Queue


def check_timeout(timeout):
    if timeout is not None and timeout < 0:
        raise ValueError("'timeout' must be a non-negative number")


# ---- locks ----

held = PerItem()


class Lock(Shared):
    """multiprocessing.Lock, by name; an item's locks are released when it ends, however it ends."""

    kind = "locks"
    _type = None  # created as something else than what comes by itself

    def __init__(self, name, _configuration=None):
        self.token = None  # grows with every acquire of anybody: what protects can tell who is late
        self.recovered = False  # whoever held it before died with it
        super().__init__(name, _configuration)

    def acquire(self, block=True, timeout=None):
        """False if it is held, also after `timeout` seconds."""
        try:
            answer = self._ask(b"acquire", b"", wait_bytes(block, timeout))
        except TimeoutError:
            return False
        self.token = answer["token"]
        self.recovered = answer.get("recovered", False)
        held.add(self.name, 1)
        return True

    def release(self):
        """ValueError if it is not held."""
        if held.take(self.name):
            self._tell(b"release")
        else:
            self._ask(b"release")

    __enter__ = acquire

    def __exit__(self, *_):
        self.release()


class RLock(Lock):
    """multiprocessing.RLock: the item that holds it may acquire it again."""

    errors = {"not-holder": AssertionError}  # as Python

    def __init__(self, name):
        super().__init__(name, None if "/" in name else {"type": "rlock"})


class Semaphore(Lock):
    """multiprocessing.Semaphore. `value` is what a new one has; one that is there must have the same if it is given."""

    _type = "semaphore"

    def __init__(self, name, value=None):
        if value is not None and value < 0:
            raise ValueError("semaphore initial value must be >= 0")
        self._any = value is None
        super().__init__(name, {"type": self._type, "value": 1 if value is None else value})

    def _create(self, configuration):
        try:
            super()._create(configuration)
        except FileExistsError:
            if not self._any or self._ask(b"inspect", making=True).get("type") != self._type:
                raise


class BoundedSemaphore(Semaphore):
    """multiprocessing.BoundedSemaphore: a release too many is a ValueError."""

    _type = "bounded"


# ---- pipes ----


class Connection(Shared):
    """One end of a pipe, "a" or "b"."""

    kind = "pipes"

    def __init__(self, name, end, duplex=None):
        if end not in ("a", "b"):
            raise ValueError(f'a pipe has the ends "a" and "b", not {end!r}')
        self.end = end
        self.closed = False
        self.readable = duplex is not False or end == "a"
        self.writable = duplex is not False or end == "b"
        self._end = b'"end":"%b"' % end.encode()
        self._any = duplex is None
        super().__init__(name, {"duplex": duplex is None or bool(duplex)})

    def _create(self, configuration):
        """Also a pipe that is there: once both of its ends are closed it is new."""
        try:
            super()._create(configuration)
        except FileExistsError:
            if not self._any:
                raise
            super()._create(b'"duplex":false')

    def __repr__(self):
        return f"<poold.Connection {self.name!r} {self.end}>"

    def _error(self, refused, subject=None):
        if refused.type == "invalid":  # the wrong direction
            error = OSError(str(refused))
        elif refused.type == "closed" and subject == "send":
            error = BrokenPipeError(str(refused))
        else:
            return super()._error(refused)
        error.type = refused.type
        return error

    def _check(self, able=True, what=""):
        if self.closed:
            raise OSError("handle is closed")
        if not able:
            raise OSError(f"connection is {what}-only")

    def send(self, obj):
        """BrokenPipeError if the other end is closed."""
        self._check(self.writable, "read")
        self._ask(b"send", b'%b,"value":%b' % (self._end, json_bytes(obj)), FOREVER, "send")

    def recv(self):
        """Waits; EOFError once all was received and the other end is closed."""
        self._check(self.readable, "write")
        return self._ask(b"recv", self._end, FOREVER)["value"]

    def poll(self, timeout=0.0):
        """Whether recv would have something at once, or within `timeout` seconds (None: for ever)."""
        self._check(self.readable, "write")
        try:
            return self._ask(b"poll", self._end, wait_bytes(True, timeout))["ready"]
        except EOFError:
            return True  # as Python: recv says so at once
        except queue.Empty:
            return False

    def close(self):
        """Closes this end, for everybody."""
        if not self.closed:
            self._ask(b"close", self._end)
            self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def Pipe(name, duplex=None):
    """Both ends; one-way (duplex=False) the first one receives and the second one sends."""
    return Connection(name, "a", duplex), Connection(name, "b", duplex)


# ---- all of them under multiprocessing's other name ----


class Manager:
    """multiprocessing.Manager(), but that the objects have names and live on."""

    def dict(self, name):
        return poold_containers().Dict(name)

    def list(self, name):
        return poold_containers().List(name)

    def Value(self, typecode, name, initial=0):
        return poold.Value(typecode, name, initial)

    def Array(self, typecode, name, length_or_list=None):
        return poold.Array(typecode, name, length_or_list)

    Queue = staticmethod(Queue)
    JoinableQueue = staticmethod(Queue)
    Lock = staticmethod(Lock)
    RLock = staticmethod(RLock)
    Semaphore = staticmethod(Semaphore)
    BoundedSemaphore = staticmethod(BoundedSemaphore)
    Pipe = staticmethod(Pipe)

    def start(self):
        """Nothing; for programs that call it."""

    shutdown = start

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


def poold_containers():
    import poold_containers

    return poold_containers
