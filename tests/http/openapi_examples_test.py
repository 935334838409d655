"""openapi.yaml is complete and its examples are real: all is described, every example fits its schema, and each request of
the page at /docs (a curl line for each example) is run by a shell against a real poold; the answers must fit, too. The
page itself is sound: its links and anchors, and that it asks for nothing from elsewhere. Needs Debian's python3-yaml and
python3-jsonschema, and curl."""
import argparse
import html.parser
import http.client
import json
import os
import re
import subprocess
import sys

import jsonschema

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", ".."))
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(SOURCE, "server", "dashboard", "docs"))
import contract as docs  # noqa: E402
import curl  # noqa: E402
import openapi_test  # noqa: E402
from openapi_test import check, failures  # noqa: E402

PROBLEM = "application/problem+json"


# ---- complete ----

def check_schema(name, schema):
    for field, node in schema.get("properties", {}).items():
        if isinstance(node, dict):
            check("$ref" in node or node.get("description"), "%s.%s is not described" % (name, field))
            check_schema("%s.%s" % (name, field), node)
    if isinstance(schema.get("items"), dict):
        check_schema(name + "[]", schema["items"])


def check_complete(contract):
    for name, schema in contract.schemas.items():
        check(schema.get("description"), "schema %s is not described" % name)
        check_schema(name, schema)
    used = {tag for operation in contract.operations for tag in operation.node["tags"]}
    check(used == {tag["name"] for tag in contract.tags}, "tags: %s" % used)
    for operation in contract.operations:
        check_operation(contract, operation)


def check_operation(contract, operation):
    for key in ("summary", "description", "tags"):
        check(operation.node.get(key), "%s has no %s" % (operation.id, key))
    for p in operation.parameters:
        check(p.get("description"), "%s: parameter %s is not described" % (operation.id, p["name"]))
    bodies = [("body", operation.body)] if operation.body else []
    for where, node in bodies + operation.responses:
        check(where == "body" or node.get("description"), "%s: %s is not described" % (operation.id, where))
        for name, header in node.get("headers", {}).items():
            check(contract.resolve(header).get("description"), "%s: header %s is not described" % (operation.id, name))
        for media, content in node.get("content", {}).items():
            check(contract.examples(content) or media == "application/octet-stream",
                  "%s: %s %s has no example" % (operation.id, where, media))
    refused = [r for status, r in operation.responses if PROBLEM in r.get("content", {})]
    check(refused, "%s has no problem" % operation.id)


# ---- examples fit ----

def events(text):
    """What a stream of Server-Sent Events carries."""
    return [line.removeprefix("data: ") for line in text.split("\n") if line.startswith("data: ")]


def validate(rules, where, value, schema):
    """`value` and, if it is a text that carries JSON, what is in it."""
    whole = rules.resolve(schema)
    try:
        rules.validate(value, schema)
        if "contentSchema" in whole and isinstance(value, str):
            lines = events(value) if whole["contentMediaType"] == "text/event-stream" else value.split("\n")
            for line in filter(None, lines):
                rules.validate(json.loads(line), whole["contentSchema"])
    except (jsonschema.ValidationError, json.JSONDecodeError) as error:
        check(False, "%s does not fit: %s in %s" % (where, str(error)[:300], str(value)[:400]))


def check_example(contract, rules, where, media, node, body):
    for name, value in contract.examples(node):
        validate(rules, "%s: example %s of %s" % (where, name, media), value, node["schema"])
        if media == docs.FORM:
            validate(rules, "%s: the text of %s" % (where, media), json.loads(value), body["content"][docs.JSON]["schema"])
        if media == PROBLEM:
            check_problem(where, value)


def check_examples(contract, rules):
    for operation in contract.operations:
        for p in operation.parameters + [contract.resolve(h) for _, r in operation.responses for h in r.get("headers", {}).values()]:
            if "example" in p:
                validate(rules, "%s: example of %s" % (operation.id, p.get("name", "a header")), p["example"], p["schema"])
        for where, part in [("body", operation.body or {})] + operation.responses:
            for media, node in part.get("content", {}).items():
                check_example(contract, rules, "%s %s" % (operation.id, where), media, node, operation.body)


def known_problems():
    with open(os.path.join(SOURCE, "server", "http", "problem.c"), encoding="utf-8") as file:
        rows = re.findall(r'\] = \{"([a-z-]+)", (\d+), "([^"]+)"\}', file.read())
    return {name: (int(status), title) for name, status, title in rows if name != "none"}


def check_problem(where, value):
    name = value["type"].rsplit(":", 1)[1]
    check(known_problems().get(name) == (value["status"], value["title"]),
          "%s: the example of %s is not what poold says: %s" % (where, name, known_problems().get(name)))


