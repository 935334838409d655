"""poold_client: multiprocessing.Pool, with the work done by a poold service. Python 3.9+, this one file, nothing else.

    from poold_client import Pool
    import images                       # served by poold: functions/images.json

    with Pool() as pool:                # POOLD_URL, or http://127.0.0.1:8080
        print(pool.map(images.thumb, ["a.png", "b.png"]))
        for size in pool.imap_unordered("images.thumb", names(), timeout=30, max_attempts=3):
            print(size)

Methods, results, callbacks and exceptions are those of multiprocessing.Pool; README.md, beside this file, has the
differences. Each call is one job of the service (all apply_async of one function share one): what it has accepted it
keeps, so neither a cut connection nor kill -9 of the service loses an item or gives a result twice.

How it works: items go out in batches, by a thread of their own, to a job that is open for more, and results are read
on another connection as they come. A batch that may or may not have arrived is asked for (the job's total), a stream
of results that was cut goes on with from=N, and a repeated submission has the Idempotency-Key of the first.
"""
import ast
import builtins
import collections
import http.client
import inspect
import json
import os
import re
import socket
import ssl
import sys
import threading
import time
import traceback
import urllib.parse
import uuid
import warnings
import weakref
from multiprocessing import TimeoutError  # pylint: disable=redefined-builtin

__all__ = ["Pool", "AsyncResult", "MapResult", "IMapIterator", "RemoteError", "PooldError", "TimeoutError"]

OPTIONS = frozenset(("chunksize", "processes", "timeout", "max_attempts", "backoff", "priority", "isolation",
                     "fail_fast", "delay", "retention", "name", "traceparent"))
BATCH_BYTES, BATCH_ITEMS = 1 << 20, 100_000  # of one request
QUEUE_BYTES = 4 << 20  # what an iterable may be ahead of the socket
AHEAD_ITEMS, AHEAD_BYTES = 10_000, 64 << 20  # what imap's iterable may be ahead of what was taken from imap
BUFFERED = 1_000  # results that wait for imap's reader; all others wait in the service
SHARED_ITEMS, SHARED_IDLE_S = 100_000, 2.0  # when the job that apply_async uses is closed, and the next made
SILENCE_S = 60  # the service shows life every 10 s
BLOCK = 64 * 1024


class RemoteError(Exception):
    """An item failed. type is error, crash, timeout, memory, interrupted, cancelled, too_large or protocol.

    remote_class and traceback are there if a Python or Node function raised something; job and index say where."""

    def __init__(self, error, job=None, index=None):
        super().__init__(error, job, index)
        self.error, self.job, self.index = error, job, index
        self.type = error.get("type", "error")
        self.message = error.get("message", "")
        self.remote_class = error.get("class")
        self.traceback = error.get("traceback")
        self.attempts = error.get("attempts", 0)
        self.signal = error.get("signal")
        self.exit_code = error.get("exit_code")

    def __str__(self):
        text = "%s: %s (item %s of job %s)" % (self.remote_class or self.type, self.message, self.index, self.job)
        return text + ('\n"""\n%s"""' % self.traceback if self.traceback else "")


class PooldError(Exception):
    """The service refuses a request: status, and problem (a dict, RFC 9457) says why."""

    def __init__(self, status, problem):
        super().__init__(status, problem)
        self.status, self.problem = status, problem
        self.type = problem.get("type", "").rpartition(":")[2]

    def __str__(self):
        return "%d %s: %s" % (self.status, self.type, self.problem.get("detail") or self.problem.get("title"))


class _Lost(Exception):
    """No answer, or one that says to come again: what became of the request is not known."""


class _Stopped(Exception):
    """The pool was terminated."""


# ---- names and values ----


