"""poold_memory: Value and Array. Their numbers are in a file that poold, C plugins and Python map: reading and writing
here touches that memory and asks nobody. What must not be torn apart goes through add and compare_set, which poold does
in one piece, or under get_lock()."""

import math
import mmap
import os
import struct

from poold_objects import RLock, Shared, context, json_bytes

TYPECODES = "bBhHiIlLqQfd"


def typecode_of(code):
    """A letter, also of a type of ctypes."""
    code = getattr(code, "_type_", code)
    if not isinstance(code, str) or len(code) != 1 or code not in TYPECODES:
        raise TypeError(f"{code!r} is no typecode; those are {' '.join(TYPECODES)}")
    return code


def number_json(value):
    """What JSON has no word for is a string, as everywhere in poold."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if not isinstance(value, (int, float)):
        value = value.__index__() if hasattr(value, "__index__") else float(value)  # numpy's
    return value


def number_of(value):
    """The other way round."""
    return float(value) if isinstance(value, str) else value


def number_bytes(value):
    return json_bytes(number_json(value))


class Memory(Shared):
    """What Value and Array have in common; the first use maps the file."""

    def __init__(self, typecode, name, configuration):
        self._typecode = typecode_of(typecode)
        self._view = self._path = None
        self._seen = None  # the item that has looked whether that is still the file
        self._lock = RLock(f"{self.kind}/{name}")
        super().__init__(name, configuration and {"typecode": self._typecode, **configuration})

    def memory(self):
        """The memory itself, as a memoryview of numbers: numpy.frombuffer takes it as it is."""
        if self._seen != context.id or self._view is None:
            self._map()
        return self._view

    def _map(self):
        """In each item: the same name may be another array by now."""
        if context.id is None and self._view is not None:
            return
        where = self._ask(b"open")
        self._seen = context.id
        if self._view is not None and where["path"] == self._path:
            return
        if where["typecode"] != self._typecode:
            raise TypeError(f"{self.kind}/{self.name} has the typecode {where['typecode']!r}, not {self._typecode!r}")
        descriptor = os.open(where["path"], os.O_RDWR | os.O_CLOEXEC)
        try:
            mapped = mmap.mmap(descriptor, 0)
        finally:
            os.close(descriptor)
        begin, size = where.get("offset", 0), where["length"] * struct.calcsize(self._typecode)
        self._view, self._path = memoryview(mapped)[begin : begin + size].cast(self._typecode), where["path"]

    def _put(self, index, value):
        memory = self.memory()
        try:
            if self._typecode == "f":  # memoryview would make an infinity of what is too large, and so would "f"
                struct.pack("<f", value)
            memory[index] = value
        except (ValueError, struct.error) as error:
            raise self._refusal(error) from None

    def _packed(self, values):
        try:
            return struct.pack(("<%df" if self._typecode == "f" else "%d" + self._typecode) % len(values), *values)
        except struct.error as error:
            raise self._refusal(error) from None

    def _refusal(self, error):
        if "required argument is not" in str(error):
            return TypeError(f"typecode {self._typecode!r}: {error}")
        return OverflowError(f"a value is out of the range of typecode {self._typecode!r}")

    def get_lock(self):
        """The RLock of its own."""
        return self._lock

    def acquire(self, block=True, timeout=None):
        return self._lock.acquire(block, timeout)

    def release(self):
        self._lock.release()

    def __enter__(self):
        return self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()

    def _compare_set(self, arguments):
        try:
            self._ask(b"compare_set", arguments)
            return True
        except ValueError as error:
            if getattr(error, "type", "") != "changed":
                raise
            return False


class Value(Memory):
    """multiprocessing.Value, by name. `initial` is what a new one begins with."""

    kind = "values"

    def __init__(self, typecode, name, initial=0):
        super().__init__(typecode, name, {"value": number_json(initial)})

    @property
    def value(self):
        return self.memory()[0]

    @value.setter
    def value(self, number):
        self._put(0, number)

    def add(self, by=1):
        """The sum, which is now the value: what others add meanwhile is not lost."""
        return number_of(self._ask(b"add", b'"by":' + number_bytes(by))["value"])

    def compare_set(self, expected, value):
        """Sets it and gives True if it is what was expected."""
        return self._compare_set(b'"expected":%b,"value":%b' % (number_bytes(expected), number_bytes(value)))


class Array(Memory):
    """multiprocessing.Array, by name: made by a length (of zeros) or a list; without either the one that is there."""

    kind = "arrays"
    errors = {"no-entry": IndexError}

    def __init__(self, typecode, name, length_or_list=None):
        if length_or_list is None:
            configuration = None
        elif isinstance(length_or_list, int):
            configuration = {"length": length_or_list}
        else:
            configuration = {"values": [number_json(value) for value in length_or_list]}
        super().__init__(typecode, name, configuration)

    def __len__(self):
        return len(self.memory())

    def __iter__(self):
        return iter(self.memory())

    def __getitem__(self, index):
        found = self.memory()[index]
        return found.tolist() if isinstance(index, slice) else found

    def __setitem__(self, index, value):
        if not isinstance(index, slice):
            self._put(index, value)
            return
        memory, values = self.memory(), list(value)
        if len(values) != len(range(len(memory))[index]):
            raise ValueError("can only assign a sequence of the same size")
        memory[index] = memoryview(self._packed(values)).cast(self._typecode)

    def add(self, index, by=1):
        """The sum, which is now in its place: what others add meanwhile is not lost."""
        return number_of(self._ask(b"add", b'"index":%d,"by":%b' % (index, number_bytes(by)))["value"])

    def compare_set(self, index, expected, value):
        """Sets it and gives True if it is what was expected."""
        return self._compare_set(
            b'"index":%d,"expected":%b,"value":%b' % (index, number_bytes(expected), number_bytes(value)))
