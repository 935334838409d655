"""log_events: the events that the sources log, with their fields, as docs/operations.md shall have them."""
import os
import re

FOLDERS = ("server", "workers")
LEVELS = ("error", "warning", "info", "debug")
FIELD = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|[^ ]+)')
CONVERSION = re.compile(r"%(?:(?:\.\*|\.[0-9]+)?(?:l|ll|z)?[duxsfc]|%)")  # what server/base/log.c knows


def arguments(text, at):
    """Those of the call whose bracket is at `at`."""
    parts, depth, begin, quoted = [], 0, at + 1, False
    while True:
        char = text[at]
        if quoted:
            at += char == "\\"
            quoted = char != '"'
        elif char == '"':
            quoted = True
        elif char in "([":
            depth += 1
        elif char in ")]":
            depth -= 1
        if not quoted and depth == 0 or not quoted and depth == 1 and char == ",":
            parts.append(text[begin:at])
            begin = at + 1
            if depth == 0:
                return parts
        at += 1


def literals(expression):
    return [re.sub(r"\\(.)", r"\1", inside) for inside in re.findall(r'"((?:[^"\\]|\\.)*)"', expression)]


def kind_of(value):
    """number, boolean or text: as log.c decides, but for texts that happen to be true or false."""
    return "number" if re.fullmatch(r"%[.0-9lz]*[duf]", value) else "text"


class Call:
    def __init__(self, path, text, at):
        level, event, fields, *rest = arguments(text, at)
        self.where = "%s:%d" % (path, text.count("\n", 0, at) + 1)
        self.levels = {word.lower() for word in re.findall(r"LOG_(\w+)", level)} or {"?"}
        self.events = literals(event)
        self.format = "".join(literals(fields))
        self.fields = {}
        booleans = len(re.findall(r"log_bool\(", ",".join(rest)))
        for name, value in FIELD.findall(self.format):
            self.fields[name] = kind_of(value)
        self.booleans = booleans

    def wrong(self):
        """What log.c could not do with it, or None."""
        if not self.events or not all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)?", event) for event in self.events):
            return "the event's name: %r" % self.events
        if FIELD.sub("", self.format).strip() or "  " in self.format:
            return "no key=value pairs, one space between: %r" % self.format
        left = CONVERSION.sub("", self.format)
        return "a conversion that the log does not have: %r" % self.format if "%" in left else None


def calls(source):
    found = []
    for folder in FOLDERS:
        for parent, _, names in os.walk(os.path.join(source, folder)):
            for name in sorted(names):
                path = os.path.join(parent, name)
                if not name.endswith(".c") or path.endswith("server/base/log.c"):
                    continue
                with open(path, encoding="utf-8") as file:
                    text = file.read()
                for match in re.finditer(r"\blog_event\(", text):
                    found.append(Call(os.path.relpath(path, source), text, match.end() - 1))
    return found
