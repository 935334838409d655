"""py: the deeds in a Python runtime, and what only that can."""
import asyncio
import atexit
import threading
import time

import deeds
import poold

deeds.REPLIES = 4
deeds.trace = lambda item: poold.traceparent()
print("printed while it was imported")
atexit.register(print, "printed at the end")


def deed(item):
    return deeds.do(item)


def progress(item):
    poold.progress({"done": 0.5})
    deeds._wait_note(item["note"])
    return item.get("n")


def prints_later(item):
    """Goes on printing when its reply has long been given."""
    def later():
        for _ in range(20):
            print("later", flush=True)
            time.sleep(0.01)
    print("now", flush=True)
    threading.Thread(target=later, daemon=True).start()
    return item.get("n")


def power(base, exponent=2):
    return base ** exponent


async def soon(x):
    await asyncio.sleep(0.01)
    return x + 1


def counts(n):
    yield from range(n)


def odd(item):
    """What JSON cannot say."""
    return {1, 2, item}