def function_name(function):
    """What poold calls a function: a text is the name itself, a function of a module is MODULE.FUNCTION."""
    if isinstance(function, str):
        return function
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    if not callable(function) or not module or not name or isinstance(function, type):
        raise TypeError("%r has no name that poold could know: give a function of a module, or a name" % (function,))
    if not name.isidentifier():
        raise TypeError("%s.%s cannot be called by name: only functions of a module can" % (module, name))
    if module == "__main__":
        main = sys.modules["__main__"]
        spec, file = getattr(main, "__spec__", None), getattr(main, "__file__", None)
        if spec is None and file is None:
            raise TypeError("%s is in no file that poold could serve" % name)
        module = spec.name if spec else os.path.splitext(os.path.basename(file))[0]
        if module.endswith(".__main__"):
            module = module[:-len(".__main__")]
    module = module.rpartition(".")[2]
    return name if name == module else module + "." + name


def _check_keys(value):
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str):
                raise TypeError("the key %r cannot be JSON: keys are texts" % (key,))
            _check_keys(part)
    elif isinstance(value, (list, tuple)):
        for part in value:
            if part is not None and type(part) not in (int, float, str, bool):
                _check_keys(part)


_dumps = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


def _json(value):
    """The bytes of a value; TypeError if JSON cannot say it."""
    if type(value) is int:
        return b"%d" % value
    try:
        _check_keys(value)
        return _dumps(value).encode()
    except (ValueError, RecursionError) as error:
        raise TypeError("%.200r cannot be JSON: %s" % (value, error)) from error


def _json_arguments(item):
    return _json(item if isinstance(item, dict) else list(item))


def _long_integer(text):
    """Python's int() refuses thousands of digits, because that takes long; decimal does not."""
    import decimal  # pylint: disable=import-outside-toplevel
    return int(decimal.Decimal(text))


def _parse(line):
    try:
        return json.loads(line)
    except ValueError:
        return json.loads(line, parse_int=_long_integer)


def _apply_item(function, args, kwds):
    """(kind, text) of one call."""
    args = list(args)
    if args and kwds:
        args, kwds = [], _by_name(function, args, kwds)
    if kwds:
        return "starmap", _json(dict(kwds))
    if len(args) == 1:
        return "map", _json(args[0])
    return "starmap", _json(args)


def _by_name(function, args, kwds):
    """poold takes arguments by place or by name. Which names those by place have, only the function can tell."""
    if isinstance(function, str):
        raise TypeError("arguments by place and by name at once: give all by name, or the function itself")
    named = {}
    bound = inspect.signature(function).bind(*args, **kwds)
    for name, value in bound.arguments.items():
        kind = bound.signature.parameters[name].kind
        if kind is inspect.Parameter.VAR_KEYWORD:
            named.update(value)
        elif kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY):
            named[name] = value
        else:
            raise TypeError("%s has no name, and others are given by name: poold takes one or the other" % name)
    return named


_NEVER_RAISED = (StopIteration, StopAsyncIteration)  # they would end the loop of whoever asks


def _exception(error, job, index):
    """What to raise for an `error` of a result: the builtin exception that it was, or a RemoteError."""
    remote = RemoteError(error, job, index)
    kind = getattr(builtins, remote.remote_class or "", None)
    if not isinstance(kind, type) or not issubclass(kind, Exception) or issubclass(kind, _NEVER_RAISED):
        return remote
    argument = remote.message
    if kind is KeyError:  # its text is the key's repr
        try:
            argument = ast.literal_eval(argument)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            pass
    try:
        exception = kind(argument) if argument != kind.__name__ else kind()
    except Exception:  # one that takes other arguments, as UnicodeDecodeError does
        return remote
    exception.__cause__ = remote
    return exception


# ---- the service ----


