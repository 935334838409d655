"""tool: the deeds as a command: the item on stdin, the value on stdout."""
import json
import os
import sys

import deeds

deeds.CHANNEL = deeds.REPLIES = 1


def replies(value):
    text = json.dumps(value).encode()
    while text:
        text = text[os.write(1, text):]


def main():
    item = json.load(sys.stdin)
    if not isinstance(item, dict) or "do" not in item:
        sys.exit("usage: {\"do\": NAME}")
    if item["do"] in ("prints", "floods", "talks", "crash", "deaf", "progress"):  # stdout is the value
        sys.stdout = sys.stderr
    replies(deeds.do(item))


main()
