"""For objects_launchers_test.py: a worker that starts a launcher, and a poold's objects that is just enough to see what
the launchers make of its answers. The real ones are server/objects."""
import array
import fcntl
import json
import math
import os
import selectors
import signal
import socket
import tempfile
import time

PATIENCE_S = 30


class Refusal(Exception):
    def __init__(self, kind, message="as the test wants it"):
        super().__init__(message)
        self.kind = kind


class Objects:
    """Answers calls in order; one that waits is tried again after each other call."""

    def __init__(self, folder):
        self.folder = folder
        self.all = {}
        self.seen = []  # every request, as it came
        self.waiting = []  # (answer's callback, request, item)
        self.owner_died = False

    def call(self, request, item, answer):
        self.seen.append(request)
        if not self.attempt(request, item, answer, False):
            self.waiting.append((answer, request, item))
        again = True
        while again:
            again = [w for w in self.waiting if self.attempt(w[1], w[2], w[0], False)]
            self.waiting = [w for w in self.waiting if w not in again]

    def end(self, item):
        """Gives up what the item waits for."""
        self.waiting = [w for w in self.waiting if w[2] != item]

    def attempt(self, request, item, answer, last):
        kind, name = request["object"].split("/", 1)
        try:
            ok = getattr(self, f"{kind}_{request['op']}")(name, **request["args"])
        except Refusal as refusal:
            if refusal.kind in ("empty", "full", "busy") and request.get("wait", 0) is None and not last:
                return False
            answer({"error": {"type": refusal.kind, "message": str(refusal)}})
            return True
        if not request.get("quiet"):
            answer({"ok": ok})
        return True

    def make(self, path, **configuration):
        there = self.all.setdefault(path, {"config": configuration, "items": []})
        if there["config"] != configuration:
            raise Refusal("exists", f"{path} exists")
        return there

    def of(self, kind, name, **configuration):
        return self.all.setdefault(f"{kind}/{name}", {"config": configuration, "items": []})

    def __getattr__(self, name):
        kind, _, op = name.partition("_")
        if op == "create":
            return lambda name, **configuration: self.make(f"{kind}/{name}", **configuration)
        if op == "inspect":
            return lambda name: self.all[f"{kind}/{name}"]["config"]
        if op == "delete":
            return lambda name: self.all.pop(f"{kind}/{name}", None)
        raise AttributeError(name)

    # queues

    def queues_put(self, name, value=None, values=None):
        queue = self.of("queues", name, maxsize=0)
        if queue["config"]["maxsize"] and len(queue["items"]) >= queue["config"]["maxsize"]:
            raise Refusal("full")
        queue["items"] += [value] if values is None else values
        return {"size": len(queue["items"])}

    def queues_get(self, name, n=1):
        items = self.of("queues", name, maxsize=0)["items"]
        if not items:
            raise Refusal("empty")
        got, items[:n] = items[:n], []
        return {"values": got}

    def queues_size(self, name):
        queue = self.of("queues", name, maxsize=0)
        return {"size": len(queue["items"]), "maxsize": queue["config"]["maxsize"]}

    def queues_task_done(self, name):
        raise Refusal("not-holder", "task_done() called too many times")

    def queues_error(self, name):
        raise Refusal("limit")

    # locks: their `items` are tokens

    def locks_acquire(self, name):
        lock = self.of("locks", name, type="lock", value=1)
        if lock["config"]["type"] != "rlock" and len(lock["items"]) >= lock["config"].get("value", 1):
            raise Refusal("busy")
        lock["items"].append(len(self.seen))
        return {"token": len(self.seen), "recovered": self.owner_died}

    def locks_release(self, name):
        lock = self.of("locks", name, type="lock", value=1)
        if not lock["items"]:
            raise Refusal("not-holder", "it is not held")
        lock["items"].pop()

    # dicts

    def dicts_get(self, name, key):
        entries = dict(self.of("dicts", name)["items"])
        if key not in entries:
            raise Refusal("no-entry")
        return {"value": entries[key], "version": 1}

    def dicts_set(self, name, key, value):
        self.dicts_update(name, {key: value})
        return {"version": 1}

    def dicts_update(self, name, entries):
        there = self.of("dicts", name)
        there["items"] = list({**dict(there["items"]), **entries}.items())

    def dicts_delete(self, name, key):
        self.dicts_get(name, key)
        there = self.of("dicts", name)
        there["items"] = [(k, v) for k, v in there["items"] if k != key]

    def dicts_pop(self, name, key):
        answer = self.dicts_get(name, key)
        self.dicts_delete(name, key)
        return answer

    def dicts_popitem(self, name):
        items = self.of("dicts", name)["items"]
        if not items:
            raise Refusal("no-entry")
        key, value = items.pop()
        return {"key": key, "value": value}

    def dicts_setdefault(self, name, key, value):
        if key not in dict(self.of("dicts", name)["items"]):
            self.dicts_set(name, key, value)
        return self.dicts_get(name, key)

    def dicts_add(self, name, key, by=1):
        if not isinstance(self.dicts_setdefault(name, key, 0)["value"], int):
            raise Refusal("invalid", f"the value of key {key} is no number")
        self.dicts_set(name, key, self.dicts_get(name, key)["value"] + by)
        return self.dicts_get(name, key)

    def dicts_contains(self, name, key):
        return {"contains": key in dict(self.of("dicts", name)["items"])}

    def dicts_len(self, name):
        return {"length": len(self.of("dicts", name)["items"])}

    def dicts_clear(self, name):
        self.of("dicts", name)["items"] = []

    def dicts_page(self, name, part, after, limit):
        items = self.of("dicts", name)["items"]
        if limit is None and len(items) > 1000:
            raise Refusal("limit", "too large for one answer")
        keys = [k for k, _ in items]
        begin = 0 if after is None else keys.index(after) + 1
        end = begin + min(limit or len(items), 600)  # an answer's size is a limit, too
        page = items[begin:end]
        answer = {part: [{"keys": k, "values": v, "items": [k, v]}[part] for k, v in page]}
        return {**answer, "next": keys[end - 1]} if end < len(items) else answer

    def dicts_keys(self, name, after=None, limit=None):
        return self.dicts_page(name, "keys", after, limit)

    def dicts_values(self, name, after=None, limit=None):
        return self.dicts_page(name, "values", after, limit)

    def dicts_items(self, name, after=None, limit=None):
        return self.dicts_page(name, "items", after, limit)

    # lists: what Python does, in place

    def on(self, name, do):
        try:
            return do(self.of("lists", name)["items"])
        except (IndexError, ValueError) as error:
            raise Refusal("no-entry", str(error)) from None
        except TypeError as error:
            raise Refusal("invalid", str(error)) from None

    def lists_get(self, name, index):
        return {"value": self.on(name, lambda l: l[index])}

    def lists_set(self, name, index, value):
        self.on(name, lambda l: l.__setitem__(index, value))

    def lists_slice(self, name, start=None, stop=None):
        return {"values": self.on(name, lambda l: l[start:stop])}

    def lists_set_slice(self, name, values, start=None, stop=None):
        self.on(name, lambda l: l.__setitem__(slice(start, stop), values))

    def lists_append(self, name, value):
        self.on(name, lambda l: l.append(value))
        return self.lists_len(name)

    def lists_extend(self, name, values):
        self.on(name, lambda l: l.extend(values))
        return self.lists_len(name)

    def lists_insert(self, name, index, value):
        self.on(name, lambda l: l.insert(index, value))

    def lists_pop(self, name, index=-1):
        return {"value": self.on(name, lambda l: l.pop(index))}

    def lists_remove(self, name, value):
        self.on(name, lambda l: l.remove(value))

    def lists_index(self, name, value):
        return {"index": self.on(name, lambda l: l.index(value))}

    def lists_count(self, name, value):
        return {"count": self.on(name, lambda l: l.count(value))}

    def lists_contains(self, name, value):
        return {"contains": self.on(name, lambda l: value in l)}

    def lists_delete_at(self, name, index):
        self.on(name, lambda l: l.__delitem__(index))

    def lists_sort(self, name, reverse=False):
        self.on(name, lambda l: l.sort(reverse=reverse))

    def lists_reverse(self, name):
        self.on(name, lambda l: l.reverse())

    def lists_add(self, name, index, by=1):
        self.on(name, lambda l: l.__setitem__(index, l[index] + by))
        return self.lists_get(name, index)

    def lists_len(self, name):
        return {"length": self.on(name, len)}

    def lists_clear(self, name):
        self.on(name, lambda l: l.clear())

    # pipes: `items` of end b are what a has sent, after what b has

    def pipes_send(self, name, end, value):
        pipe = self.of("pipes", name, duplex=True)
        if not pipe["config"]["duplex"] and end == "a":
            raise Refusal("invalid", f"pipe {name} is one-way: end b sends, end a receives")
        if {"a": "b", "b": "a"}[end] in pipe.get("closed", ""):
            raise Refusal("closed")
        pipe["items"].append((end, value))

    def pipes_recv(self, name, end):
        pipe = self.of("pipes", name, duplex=True)
        for i, (sender, value) in enumerate(pipe["items"]):
            if sender != end:
                del pipe["items"][i]
                return {"value": value}
        raise Refusal("closed" if pipe.get("closed") else "empty")

    def pipes_poll(self, name, end):
        pipe = self.of("pipes", name, duplex=True)
        return {"ready": any(sender != end for sender, _ in pipe["items"]) or "closed" in pipe}

    def pipes_close(self, name, end):
        pipe = self.of("pipes", name, duplex=True)
        pipe["closed"] = pipe.get("closed", "") + end

    # values and arrays

    def file_of(self, path):
        return os.path.join(self.folder, path.replace("/", "-"))

    def memory(self, path, typecode, values):
        there = self.all.get(path)
        if there and (there["config"] != typecode or (path[0] == "a" and there["length"] != len(values))):
            raise Refusal("exists", f"{path} exists")
        if not there:
            file = self.file_of(path)
            with open(file, "wb") as out:
                out.write(array.array(typecode, values).tobytes())
            self.all[path] = {"config": typecode, "path": file, "length": len(values)}

    def values_create(self, name, typecode, value=0):
        self.memory(f"values/{name}", typecode, [value])

    def arrays_create(self, name, typecode, length=0, values=None):
        self.memory(f"arrays/{name}", typecode, [0] * length if values is None else values)

    def at(self, path, index, change):
        if path not in self.all:
            raise Refusal("missing", f"{path}: no such object")
        there = self.all[path]
        with open(there["path"], "r+b") as file:
            numbers = array.array(there["config"], file.read())
            try:
                changed = change(numbers[index])
                numbers[index] = numbers[index] if changed is None else changed
            except OverflowError:
                raise Refusal("overflow", "out of range") from None
            except IndexError:
                raise Refusal("no-entry", "out of range") from None
            file.seek(0)
            file.write(numbers.tobytes())
        value = numbers[index]
        return {"value": value if math.isfinite(value) else "Infinity" if value > 0 else "-Infinity"}

    def compare(self, path, index, expected, value):
        if self.at(path, index, lambda n: None)["value"] != expected:
            raise Refusal("changed")
        self.at(path, index, lambda n: value)

    def values_get(self, name):
        return self.at(f"values/{name}", 0, lambda n: None)

    def values_set(self, name, value):
        self.at(f"values/{name}", 0, lambda n: value)

    def values_add(self, name, by=1):
        return self.at(f"values/{name}", 0, lambda n: n + (float(by) if isinstance(by, str) else by))

    def values_compare_set(self, name, expected, value):
        self.compare(f"values/{name}", 0, expected, value)

    def arrays_get(self, name, index):
        return self.at(f"arrays/{name}", index, lambda n: None)

    def arrays_set(self, name, index, value):
        self.at(f"arrays/{name}", index, lambda n: value)

    def arrays_add(self, name, index, by=1):
        return self.at(f"arrays/{name}", index, lambda n: n + by)

    def arrays_compare_set(self, name, index, expected, value):
        self.compare(f"arrays/{name}", index, expected, value)

    def arrays_len(self, name):
        return {"length": self.all[f"arrays/{name}"]["length"]}

    def numbers(self, name):
        there = self.all[f"arrays/{name}"]
        with open(there["path"], "rb") as file:
            return array.array(there["config"], file.read())

    def arrays_slice(self, name, start=None, stop=None):
        return {"values": self.numbers(name)[start:stop].tolist()}

    def arrays_set_slice(self, name, start, values):
        for i, value in enumerate(values):
            self.arrays_set(name, start + i, value)

    def open_memory(self, path):
        if path not in self.all:
            raise Refusal("missing", f"{path}: no such object")
        there = self.all[path]
        return {"path": there["path"], "offset": 0, "typecode": there["config"], "length": there.get("length", 1)}

    def values_open(self, name):
        return self.open_memory(f"values/{name}")

    def arrays_open(self, name):
        return self.open_memory(f"arrays/{name}")


