"""The tasks of poold in objects.py."""
import poold

import objects_tasks


def put(item):
    return objects_tasks.put_all(poold.Queue(item["name"]), item["n"])


def get(item):
    return objects_tasks.get_all(poold.Queue(item["name"]), item["n"])


def entries(item):
    return objects_tasks.set_and_get(poold.Manager().dict(item["name"]), item["n"])


def lock(item):
    return objects_tasks.take_turns(poold.Lock(item["name"]), item["n"])


def array(item):
    numbers = poold.Array("d", item["name"], item["n"])
    memory = numbers.memory()
    memory[:] = memoryview(b"\0" * (8 * item["n"])).cast("d")
    memory[0], memory[-1] = 1.0, 3.0
    told = objects_tasks.double(memory, numbers.get_lock())
    told["result"] = memory[0] == 2.0 and memory[-1] == 6.0
    return told