def check_problem_table(contract):
    names = {each.rsplit(":", 1)[1] for each in contract.schemas["Problem"]["properties"]["type"]["enum"]}
    check(names == set(known_problems()), "openapi.yaml's problems are others: %s" % (names ^ set(known_problems())))
    with open(os.path.join(SOURCE, "schema", "problems.md"), encoding="utf-8") as file:
        rows = dict(re.findall(r"^\| `([a-z-]+)` \| (\d+) \|", file.read(), re.M))
    check({n: int(s) for n, s in rows.items()} == {n: s for n, (s, _) in known_problems().items()}, "problems.md has others")


# ---- requests are run ----

JOB = "01jd7k3xq000000a"  # stands for a job in the examples
JOBS = {  # what it must be, and how long it is waited for; others are of ten squares
    "addItems": (0, {"function": "echo", "map": [0], "open": True}),
    "closeJob": (0, {"function": "echo", "map": [0], "open": True}),
    "cancelJob": (0, {"function": "sleep", "map": [60]}),
    "retryJob": (30, {"function": "cube", "map": ["x"]}),
    "getLog": (30, {"function": "print", "map": ["x"]}),
}
FILLED = {  # what is done before an object is used
    "queues": ("/put", {"values": [1, 2, 3]}),
    "pipes": ("/b/send", {"value": 1}),
    "dicts": ("", {"set": {"key": "hits", "value": 1}}),
    "lists": ("", {"extend": {"values": [1, 2, 3]}}),
}


class Scene:
    """Makes what an operation's example needs, and says what stands for what in it."""

    def __init__(self, service, contract):
        self.service = service
        self.create = {o.path.split("/")[2]: o for o in contract.operations if o.id.startswith("create")}
        self.contract = contract

    def ask(self, method, path, body=None):
        status, _, text = self.service.ask(method, path, None if body is None else json.dumps(body),
                                           **({} if body is None else {"Content_Type": docs.JSON}))
        check(status < 300 or method == "DELETE", "%s %s: %d %s" % (method, path, status, text))
        return json.loads(text) if text else None

    def of(self, operation):
        """{text of the example: what it is here}"""
        if "{id}" in operation.path:
            wait, body = JOBS.get(operation.id, (30, {"function": "square", "map": list(range(10))}))
            return {JOB: self.ask("POST", "/v1/jobs?wait=%d" % wait, body)["id"]}
        kind = operation.path.split("/")[2] if operation.path.startswith("/v1/") else ""
        if kind in self.create and "{name}" in operation.path:
            return self.object(operation, kind)
        return {}

    def object(self, operation, kind):
        path = "/".join(curl.path_of(operation).split("/")[:4])
        self.ask("DELETE", path)
        if operation.id.startswith("create"):
            return {}
        self.ask("PUT", path, self.contract.examples(self.create[kind].body["content"][docs.JSON])[0][1])
        if kind in FILLED and operation.id != "joinQueue":
            self.ask("POST", path + FILLED[kind][0], FILLED[kind][1])
        if operation.id in ("ackElements", "nackElements"):
            leases = self.ask("POST", path + "/get?n=2&lease=60")["leases"]
            return {"17": str(leases[0]), "18": str(leases[1])}
        if operation.id in ("renewLock", "releaseLock"):
            return {"17": str(self.ask("POST", path + "/acquire", {"ttl": 60})["token"])}
        return {}


def run(service, line):
    """(status, media type, body) of a curl line of the page."""
    line = line.replace(curl.HOST, "127.0.0.1:%d" % service.port) + " -w '\\n%{http_code} %{content_type}'"
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=60)
    body, _, last = done.stdout.decode("utf-8", "replace").rpartition("\n")
    status, _, media = last.partition(" ")
    return int(status or 0), media.split(";")[0], body


def check_answer(rules, operation, where, status, media, body):
    schema = rules.schema(operation.method, operation.path, status, media)
    if not body:
        check(status == 204, "%s: %d without a body" % (where, status))
    elif schema is None:
        check(False, "%s: openapi.yaml has no %d with %s" % (where, status, media))
    else:
        validate(rules, where, json.loads(body) if media in (docs.JSON, PROBLEM) else body, schema)


def check_requests(service, contract, rules, lines):
    scene = Scene(service, contract)
    for operation in contract.operations:
        expected = [line for _, line in curl.commands(contract, operation)]
        check(lines.get(operation.id) == expected, "/docs has other requests for %s: %s" % (
            operation.id, lines.get(operation.id)))
        for line in lines.get(operation.id, []):
            for old, new in scene.of(operation).items():
                line = re.sub(r"\b%s\b" % old, new, line)
            status, media, body = run(service, line)
            check(200 <= status < 300, "%s: %d %s of %s" % (operation.id, status, body[:300], line))
            check_answer(rules, operation, operation.id, status, media, body)