class Task:
    """A launcher with its descriptors as the worker gives them, and the worker's part."""

    def __init__(self, objects, command, environment):
        self.objects = objects
        self.socket, theirs = socket.socketpair()
        self.replies = tempfile.TemporaryFile()
        fcntl.fcntl(self.replies, fcntl.F_SETFL, fcntl.fcntl(self.replies, fcntl.F_GETFL) | os.O_APPEND)
        high = [fcntl.fcntl(f, fcntl.F_DUPFD_CLOEXEC, 20) for f in (theirs, self.replies)]
        actions = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
        actions += [(os.POSIX_SPAWN_DUP2, fd, to) for fd, to in zip(high, (3, 4))]
        self.pid = os.posix_spawnp(command[0], command, {"PATH": os.environ["PATH"], **environment},
                                   file_actions=actions)
        for fd in high:
            os.close(fd)
        theirs.close()
        self.pending, self.read_to, self.next_id, self.lines, self.signs = b"", 0, 1, [], 0
        self.ready = None
        self.turn_until(lambda: self.ready)
        assert self.ready["ready"], self.ready

    def turn_until(self, done):
        """Serves calls until it is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            self.socket.settimeout(deadline - time.monotonic())
            chunk = self.socket.recv(1 << 20)
            assert chunk, "it ended: %r" % self.new()
            self.pending += chunk
            *lines, self.pending = self.pending.split(b"\n")
            for line in lines:
                self.take(line)

    def take(self, line):
        if not line:
            self.signs += 1
            self.lines += self.new()
        elif line.startswith(b'{"ready"'):
            self.ready = json.loads(line)
        else:
            call = json.loads(line)
            assert list(call) == ["id", "call", "request"], call
            self.objects.call(call["request"], call["id"], lambda answer: self.answer(call["call"], answer))

    def answer(self, number, answer):
        if number:
            text = json.dumps({"call": number, "answer": answer}, separators=(",", ":"), ensure_ascii=False)
            self.socket.sendall(text.encode() + b"\n")

    def new(self):
        data = os.pread(self.replies.fileno(), 1 << 26, self.read_to)
        data = data[:data.rfind(b"\n") + 1]
        self.read_to += len(data)
        return [json.loads(line) for line in data.splitlines()]

    def send(self, function, items):
        message = {"id": self.next_id, "function": function, "items": items, "star": False, "attempt": 1,
                   "deadline": None, "job": "j1", "index": 0}
        self.next_id += len(items)
        self.socket.sendall(json.dumps(message).encode() + b"\n")

    def run(self, function, *items):
        """The last lines of all items."""
        self.lines, first = [], self.next_id
        self.send(function, list(items))

        def ended():
            return [o for o in self.lines if "value" in o or "error" in o]
        self.turn_until(lambda: len(ended()) == len(items))
        for at in range(first, self.next_id):
            self.objects.end(at)
        assert [o["id"] for o in ended()] == list(range(first, self.next_id))
        return ended()

    def close(self):
        """The exit status once descriptor 3 has ended."""
        self.socket.close()
        self.replies.close()
        fd = os.pidfd_open(self.pid)
        with selectors.DefaultSelector() as selector:
            selector.register(fd, selectors.EVENT_READ)
            ended = selector.select(PATIENCE_S)
        os.close(fd)
        if not ended:
            os.kill(self.pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        assert ended, "it did not end by itself"
        return status