class _Service:
    """HTTP, and patience while it is away."""

    def __init__(self, url, token, retry, context):
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("url: http://HOST:PORT or https://HOST:PORT is expected, not %r" % url)
        self.url, self.retry = url, retry
        self.context = (context or ssl.create_default_context()) if parts.scheme == "https" else None
        self.host, self.port, self.prefix = parts.hostname, parts.port, parts.path.rstrip("/")
        self.headers = {"User-Agent": "poold_client"}
        if token:
            self.headers["Authorization"] = "Bearer " + token
        self.stop = threading.Event()
        self.idle = []

    def connect(self, timeout=SILENCE_S):
        if self.context:
            return http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=self.context)
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def send(self, connection, method, path, body=None, headers=None):
        headers = {**self.headers, **(headers or {})}
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection.request(method, self.prefix + path, body, headers)

    def judge(self, answer):
        """Raises unless it is a 2xx."""
        if answer.status < 300:
            return
        text = answer.read()
        try:
            problem = json.loads(text)
            problem = problem if isinstance(problem, dict) else {}
        except ValueError:
            problem = {"title": text[:200].decode("utf-8", "replace")}
        error = PooldError(answer.status, problem)
        if answer.status in (408, 429, 500, 502, 503, 504) or error.type == "key-in-flight":
            raise _Lost(str(error)) from error
        raise error

    def once(self, method, path, body=None, headers=None, timeout=SILENCE_S):
        """One request: its answer's JSON."""
        try:
            connection = self.idle.pop()
        except IndexError:
            connection = self.connect()
        try:
            if connection.sock is not None:
                connection.sock.settimeout(timeout)
            else:
                connection.timeout = timeout
            self.send(connection, method, path, body, headers)
            answer = connection.getresponse()
            self.judge(answer)
            value = json.loads(answer.read())
        except (PooldError, _Lost, ssl.SSLCertVerificationError):  # who it is will not change by asking again
            connection.close()
            raise
        except (OSError, http.client.HTTPException, ValueError) as error:
            connection.close()
            while self.idle:  # as old as this one, or older
                try:
                    self.idle.pop().close()
                except IndexError:
                    break
            raise _Lost(repr(error)) from error
        self.idle.append(connection)
        return value

    def insist(self, attempt, retry=None, stops=True):
        """attempt() until it is answered; after `retry` seconds in vain a ConnectionError."""
        retry = self.retry if retry is None else retry
        began, pause = time.monotonic(), 0.0
        while True:
            if stops and self.stop.is_set():
                raise _Stopped("the pool was terminated")
            try:
                return attempt()
            except _Lost as lost:
                if time.monotonic() - began >= retry:
                    raise ConnectionError("%s cannot be used for %.3g s: %s" % (self.url, retry, lost)) from lost
            if stops:
                self.stop.wait(pause)
            else:
                time.sleep(pause)
            pause = min(max(0.02, 2 * pause), 1.0)


# ---- jobs ----


