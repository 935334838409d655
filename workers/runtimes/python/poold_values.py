"""poold_values: what functions return and raise, as lines of JSON.

A part of poold_worker; not for functions. Modules that only some functions need (asyncio, traceback) are imported when
they do, because a process for each item has to start quickly."""

import json
import os
from json.encoder import encode_basestring

MESSAGE_MAX, TRACEBACK_MAX = 8 * 1024, 12 * 1024
DEPTH = 62  # poold takes 64 levels, with what is around a value
FOLDER = os.path.dirname(__file__)

# ---- values ----

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


def levels(value):
    """How deep lists and dicts are nested in it."""
    deepest, left = 0, [(value, 1)]
    while left:
        part, depth = left.pop()
        if isinstance(part, (list, tuple, dict)):
            deepest = max(deepest, depth)
            left += [(inner, depth + 1) for inner in (part.values() if isinstance(part, dict) else part)]
    return deepest


def shallow_text(value):
    text = compound_text(value)
    brackets = text.count("[") + text.count("{") if len(text) > 2 * DEPTH else 0
    if brackets > DEPTH and levels(value) > DEPTH:
        raise ValueError(f"nested more than {DEPTH} levels deep")
    return text


def value_line(identity, value):
    kind = type(value)
    if kind is str:
        text = encode_basestring(value)
    elif kind is dict or kind is list:
        text = shallow_text(value)
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
        text = shallow_text(value)
    return b'{"id":%d,"value":%b}\n' % (identity, text.encode())


def answer_line(identity, value):
    if type(value) is int:
        return b'{"id":%d,"value":%d}\n' % (identity, value)
    return value_line(identity, value)


# ---- errors ----


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
    return os.path.dirname(name) == FOLDER or name.startswith("<frozen importlib") or os.path.dirname(name).endswith(
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
