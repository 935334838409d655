"""What is measured of shared objects, for a task of poold and (objects_peer.py) for a process with a Manager: both run
these same loops. Each tells when it began and ended, by a clock that all processes share."""
import time

try:
    import numpy
except ImportError:
    numpy = None


def timed(work):
    began = time.monotonic()
    result = work()
    return {"began": began, "ended": time.monotonic(), "result": result}


def put_all(queue, n):
    def work():
        for i in range(n):
            queue.put(i)
    return timed(work)


def get_all(queue, n):
    def work():
        return [queue.get() for _ in range(n)] == list(range(n))
    return timed(work)


def set_and_get(entries, n):
    def work():
        for i in range(n):
            entries["key%d" % i] = i
        return all(entries["key%d" % i] == i for i in range(n))
    return timed(work)


def take_turns(lock, n):
    def work():
        for _ in range(n):
            with lock:
                pass
    return timed(work)


def double(memory, lock):
    """In place."""
    def loop():
        for i in range(len(memory)):
            memory[i] *= 2.0

    def work():
        with lock:
            if numpy is None:
                loop()
            else:
                numpy.multiply(numpy.frombuffer(memory), 2.0, out=numpy.frombuffer(memory))
    return timed(work)
