"""poold_worker: serves the functions of a module to poold (the protocol: workers/runtimes/PROTOCOL.md).

    python3 -m poold_worker MODULE[:FUNCTION] [--initializer NAME] [--initargs JSON]

Started by poold, not by people. Needs Python 3.9 and its standard library."""

import importlib
import json
import os
import signal
import sys
import time

from poold_answers import (
    ANSWERS, LOG_BYTES_MAX, NOTICE_NS, REQUESTS, Answers, context, end_of_item_log, leave_without_channel, stderr, stdout)
from poold_calls import channel, reset, settle
from poold_functions import callable_for, functions_of, offer, unpacked
from poold_values import error_line, error_text, finish, value_line

# ---- items ----


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
    item_context.traceparent = request.get("traceparent")
    item_context.began_ns = now = Answers.noticed_ns = clock()
    Answers.quiet = True
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
                if item_context.posted is not None:
                    settle()
            except BaseException as error:
                line = error_line(identity, error)
                item_context.posted = None
                channel.forget()
            if stdout.pending or stderr.pending or stdout.room + stderr.room != 2 * LOG_BYTES_MAX:
                end_of_item_log()
            write(ANSWERS, line)
            identity += 1
            now = clock()
            if now - Answers.noticed_ns > NOTICE_NS or item_context.called:
                item_context.called = False
                Answers.noticed_ns = now
                Answers.notice()
        item_context.id = None
        Answers.notice()
    except OSError as error:
        leave_without_channel(error)


def no_such_function(module, name):
    def call(_):
        raise AttributeError(f"module '{module}' has no function '{name}'")

    return call


def serve(module, functions):
    plain = {name: callable_for(name, function) for name, function in functions.items()}
    for line in iter(channel.item, None):
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
    reset()
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
