"""poold_containers: what poold.Manager() gives: dict and list, in poold instead of this process. Each method is one call,
and atomic."""

import operator
from collections.abc import MutableMapping, MutableSequence

from poold_objects import Shared, context, json_bytes

NOTHING = object()
PAGE = b'"limit":100000'
SETS_TO_POST = 3
SETS_TO_SETTLE = 256  # from time to time one is answered


def key_bytes(key):
    if type(key) is not str:
        if not isinstance(key, str):
            raise TypeError(f"the keys of a shared dict are str, not {type(key).__name__}")
        key = str.__str__(key)
    return b'"key":' + json_bytes(key)


class Dict(Shared, MutableMapping):
    """Manager().dict(): keys are str, values anything that JSON can hold. What comes from it is a copy: assign it again
    after a change."""

    kind = "dicts"
    errors = {"no-entry": KeyError}
    _item = None  # that has set
    _sets = 0

    def __str__(self):
        return str(self.copy())

    def __getitem__(self, key):
        return self._ask(b"get", key_bytes(key), subject=key)["value"]

    def __setitem__(self, key, value):
        args = b'%b,"value":%b' % (key_bytes(key), json_bytes(value))
        if self._posts():
            self._post(b"set", args)
        else:
            self._ask(b"set", args)

    def _posts(self):
        if self._item != context.id:
            self._item, self._sets = context.id, 0
        self._sets += 1
        return self._sets >= SETS_TO_POST and self._sets % SETS_TO_SETTLE

    def settle(self):
        """An answer that comes after that to all sets."""
        self._ask(b"len")

    def __delitem__(self, key):
        self._ask(b"delete", key_bytes(key), subject=key)

    def __contains__(self, key):
        return isinstance(key, str) and self._ask(b"contains", key_bytes(key))["contains"]

    def __len__(self):
        return self._ask(b"len")["length"]

    def __iter__(self):
        return iter(self.keys())

    def __reversed__(self):
        return reversed(self.keys())

    def __eq__(self, other):
        return self is other or dict(self.items()) == (dict(other.items()) if isinstance(other, Dict) else other)

    __hash__ = Shared.__hash__

    def __or__(self, other):
        return self.copy() | dict(other)

    def __ror__(self, other):
        return dict(other) | self.copy()

    def __ior__(self, other):
        self.update(other)
        return self

    def get(self, key, default=None):
        try:
            return self[key]
        except KeyError:
            return default

    def setdefault(self, key, default=None):
        return self._ask(b"setdefault", b'%b,"value":%b' % (key_bytes(key), json_bytes(default)))["value"]

    def pop(self, key, default=NOTHING):
        try:
            return self._ask(b"pop", key_bytes(key), subject=key)["value"]
        except KeyError:
            if default is NOTHING:
                raise
            return default

    def popitem(self):
        """The one that came last."""
        answer = self._ask(b"popitem", subject="popitem(): dictionary is empty")
        return answer["key"], answer["value"]

    def update(self, other=(), /, **more):
        entries = dict(other, **more)
        for key in entries:
            key_bytes(key)
        if entries:
            self._ask(b"update", b'"entries":' + json_bytes(entries))

    def add(self, key, by=1):
        """The sum, which is now the value; a key that is missing counts as 0."""
        return self._ask(b"add", b'%b,"by":%b' % (key_bytes(key), json_bytes(by)))["value"]

    def keys(self):
        return self._all(b"keys", "keys")

    def values(self):
        return self._all(b"values", "values")

    def items(self):
        return [(key, value) for key, value in self._all(b"items", "items")]

    def _all(self, op, part):
        """At once, unless that is too much for one answer: then page by page."""
        try:
            return self._ask(op)[part]
        except ValueError as error:
            if getattr(error, "type", "") != "limit":
                raise
        answer = self._ask(op, PAGE)
        everything = answer[part]
        while answer.get("next") is not None:
            answer = self._ask(op, b'%b,"after":%b' % (PAGE, json_bytes(answer["next"])))
            everything += answer[part]
        return everything

    def copy(self):
        """A plain dict."""
        return dict(self.items())

    def clear(self):
        self._ask(b"clear")