class _Job:
    """One job of the service, the thread that sends its items, and the one that reads its results."""

    order = "completion"

    def __init__(self, state, function, kind, options):
        self.state, self.service = state, state.service
        self.function, self.kind, self.options = function, kind, options
        self.key = uuid.uuid4().hex
        self.changed = threading.Condition()
        self.waiting = collections.deque()  # items' texts, not yet sent
        self.waiting_bytes = 0
        self.put_count = self.put_bytes = 0
        self.complete = False  # no more items will be put
        self.id = None
        self.total = 0  # items that the service has for certain
        self.closed = False  # … and it knows that no more will come
        self.received = 0  # results
        self.error = None  # why it will not go on
        self.ended = False  # all results are here, or no more will come
        self.settled = threading.Event()
        self.joined = False
        self.socket = None  # of the stream of results
        self.threads = []
        with state.lock:
            state.live.add(self)

    def start(self, *more):
        for target in (self.send_all, self.read_all, *more):
            thread = threading.Thread(target=target, daemon=True, name="poold-" + target.__name__)
            self.threads.append(thread)
            thread.start()

    # -- items --

    def put(self, text):
        """For iterables: waits for room. False: nobody wants it."""
        with self.changed:
            self.changed.wait_for(lambda: self.error or self.has_room())
            if self.error:
                return False
            self.put_now(text)
            return True

    def put_now(self, text):
        self.waiting.append(text)
        self.waiting_bytes += len(text)
        self.put_count += 1
        self.put_bytes += len(text)
        if len(self.waiting) == 1:
            self.changed.notify_all()

    def has_room(self):
        return self.waiting_bytes < QUEUE_BYTES

    def no_more(self):
        with self.changed:
            self.complete = True
            self.changed.notify_all()

    def take_batch(self):
        """(texts, whether they are the last); waits for some."""
        with self.changed:
            self.changed.wait_for(lambda: self.waiting or self.complete or self.error)
            if self.error:
                raise self.error
            batch, size = [], 0
            while self.waiting and len(batch) < BATCH_ITEMS and size + len(self.waiting[0]) < (BATCH_BYTES if batch
                                                                                              else sys.maxsize):
                batch.append(self.waiting.popleft())
                size += len(batch[-1]) + 1
            self.waiting_bytes -= sum(map(len, batch))
            self.changed.notify_all()
            return batch, self.complete and not self.waiting

    def send_all(self):
        try:
            last = False
            while not last:
                batch, last = self.take_batch()
                if self.id is None and not (batch or last):
                    continue
                if self.id is None:
                    self.create(batch, last)
                elif batch:
                    self.add(batch)
                if last and not self.closed:
                    self.close()
        except BaseException as error:  # pylint: disable=broad-except
            self.fail(error)
            self.cancel_failed()  # if it failed while the job was being made

    def create(self, batch, last):
        if last and not batch:  # nothing to do, and no job
            self.closed = True
            self.finish()
            return
        rest = {**self.options, "open": not last}
        headers = {"Idempotency-Key": self.key}
        if "traceparent" in rest:
            headers["traceparent"] = rest.pop("traceparent")
        body = b'{"function":%b,"%b":[%b],%b' % (_json(self.function), self.kind.encode(), b",".join(batch),
                                                 _json(rest)[1:])
        view = self.service.insist(lambda: self.service.once("POST", "/v1/jobs", body, headers))
        with self.changed:
            self.id, self.closed, self.total = view["id"], last, len(batch)
            self.changed.notify_all()

    def path(self, rest=""):
        return "/v1/jobs/%s%s" % (self.id, rest)

    def miscounted(self, there, sent):
        """Then results could belong to other items: better none."""
        return RuntimeError("job %s has %d items, %d were sent" % (self.id, there, sent))

    def add(self, batch):
        """An array is taken as a whole or not at all, but its answer can get lost: then the total says which."""
        unsure = False

        def attempt():
            nonlocal batch, unsure
            if unsure:
                arrived = self.service.once("POST", self.path("/items"), b"[]")["total"] - self.total
                if not 0 <= arrived <= len(batch):
                    raise self.miscounted(self.total + arrived, self.total)
                batch, self.total, unsure = batch[arrived:], self.total + arrived, False
            if batch:
                unsure = True
                total = self.service.once("POST", self.path("/items"), b"[%b]" % b",".join(batch))["total"]
                if total != self.total + len(batch):
                    raise self.miscounted(total, self.total + len(batch))
                self.total = total

        self.service.insist(attempt)

    def close(self):
        def attempt():
            try:
                return self.service.once("POST", self.path("/close"))
            except PooldError as error:
                if error.type == "job-not-open":  # an earlier attempt arrived
                    return self.service.once("GET", self.path())
                raise

        view = self.service.insist(attempt)
        if view["counts"]["total"] != self.total:
            raise self.miscounted(view["counts"]["total"], self.total)
        with self.changed:
            self.closed = True
            self.changed.notify_all()

    # -- results --

    def read_all(self):
        try:
            with self.changed:
                self.changed.wait_for(lambda: self.id or self.error or self.ended)
                if self.error or self.ended:
                    return
            end = None
            while end is None:
                end = self.service.insist(self.read_some)
            with self.changed:
                self.changed.wait_for(lambda: self.closed or self.error)
            if self.received != self.total:
                raise RuntimeError("job %s has %d items and %d results" % (self.id, self.total, self.received))
            self.finish()
        except BaseException as error:  # pylint: disable=broad-except
            self.fail(error)

    def read_some(self):
        """The stream, from where it was cut: its end line, or None if it was cut again after some results."""
        connection, before = self.service.connect(), self.received
        try:
            self.service.send(connection, "GET", self.path("/results?format=ndjson&order=%s&from=%d" %
                                                           (self.order, before)))
            self.socket = connection.sock
            answer = connection.getresponse()
            self.service.judge(answer)
            return self.read_lines(answer)
        except (OSError, http.client.HTTPException) as error:
            if self.error:
                raise self.error
            if self.received > before:
                return None
            raise _Lost(repr(error)) from error
        finally:
            self.socket = None
            connection.close()

    def read_lines(self, answer):
        parts = []
        while True:
            block = answer.read1(BLOCK)
            if not block:
                raise http.client.IncompleteRead(b"")
            cut = block.rfind(b"\n") + 1
            if not cut:
                parts.append(block)
                continue
            lines = b"".join(parts + [block[:cut]]).split(b"\n")
            parts = [block[cut:]]
            results = [_parse(line) for line in lines if line]
            end = results.pop() if results and "end" in results[-1] else None
            if results:
                self.take(results)
            if end and not end["end"]:  # the service ends, and will be back: as if it were cut
                raise http.client.IncompleteRead(b"")
            if end:
                return end
            if self.error:
                raise self.error

    def take(self, results):
        """New results, in the order of the job."""
        raise NotImplementedError

    def outcome(self, result):
        """(success, value or exception)"""
        if "error" in result:
            return False, _exception(result["error"], self.id, result["index"])
        return True, result["value"]

    # -- its end --

    def finish(self, error=None):
        """All is here, or no more will come."""
        with self.changed:
            if self.ended:
                return
            self.error, self.ended = error, True
            self.changed.notify_all()
        self.state.forget(self)
        self.settle()
        self.settled.set()

    def settle(self):
        """Tells those who wait for everything."""

    def fail(self, error):
        """It will not go on. Those who wait get the error."""
        if isinstance(error, _Stopped):
            error = RemoteError({"type": "cancelled", "message": "the pool was terminated"}, self.id)
        self.finish(error)
        stream = self.socket
        if stream is not None:
            try:
                socket.socket.shutdown(stream, socket.SHUT_RDWR)  # ssl's own takes the session from who reads
            except OSError:
                pass
        self.cancel_failed()

    def cancel_failed(self):
        if self.error and self.id and not self.service.stop.is_set():
            try:
                self.cancel(0)
            except (PooldError, ConnectionError):
                pass  # it has ended, or nobody hears

    def cancel(self, retry):
        def attempt():
            self.service.once("POST", self.path(self.last_word()), timeout=5)

        self.service.insist(attempt, retry, stops=False)

    def last_word(self):
        return "/cancel"

    def wait_end(self):
        """For join."""
        self.settled.wait()