def check_refusals(service, contract, rules):
    """The usual problem of each operation: nothing of that name, or a parameter that is not known."""
    names = {"id": "0000000000000001", "name": "nothing", "index": 0, "end": "a", "key": "nothing", "position": 0}
    for operation in contract.operations:
        body = {docs.JSON: value for media, node in (operation.body or {"content": {}})["content"].items()
                if media == docs.JSON for _, value in contract.examples(node)[:1]}
        path = openapi_test.fill(operation.path, names) + ("" if "{" in operation.path else "?no_such_parameter=1")
        if operation.id.startswith("create"):
            path += "?no_such_parameter=1"
        headers = {"Content_Type": docs.JSON} if body else {}
        status, got, text = service.ask(operation.method.upper(), path, json.dumps(body[docs.JSON]) if body else None, **headers)
        check(status in (400, 404), "%s %s: %d %s" % (operation.method, path, status, text[:200]))
        check_answer(rules, operation, operation.id + " refused", status, got["Content-Type"], text)


# ---- query parameters ----

def unknown_of(connection, operation, names):
    """Which of these query parameters poold does not know first. Nothing is done, as the last one never is known."""
    path = openapi_test.fill(operation.path, {"id": JOB, "name": "results", "index": 0, "end": "a", "position": 0})
    connection.request(operation.method.upper(), path + "?" + "&".join(name + "=" for name in [*names, "never"]))
    problem = json.loads(connection.getresponse().read())
    found = re.search(r'no query parameter "(.*)" here', problem["detail"])
    check(found, "%s with %s: %s" % (operation.id, names, problem))
    return found and found.group(1)


def check_parameters(service, contract):
    """Each operation takes the query parameters that it has in openapi.yaml, and no other that there is anywhere."""
    of = {o.id: {p["name"] for p in o.parameters if p["in"] == "query"} for o in contract.operations}
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for operation in contract.operations:
        mine = of[operation.id]
        first = unknown_of(connection, operation, sorted(mine))
        check(first == "never", "%s does not know %s, which openapi.yaml has" % (operation.id, first))
        for name in set().union(*of.values()) - mine:
            check(unknown_of(connection, operation, [name]) == name, "%s knows %s, openapi.yaml does not" % (operation.id, name))
    connection.close()


# ---- the page ----

class Page(html.parser.HTMLParser):
    """Its anchors, links and curl lines; complains when what is opened is not closed."""
    EMPTY = ("meta", "link", "img", "br", "input")

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.lines, self.operation = [], [], [], {}, None

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.ids += [attrs["id"]] if "id" in attrs else []
        self.links += [attrs[name] for name in ("href", "src") if name in attrs and not (
            tag == "a" and attrs[name].startswith("https://"))]  # a link asks for nothing by itself
        check(not {"style", "onclick"} & set(attrs) and tag not in ("script", "style"), "/docs: <%s %s>" % (tag, attrs))
        if tag not in self.EMPTY:
            self.open.append(tag)
        if "data-operation" in attrs:
            self.operation = attrs["data-operation"]
            self.lines.setdefault(self.operation, []).append("")

    def handle_data(self, data):
        if self.operation:
            self.lines[self.operation][-1] += data

    def handle_endtag(self, tag):
        check(self.open and self.open[-1] == tag, "/docs: </%s> closes %s at %s" % (tag, self.open[-3:], self.getpos()))
        if self.open:
            self.open.pop()
        if tag == "pre":
            self.operation = None


def check_page(service, contract):
    status, headers, text = service.ask("GET", "/docs", Accept="text/html")
    check(status == 200 and headers["Content-Type"] == "text/html; charset=utf-8", "/docs: %d" % status)
    page = Page()
    page.feed(text)
    page.close()
    check(not page.open, "/docs leaves open: %s" % page.open)
    check(len(page.ids) == len(set(page.ids)), "/docs has an id twice: %s" % [i for i in page.ids if page.ids.count(i) > 1])
    wanted = [o.id for o in contract.operations] + ["schema-" + name for name in contract.schemas]
    for name in wanted + ["problem-" + name for name in known_problems()]:
        check(name in page.ids, "/docs has no anchor %s" % name)
    for link in set(page.links):
        check(link.startswith("#") or link.startswith("/"), "/docs links elsewhere: %s" % link)
        if link.startswith("#"):
            check(link[1:] in page.ids, "/docs: there is no %s" % link)
        elif not link.startswith("/#"):
            check(service.ask("GET", link)[0] == 200, "/docs: there is no %s" % link)
    return page.lines


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--poold", required=True)
    parser.add_argument("--openapi", required=True)
    options = parser.parse_args()
    contract, rules = docs.Contract(options.openapi), openapi_test.Contract(options.openapi)
    check_complete(contract)
    check_examples(contract, rules)
    check_problem_table(contract)
    service = openapi_test.Service(options.poold)
    try:
        lines = check_page(service, contract)
        check_requests(service, contract, rules, lines)
        check_refusals(service, contract, rules)
        check_parameters(service, contract)
    finally:
        service.stop()
    print("%d operations, %d failed" % (len(contract.operations), len(failures)))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
