"""inits: initialisers of all sorts."""
import os
import signal
import time

_table = {}


def good(base, name="unnamed"):
    print("initialised")
    _table["base"] = base


def raises(*_):
    raise RuntimeError("no model at /nowhere")


def dies(*_):
    os.kill(os.getpid(), signal.SIGSEGV)


def leaves(*_):
    os._exit(0)


def hangs(*_):
    time.sleep(60)


def add(x):
    return _table["base"] + x
