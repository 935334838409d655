"""A runtime by hand, for worker_calls_test: as little as PROTOCOL.md asks for. The argument "batch" makes it take
batches. An item is a list of deeds: ["ask", REQUEST] (the answer is the value), ["quiet", REQUEST], ["send", NUMBER,
REQUEST] (without waiting), ["await", NUMBER…] (the answers' values, in the order in which they came), ["nothing"],
["raw", TEXT] (on descriptor 3), ["late", REQUEST] (a call for the item before this one), ["after", REQUEST] (a call of
this item, but once it has ended), ["large", WHAT, BYTES] (a call with so many)."""

import json
import os
import sys
import time

BATCH = "batch" in sys.argv
talk = os.fdopen(3, "r+b", buffering=0)
number = 0
unread = b""
late_calls = []


def read_line():
    global unread
    while b"\n" not in unread:
        piece = os.read(3, 1 << 20)
        if not piece:
            sys.exit(0)
        unread += piece
    line, unread = unread.split(b"\n", 1)
    return json.loads(line)


def write(text, fd=3):
    data = text.encode()
    while data:
        data = data[os.write(fd, data):]


def send(id, call, request):
    if isinstance(request, str):
        request = {"object": request}
    write('{"id":%d,"call":%d,"request":%s}\n' % (id, call, json.dumps(request, separators=(",", ":"))))


def do(id, deed):
    global number
    what, *more = deed
    if what == "ask":
        number += 1
        send(id, number, more[0])
        answer = read_line()
        assert answer["call"] == number, answer
        return answer["answer"]
    if what == "late":
        number += 1
        send(id - 1, number, more[0])
        return read_line()["answer"]
    if what == "what":
        return late
    if what == "quiet":
        return send(id, 0, more[0])
    if what == "send":
        return send(id, more[0], more[1])
    if what == "await":
        return [read_line() for _ in more]
    if what == "large":
        return do(id, [more[0], "x" * more[1]])
    if what == "raw":
        return write(more[0])


def run(id, item):
    value = None
    for deed in item:
        value = do(id, deed)
    line = '{"id":%d,"value":%s}\n' % (id, json.dumps(value, separators=(",", ":")))
    write(line, 4 if BATCH else 3)
    late_calls.extend((id, deed[1]) for deed in item if deed[0] == "after")
    return any(deed[0] != "nothing" for deed in item)


write(json.dumps({"ready": True, "functions": ["f"], "batch": BATCH}) + "\n")
while True:
    task = read_line()
    if "call" in task:
        late = task["answer"]["error"]["type"]
        continue
    for offset, item in enumerate(task["items"] if BATCH else [task["item"]]):
        if run(task["id"] + offset, item) and BATCH:
            write("\n")
    if BATCH:
        write("\n")
    while late_calls:
        time.sleep(0.1)  # until nothing of this can be taken for the item's own
        send(late_calls[0][0], 900, late_calls.pop(0)[1])