class _MapJob(_Job):
    """map_async and starmap_async: all results at once."""

    def __init__(self, state, function, kind, options, result):
        super().__init__(state, function, kind, options)
        self.result, self.values, self.first_error = result, [], None

    def take(self, results):
        for line in results:
            index = line["index"]
            if index >= len(self.values):
                self.values.extend([None] * (index + 1 - len(self.values)))
            success, value = self.outcome(line)
            if success:
                self.values[index] = value
            elif self.first_error is None or index < self.first_error[0]:
                self.first_error = index, value
        self.received += len(results)

    def settle(self):
        error = self.error or (self.first_error and self.first_error[1])
        self.result._set(error is None, self.values if error is None else error)

    def pull(self, texts):
        try:
            for text in texts:
                if not self.put(text):
                    return
            self.no_more()
        except BaseException as error:  # pylint: disable=broad-except
            self.fail(error)


class _LazyJob(_Job):
    """imap: results wait in the service until they are wanted, and items in the iterable until there is need."""

    def __init__(self, state, function, kind, options, order):
        super().__init__(state, function, kind, options)
        self.order = order
        self.results = collections.deque()
        self.taken = 0
        self.unlimited = False  # join
        self.raises = None  # what the iterable raised
        self.told = False  # next() has raised it, or the error

    def has_room(self):
        ahead = self.put_count - self.taken
        return super().has_room() and (self.unlimited or not ahead or (
            ahead < AHEAD_ITEMS and self.put_bytes // self.put_count * ahead < AHEAD_BYTES))

    def pull(self, texts):
        try:
            for text in texts:
                if not self.put(text):
                    return
        except BaseException as error:  # pylint: disable=broad-except
            self.raises = error
        self.no_more()

    def take(self, results):
        with self.changed:
            self.changed.wait_for(lambda: len(self.results) < BUFFERED or self.error)
            self.received += len(results)
            self.results.extend(results)
            self.changed.notify_all()

    def next(self, timeout):
        with self.changed:
            if not self.changed.wait_for(lambda: self.results or self.ended, timeout):
                raise TimeoutError
            if self.results:
                result = self.results.popleft()
                self.taken += 1
                if self.taken % 64 == 0 or not self.results or self.put_count - self.taken < 64:
                    self.changed.notify_all()
            else:
                error, self.told = None if self.told else self.error or self.raises, True
                raise error or StopIteration
        success, value = self.outcome(result)
        if not success:
            raise value
        return value

    def wait_end(self):
        """The results may stay in the service: whether the job has ended is asked for."""
        with self.changed:
            self.unlimited = True
            self.changed.notify_all()
            self.changed.wait_for(lambda: self.closed or self.ended)
        while not self.ended:
            view = self.service.insist(lambda: self.service.once("GET", self.path("?wait=1")))
            if view["ended"]:
                return


class _SharedJob(_Job):
    """apply_async: the calls of one function go into one job, which is closed when they pause."""

    def __init__(self, state, place, function, kind, options):
        super().__init__(state, function, kind, {"chunksize": 1, **options})
        self.place = place  # in state.shared; None: for one call only
        self.unsent = collections.deque()  # the AsyncResults of self.waiting
        self.sent = []  # … and of the job's items, by index; None when its result has come

    def call(self, text, result):
        """False: it takes no more calls."""
        with self.changed:
            if self.complete or self.error or self.ended:
                return False
            result._job = self
            self.unsent.append(result)
            self.put_now(text)
            return True

    def take_batch(self):
        while True:
            with self.changed:
                self.changed.wait_for(lambda: self.waiting or self.complete or self.error, SHARED_IDLE_S)
                idle = not self.waiting and self.received == len(self.sent)
                if (idle or self.put_count >= SHARED_ITEMS) and not self.error:
                    self.complete = True
                if not (self.waiting or self.complete or self.error):
                    continue
                return super().take_batch()

    def note(self, number):
        """So many more are about to be items."""
        with self.changed:
            self.sent.extend(self.unsent.popleft() for _ in range(number))

    def create(self, batch, last):
        """With one bad item the others would be refused, too: they come one by one then."""
        self.note(len(batch))
        try:
            super().create(batch, last)
        except PooldError as error:
            if error.status not in (400, 413) or len(batch) < 2:
                raise
            self.key = uuid.uuid4().hex
            super().create([], False)
            self.add_each(batch)

    def add(self, batch):
        self.note(len(batch))
        try:
            super().add(batch)
        except PooldError as error:
            if error.status not in (400, 413):
                raise
            self.add_each(batch)

    def add_each(self, batch):
        for text in batch:
            try:
                super().add([text])
            except PooldError as error:
                if error.status not in (400, 413):
                    raise
                with self.changed:
                    result = self.sent.pop(self.total)  # those behind it move up
                result._set(False, error)

    def last_word(self):
        """One that has all its results, and is only open for more, did nothing that could be cancelled."""
        return "/close" if not self.closed and not self.waiting and self.received == self.total else "/cancel"

    def take(self, results):
        for line in results:
            with self.changed:
                result, self.sent[line["index"]] = self.sent[line["index"]], None
                self.received += 1
            result._index = line["index"]
            result._set(*self.outcome(line))

    def settle(self):
        error = self.error or RuntimeError("job %s ended without this result" % self.id)
        for result in [*self.sent, *self.unsent]:
            if result is not None:
                result._set(False, error)
        self.sent, self.unsent = [], collections.deque()


# ---- results ----


class AsyncResult:
    """What apply_async gives."""

    def __init__(self, pool, callback, error_callback):
        self._pool = pool  # which must live as long
        self._callback, self._error_callback = callback, error_callback
        self._event = threading.Event()
        self._success = self._value = self._job = self._index = None

    @property
    def job(self):
        """The id of its job, once there is one: GET /v1/jobs/ID of the service has its story."""
        return self._job.id

    @property
    def index(self):
        """The item that it is of its job, once it is ready."""
        return self._index

    def ready(self):
        return self._event.is_set()

    def successful(self):
        if not self.ready():
            raise ValueError("%r not ready" % self)
        return self._success

    def wait(self, timeout=None):
        self._event.wait(timeout)

    def get(self, timeout=None):
        if not self._event.wait(timeout):
            raise TimeoutError
        if not self._success:
            raise self._value
        return self._value

    def _set(self, success, value):
        self._success, self._value = success, value
        callback = self._callback if success else self._error_callback
        try:
            if callback is not None:
                callback(value)
        except Exception:  # pylint: disable=broad-except
            traceback.print_exc()
        finally:
            self._event.set()
            self._callback = self._error_callback = self._pool = None


class MapResult(AsyncResult):
    """What map_async and starmap_async give. If several items failed, get() raises for the first of the input."""


class IMapIterator:
    """What imap and imap_unordered give. An item that failed raises in its place; next() then goes on behind it."""

    def __init__(self, pool, job):
        self._pool, self._job = pool, job

    @property
    def job(self):
        """The id of its job, once there is one."""
        return self._job.id

    def __iter__(self):
        return self

    def next(self, timeout=None):
        return self._job.next(timeout)

    __next__ = next


# ---- the pool ----


class _State:
    """What threads share with the Pool; it does not keep the Pool alive."""

    def __init__(self, service):
        self.service = service
        self.lock = threading.RLock()
        self.live = set()
        self.shared = {}
        self.phase = "running"

    def forget(self, job):
        with self.lock:
            self.live.discard(job)
            if isinstance(job, _SharedJob) and self.shared.get(job.place) is job:
                del self.shared[job.place]

    def close(self):
        with self.lock:
            if self.phase == "running":
                self.phase = "closed"
            shared = list(self.shared.values())
            self.shared.clear()
        for job in shared:
            job.no_more()

    def terminate(self):
        with self.lock:
            self.phase = "terminated"
            jobs = list(self.live)
        self.service.stop.set()
        for job in jobs:
            for thread in job.threads[:1]:  # it may just be making the job
                if thread is not threading.current_thread():
                    thread.join(0.0 if job.id else min(5.0, self.service.retry))
            try:
                if job.id:
                    job.cancel(min(5.0, self.service.retry))
            except PooldError:
                pass  # it has ended
            except ConnectionError as error:
                warnings.warn("job %s could not be cancelled: %s" % (job.id, error), RuntimeWarning)
            job.fail(_Stopped())
        while self.service.idle:
            self.service.idle.pop().close()


class Pool:
    """multiprocessing.Pool, of the service at `url`.

    processes: the most workers that each job may hold at once (None: all). retry: for how many seconds the service may
    be away. cafile: for https, the certificates (PEM) that are trusted instead of the system's; or context: an
    ssl.SSLContext. All further keywords are options of jobs (timeout=, max_attempts=, backoff=, priority=, isolation=,
    fail_fast=, delay=, retention=, name=, traceparent=), for all calls or, given to a method, for one."""

    def __init__(self, processes=None, url=None, token=None, *, retry=60.0, cafile=None, context=None,
                 **defaults):
        if not (url is None or isinstance(url, str)) or "initializer" in defaults or "maxtasksperchild" in defaults:
            raise TypeError("initializer, initargs and maxtasksperchild are in the manifest of the functions "
                            '("initializer", "initargs", "max_tasks_per_child")')
        if processes is not None and processes < 1:
            raise ValueError("Number of processes must be at least 1")
        url = url or os.environ.get("POOLD_URL") or "http://127.0.0.1:8080"
        if cafile is not None:
            if context is not None:
                raise TypeError("cafile or context, not both")
            context = ssl.create_default_context(cafile=cafile)
        self._defaults = self._options({"processes": processes, **defaults}, {})
        self._state = _State(_Service(url, token, retry, context))
        self._end = weakref.finalize(self, self._state.terminate)

    @staticmethod
    def _options(given, defaults):
        unknown = sorted(set(given) - OPTIONS)
        if unknown:
            raise TypeError("no such option: %s (there are %s)" % (", ".join(unknown), ", ".join(sorted(OPTIONS))))
        if given.get("chunksize") is not None and given["chunksize"] < 1:
            raise ValueError("Chunksize must be 1+, not %r" % given["chunksize"])
        return {**defaults, **{name: value for name, value in given.items() if value is not None}}

    def _check_running(self):
        if self._state.phase != "running":
            raise ValueError("Pool not running")

    # -- apply --

    def apply(self, func, args=(), kwds={}, **options):  # pylint: disable=dangerous-default-value
        return self.apply_async(func, args, kwds, **options).get()

    def apply_async(self, func, args=(), kwds={}, callback=None, error_callback=None, **options):
        # pylint: disable=dangerous-default-value
        self._check_running()
        options = self._options(options, self._defaults)
        kind, text = _apply_item(func, args, kwds)
        name = function_name(func)
        result = AsyncResult(self, callback, error_callback)
        state = self._state
        if "fail_fast" in options or "delay" in options:  # they mean the job as a whole
            job = _SharedJob(state, None, name, kind, options)
            job.call(text, result)
            job.complete = True
            job.start()
            return result
        place = name, kind, _json(dict(sorted(options.items())))
        with state.lock:
            self._check_running()
            job = state.shared.get(place)
            if job is None or not job.call(text, result):
                job = state.shared[place] = _SharedJob(state, place, name, kind, options)
                job.call(text, result)
                job.start()
        return result

    # -- map --

    def map(self, func, iterable, chunksize=None, **options):
        return self.map_async(func, iterable, chunksize, **options).get()

    def starmap(self, func, iterable, chunksize=None, **options):
        return self.starmap_async(func, iterable, chunksize, **options).get()

    def map_async(self, func, iterable, chunksize=None, callback=None, error_callback=None, **options):
        return self._map("map", _json, func, iterable, callback, error_callback, dict(options, chunksize=chunksize))

    def starmap_async(self, func, iterable, chunksize=None, callback=None, error_callback=None, **options):
        return self._map("starmap", _json_arguments, func, iterable, callback, error_callback,
                         dict(options, chunksize=chunksize))

    def _map(self, kind, encode, func, iterable, callback, error_callback, options):
        self._check_running()
        name, options = function_name(func), self._options(options, self._defaults)
        whole = isinstance(iterable, (list, tuple))
        texts = [encode(item) for item in iterable] if whole else map(encode, iter(iterable))
        result = MapResult(self, callback, error_callback)
        job = result._job = _MapJob(self._state, name, kind, options, result)
        if whole:
            job.waiting.extend(texts)
            job.waiting_bytes = sum(map(len, texts))
            job.complete = True
            job.start()
        else:
            job.start(lambda: job.pull(texts))
        return result

    def imap(self, func, iterable, chunksize=None, **options):
        return self._imap("input", func, iterable, dict(options, chunksize=chunksize))

    def imap_unordered(self, func, iterable, chunksize=None, **options):
        return self._imap("completion", func, iterable, dict(options, chunksize=chunksize))

    def _imap(self, order, func, iterable, options):
        self._check_running()
        name, options = function_name(func), self._options(options, self._defaults)
        texts = map(_json, iter(iterable))
        job = _LazyJob(self._state, name, "map", options, order)
        job.start(lambda: job.pull(texts))
        return IMapIterator(self, job)

    # -- its end --

    def close(self):
        """No more calls. What was asked for goes on."""
        self._state.close()

    def terminate(self):
        """Cancels all jobs that have not ended."""
        self._end.detach()
        self._state.terminate()

    def join(self):
        """Waits for the end of all jobs, after close or terminate."""
        if self._state.phase == "running":
            raise ValueError("Pool is still running")
        while self._state.phase == "closed":
            with self._state.lock:
                jobs = [job for job in self._state.live if not job.joined]
            if not jobs:
                return
            for job in jobs:
                try:
                    job.wait_end()
                except (_Stopped, PooldError, ConnectionError):
                    pass  # whoever asks for the results will hear of it
                job.joined = True

    def __enter__(self):
        self._check_running()
        return self

    def __exit__(self, *_):
        self.terminate()

    def __reduce__(self):
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    def __repr__(self):
        return "<%s.%s url=%s state=%s>" % (type(self).__module__, type(self).__qualname__, self._state.service.url,
                                            self._state.phase)
