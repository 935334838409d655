"""poold: what a function can say, and ask about the item that it runs.

    import poold

    def render(page):
        for done, part in enumerate(parts(page)):
            poold.progress({"done": done})

Outside of poold (in a test of your own, say) all of this is harmless: progress() does nothing, the others give None.

What tasks share, with the names and the ways of multiprocessing (workers/README.md):

    poold.Queue("results").put(7)
    with poold.Lock("printer"): …
    poold.Manager().dict("shared")["a"] = 1
    poold.Value("i", "counter").add(1)
    poold.Array("d", "a", 1000).memory()
    receiver, sender = poold.Pipe("p", duplex=False)

These need a task: anywhere else using them is a RuntimeError.
"""

import json

# Where to find what only some functions need.
_LATER = {
    "poold_objects": ("Queue", "JoinableQueue", "SimpleQueue", "Lock", "RLock", "Semaphore", "BoundedSemaphore", "Pipe",
                      "Connection", "Manager"),
    "poold_memory": ("Value", "Array"),
}

__all__ = ["progress", "job", "index", "attempt", "deadline", "traceparent", *sum(_LATER.values(), ())]

PROGRESS_BYTES_MAX = 16 * 1024


class _Context:
    """The item that runs; kept by poold_worker, which only moves `id` and `now_ns` from item to item."""

    __slots__ = ("id", "first_id", "first_index", "job", "attempt", "deadline", "traceparent", "began_ns", "now_ns",
                 "called", "posted", "send")

    def __init__(self):
        self.id = None  # None: no item runs
        self.called = False  # the item has asked for something shared
        self.posted = None  # the latest that it asked for something without waiting for the answer
        self.send = None


_context = _Context()


def progress(value):
    """Shows `value` (anything that JSON can hold) as the progress of the item, until it ends or says something else."""
    text = json.dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()
    if len(text) > PROGRESS_BYTES_MAX:
        raise ValueError(f"progress of {len(text)} bytes; at most {PROGRESS_BYTES_MAX} can be shown")
    identity = _context.id
    if identity is not None:
        _context.send(b'{"id":%d,"progress":%b}\n' % (identity, text))


def job():
    """The id of the job that the item belongs to."""
    return _context.job if _context.id is not None else None


def index():
    """The place of the item in the input of its job, from 0."""
    return _context.first_index + _context.id - _context.first_id if _context.id is not None else None


def attempt():
    """1 for the first attempt at the item, 2 for the second…"""
    return _context.attempt if _context.id is not None else None


def deadline():
    """When the item will have taken too long, in seconds since 1970 as of time.time(); None: never."""
    if _context.id is None or _context.deadline is None:
        return None
    return _context.deadline + (_context.now_ns - _context.began_ns) / 1e9


def traceparent():
    """The trace that the job belongs to (W3C Trace Context), the parent of whatever span the item opens; None: it came
    without one."""
    return _context.traceparent if _context.id is not None else None


def __getattr__(name):
    for module, names in _LATER.items():
        if name in names:
            value = globals()[name] = getattr(__import__(module), name)
            return value
    raise AttributeError(f"module 'poold' has no attribute '{name}'")


def __dir__():
    return sorted({*globals(), *__all__})
