"""The peer of objects.py: multiprocessing's Manager and Array with processes that stay, measured as lines on stdin say:
"queue 20000", "dict 20000", "lock 5000 4", "array 1000000"; answers are JSON lines."""
import json
import multiprocessing
import sys

import objects_tasks


def serve(inbox, outbox):
    for function, arguments in iter(inbox.get, None):
        outbox.put(function(*arguments))


class Processes:
    """So many that do what they are told, as a pool's workers would."""

    def __init__(self, count):
        self.inboxes = [multiprocessing.SimpleQueue() for _ in range(count)]
        self.outbox = multiprocessing.SimpleQueue()
        self.processes = [multiprocessing.Process(target=serve, args=(inbox, self.outbox)) for inbox in self.inboxes]
        for process in self.processes:
            process.start()

    def run(self, *works):
        for inbox, work in zip(self.inboxes, works):
            inbox.put(work)
        return [self.outbox.get() for _ in works]

    def stop(self):
        for inbox, process in zip(self.inboxes, self.processes):
            inbox.put(None)
            process.join()


def double(n):
    """A fresh process inherits an Array, so it is here that it is doubled."""
    numbers = multiprocessing.Array("d", n)
    memory = memoryview(numbers.get_obj()).cast("B").cast("d")
    memory[0], memory[-1] = 1.0, 3.0
    told = objects_tasks.double(memory, numbers.get_lock())
    told["result"] = memory[0] == 2.0 and memory[-1] == 6.0
    return told


def measure(manager, processes, work, n, count):
    if work == "queue":
        queue = manager.Queue()
        return processes.run((objects_tasks.put_all, (queue, n)), (objects_tasks.get_all, (queue, n)))
    if work == "dict":
        return processes.run((objects_tasks.set_and_get, (manager.dict(), n)))
    if work == "lock":
        lock = manager.Lock()
        return processes.run(*[(objects_tasks.take_turns, (lock, n))] * count)
    if work == "array":
        return processes.run((double, (n,)))
    raise SystemExit("objects_peer: unknown work " + work)


def main():
    processes = Processes(4)
    with multiprocessing.Manager() as manager:
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            work, *sizes = line.split()
            sizes = [int(x) for x in sizes] + [1]
            print(json.dumps(measure(manager, processes, work, sizes[0], sizes[1])), flush=True)
    processes.stop()


if __name__ == "__main__":
    main()
