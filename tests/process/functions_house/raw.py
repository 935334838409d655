"""raw: a runtime that speaks workers/runtimes/PROTOCOL.md by itself, one item at a time.

Its arguments say how it starts: late, never, dying, refusing, babbling; and what it takes note of."""
import json
import os
import socket
import sys
import time
import traceback

import deeds


def write(channel, message):
    channel.sendall(json.dumps(message).encode() + b"\n")


def start(channel, how):
    if how == "late":
        time.sleep(1.5)
    elif how == "never":
        time.sleep(60)
    elif how == "dying":
        os.kill(os.getpid(), 11)
    elif how == "leaving":
        sys.exit(0)
    elif how == "refusing":
        write(channel, {"ready": False, "error": {"class": "ValueError", "message": "no model here"}})
        sys.exit(1)
    elif how == "babbling":
        channel.sendall(b"hello, I am ready!\n")
        time.sleep(60)
    write(channel, {"ready": True, "functions": [{"name": "deed", "summary": "does as the item says"}, "other"]})


def answer(channel, request):
    item, reply = request["item"], {"id": request["id"]}
    if not isinstance(item, dict):
        return write(channel, dict(reply, error={"message": "expected an object"}))
    if item["do"] == "progress":
        write(channel, dict(reply, progress={"done": 0.5}))
        deeds._wait_note(item["note"])
    elif item["do"] == "logs":
        write(channel, dict(reply, log="said over the channel\n", stream="stderr"))
    elif item["do"] == "request":
        return write(channel, dict(reply, value=request))
    elif item["do"] == "trace":
        return write(channel, dict(reply, value=request.get("traceparent")))
    elif item["do"] == "wrong_value":
        return channel.sendall(b'{"id":%d,"value":[1,2}\n' % request["id"])
    elif item["do"] == "no_value":
        return write(channel, reply)
    elif item["do"] == "two_replies":
        write(channel, dict(reply, value=1))
        return write(channel, dict(reply, value=2))
    elif item["do"] == "endless":
        channel.sendall(b'{"id":%d,"value":"' % request["id"])
        while True:
            channel.sendall(b"x" * 65536)
    try:
        reply["value"] = deeds.do(item) if item["do"] not in ("progress", "logs") else item.get("n")
    except Exception as problem:  # pylint: disable=broad-except
        reply["error"] = {"message": str(problem), "class": type(problem).__name__, "traceback": traceback.format_exc()}
    sys.stdout.flush()
    write(channel, reply)


def main():
    channel = socket.socket(fileno=3)
    deeds._note("starts-" + "-".join(sys.argv[1:]), "x")
    start(channel, sys.argv[1] if len(sys.argv) > 1 else "")
    for line in channel.makefile("r", encoding="utf-8"):
        answer(channel, json.loads(line))


main()