def bounds(start, stop):
    """The arguments of a slice without steps."""
    parts = []
    if start is not None:
        parts.append(b'"start":%d' % operator.index(start))
    if stop is not None:
        parts.append(b'"stop":%d' % operator.index(stop))
    return b",".join(parts)


def index_bytes(index):
    return b'"index":%d' % operator.index(index)


class List(Shared, MutableSequence):
    """Manager().list(). Slices with steps can be read, but not assigned to."""

    kind = "lists"
    errors = {"no-entry": IndexError}

    def __str__(self):
        return str(self.copy())

    def __getitem__(self, index):
        if not isinstance(index, slice):
            return self._ask(b"get", index_bytes(index))["value"]
        if index.step in (None, 1):
            return self._ask(b"slice", bounds(index.start, index.stop))["values"]
        return self.copy()[index]

    def __setitem__(self, index, value):
        if isinstance(index, slice):
            self._set_slice(index, list(value))
        else:
            self._ask(b"set", b'%b,"value":%b' % (index_bytes(index), json_bytes(value)))

    def __delitem__(self, index):
        if isinstance(index, slice):
            self._set_slice(index, [])
        else:
            self._ask(b"delete_at", index_bytes(index))

    def _set_slice(self, index, values):
        if index.step not in (None, 1):
            raise ValueError("a slice with steps of a shared list cannot be changed in one go")
        parts = bounds(index.start, index.stop)
        self._ask(b"set_slice", b'%b%b"values":%b' % (parts, b"," if parts else b"", json_bytes(values)))

    def __len__(self):
        return self._ask(b"len")["length"]

    def __iter__(self):
        return iter(self.copy())

    def __reversed__(self):
        return reversed(self.copy())

    def __contains__(self, value):
        return self._ask(b"contains", b'"value":' + json_bytes(value))["contains"]

    def __eq__(self, other):
        return self is other or self.copy() == (other.copy() if isinstance(other, List) else other)

    __hash__ = Shared.__hash__

    def __add__(self, other):
        return self.copy() + list(other)

    def __radd__(self, other):
        return list(other) + self.copy()

    def __mul__(self, times):
        return self.copy() * times

    __rmul__ = __mul__

    def __imul__(self, times):
        raise TypeError("a shared list cannot be multiplied in place; extend it")

    def __iadd__(self, values):
        self.extend(values)
        return self

    def append(self, value):
        self._ask(b"append", b'"value":' + json_bytes(value))

    def extend(self, values):
        self._ask(b"extend", b'"values":' + json_bytes(list(values)))

    def insert(self, index, value):
        self._ask(b"insert", b'%b,"value":%b' % (index_bytes(index), json_bytes(value)))

    def pop(self, index=-1):
        return self._ask(b"pop", index_bytes(index))["value"]

    def remove(self, value):
        self._find(b"remove", value)

    def index(self, value, start=0, stop=None):
        if start != 0 or stop is not None:
            return self.copy().index(value, start, *(() if stop is None else (stop,)))
        return self._find(b"index", value)["index"]

    def _find(self, op, value):
        try:
            return self._ask(op, b'"value":' + json_bytes(value))
        except IndexError:
            raise ValueError(f"{value!r} is not in list") from None

    def count(self, value):
        return self._ask(b"count", b'"value":' + json_bytes(value))["count"]

    def reverse(self):
        self._ask(b"reverse")

    def sort(self, *, key=None, reverse=False):
        """TypeError if values cannot be compared with each other; the list is as it was then."""
        if key is not None:
            raise TypeError("a shared list is sorted by poold, which knows no key function")
        self._ask(b"sort", b'"reverse":true' if reverse else b"")

    def add(self, index, by=1):
        """The sum, which is now in its place."""
        return self._ask(b"add", b'%b,"by":%b' % (index_bytes(index), json_bytes(by)))["value"]

    def copy(self):
        """A plain list."""
        return self._ask(b"slice")["values"]

    def clear(self):
        self._ask(b"clear")
