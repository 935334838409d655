"""Examples of requests as lines for a shell. tests/http/openapi_examples_test.py runs each of them."""
import json
import shlex
from urllib.parse import quote

from contract import FORM, JSON

NDJSON = "application/x-ndjson"
HOST = "localhost:8080"


def quoted(text):
    return "'%s'" % text if set(text) & set("{}[]\"") and "'" not in text else shlex.quote(text)


def path_of(operation):
    path = operation.path
    for p in operation.parameters:
        if p["in"] == "path":
            value = p.get("example", p["schema"].get("example", (p["schema"].get("enum") or [""])[0]))
            path = path.replace("{%s}" % p["name"], quote(str(value), safe=""))
    return path


def query_of(operation, media, value):
    """`wait`, for it is what one wants mostly (an open job has no end); what an NDJSON body cannot say itself."""
    endless = isinstance(value, dict) and value.get("open")
    wanted = ([] if endless else ["wait"]) + (["function"] if media == NDJSON else [])
    pairs = ["%s=%s" % (p["name"], p["example"]) for name in wanted for p in operation.parameters
             if p["in"] == "query" and p["name"] == name and "example" in p]
    return "?" + "&".join(sorted(pairs)) if pairs else ""


def command(operation, media=None, value=None):
    """The line that sends `value` as `media`; without them, a request without a body."""
    words = ["curl", "-s"]
    before = ""
    address = HOST + path_of(operation) + query_of(operation, media, value)
    method = operation.method.upper()
    if method not in ("GET", "POST") or (method == "POST" and media in (None, NDJSON)):
        words += ["-X", method]
    words.append(quoted(address))
    if media in (JSON, FORM):
        words += ["-d", quoted(value if media == FORM else json.dumps(value, ensure_ascii=False, separators=(",", ":")))]
    elif media == NDJSON:
        before = "printf %s | " % quoted(value.replace("\n", "\\n"))
        words += ["-H", "'Content-Type: %s'" % NDJSON, "--data-binary", "@-"]
    return before + " ".join(words)


def commands(contract, operation):
    """[(name, line)]: each example of a body once, or the request without one."""
    content = operation.body["content"] if operation.body else {}
    found = [(name or ("lines" if media == NDJSON else ""), command(operation, media, value))
             for media, node in content.items() if media != FORM for name, value in contract.examples(node)]
    return found or [("", command(operation))]
