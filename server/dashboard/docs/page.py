"""The pieces of the page, each a function of what it shows."""
import json
import re

import curl
from contract import FORM, JSON, name_of
from markup import Markup, escape
from schemas import Schemas

WIDTH = 88  # characters of an example's line
PROBLEM = "application/problem+json"
OF_BODIES = {"invalid-json", "invalid-line", "unknown-field", "missing-field"}  # not met where no body is taken


def pretty(value, indent=0):
    """JSON on one line if it is short, else each member on a line of its own."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= WIDTH or not isinstance(value, (dict, list)) or not value:
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        members = [inner + json.dumps(k, ensure_ascii=False) + ": " + pretty(v, indent + 2) for k, v in value.items()]
    else:
        members = [inner + pretty(v, indent + 2) for v in value]
    ends = "{}" if isinstance(value, dict) else "[]"
    return ends[0] + "\n" + ",\n".join(members) + "\n" + " " * indent + ends[1]


class Page:
    def __init__(self, contract, problems):
        self.contract, self.problems = contract, problems
        self.markup = Markup()
        self.schemas = Schemas(contract, self.markup)
        self.problem_names = re.findall(r"^\| `([a-z-]+)` \| \d+ \|", problems, re.M)
        self.markup.names = self.names()

    def names(self):
        names = {name: "problem-" + name for name in self.problem_names}
        names.update({name: "schema-" + name for name in self.contract.schemas})
        for operation in self.contract.operations:
            names[operation.id] = operation.id
            names[operation.method.upper() + " " + operation.path] = operation.id
        return names

    # ---- one operation ----

    def example(self, value):
        text = value if isinstance(value, str) else pretty(value)
        return '<pre tabindex="0"><code>%s</code></pre>' % escape(text.rstrip("\n"))

    def route(self, operation):
        path = re.sub(r"(\{\w+\})", r"<var>\1</var>", escape(operation.path))
        scopes = " or ".join("scope <code>%s</code>" % escape(scope) for scope in operation.scopes())
        access = "no token" if operation.public() else scopes or "any token"
        return '<p class="route"><span class="method %s">%s</span> <code>%s</code> <span class="access">%s</span></p>' % (
            operation.method, operation.method.upper(), path, access)

    def curls(self, operation):
        out = []
        for name, line in curl.commands(self.contract, operation):
            label = '<p class="label">%s</p>' % escape(name) if name else ""
            out.append('%s<pre class="curl" tabindex="0" data-operation="%s"><code>%s</code></pre>' % (
                label, operation.id, escape(line)))
        return "\n".join(out)

    def body(self, operation):
        if not operation.body:
            return ""
        out = ["<h4>Body</h4>"]
        if not operation.body.get("required"):
            out.append("<p>May be absent.</p>")
        for media, node in operation.body["content"].items():
            if media != FORM:
                description = self.contract.resolve(node["schema"]).get("description", "")
                out.append('<div class="media"><p class="label"><code>%s</code> %s</p>%s</div>' % (
                    media, self.schemas.type_of(node["schema"]), self.markup.text(description)))
                if media == JSON:
                    out.append(self.schemas.fields(node["schema"], sent=True))
        return "\n".join(out)

    def answer(self, status, response):
        """One that is no problem: what it is, in each format."""
        out = ['<div class="answer"><p><span class="status">%s</span> %s</p>' % (
            status, self.markup.inline(" ".join(response["description"].split())))]
        if response.get("headers"):
            rows = []
            for name, header in response["headers"].items():
                header = self.contract.resolve(header)
                rows.append(self.schemas.row(name, {**header["schema"], "description": header["description"]}, "header"))
            out.append('<dl class="fields">%s</dl>' % "\n".join(rows))
        for media, node in response.get("content", {}).items():
            out.append('<p class="label"><code>%s</code> %s</p>' % (media, self.schemas.type_of(node["schema"])))
            out += [self.example(value) for _, value in self.contract.examples(node)]
        return "\n".join(out) + "</div>"

    def problem_types(self, response):
        """Those that its description names, or else those of its examples."""
        named = [name for name in re.findall(r"`([a-z-]+)`", response["description"]) if name in self.problem_names]
        examples = [value for _, value in self.contract.examples(response["content"][PROBLEM])]
        shown = [value["type"].rsplit(":", 1)[1] for value in examples]
        return list(dict.fromkeys(named or shown))

    def refusals(self, operation):
        rows = []
        for status, response in operation.responses:
            if status != "default" and list(response.get("content", {})) == [PROBLEM]:
                links = " ".join(self.markup.code(name) for name in self.problem_types(response)
                                 if operation.body or name not in OF_BODIES)
                rows.append('<li><span class="status">%s</span> %s</li>' % (status, links))
        more = '<li><span class="status">any</span> <a href="#everywhere">what every request may meet</a></li>'
        return '<h4>Problems</h4><ul class="refusals">%s%s</ul>' % ("\n".join(rows), more)

    def operation(self, operation):
        parameters = self.schemas.parameters(operation.parameters)
        answers = [self.answer(status, response) for status, response in operation.responses
                   if PROBLEM not in response.get("content", {})]
        return "\n".join([
            '<section class="operation" id="%s" aria-labelledby="%s-title">' % (operation.id, operation.id),
            '<h3 id="%s-title"><a href="#%s">%s</a></h3>' % (
                operation.id, operation.id, self.markup.inline(operation.node["summary"])),
            self.route(operation), self.markup.text(operation.node.get("description")), self.curls(operation),
            "<h4>Parameters</h4>" + parameters if parameters else "", self.body(operation),
            "<h4>Answers</h4>", *answers, self.refusals(operation), "</section>"])

    # ---- sections ----

    def overview(self, operations):
        rows = ['<li><a href="#%s"><span class="method %s">%s</span> <code>%s</code> <span>%s</span></a></li>' % (
            o.id, o.method, o.method.upper(), escape(o.path), self.markup.inline(o.node["summary"])) for o in operations]
        return '<ul class="overview">%s</ul>' % "\n".join(rows)

    def tag(self, tag):
        operations = self.contract.of_tag(tag["name"])
        return "\n".join([
            '<section class="tag" id="tag-%s" aria-labelledby="tag-%s-title">' % (tag["name"], tag["name"]),
            '<h2 id="tag-%s-title"><a href="#tag-%s">%s</a></h2>' % (tag["name"], tag["name"], tag["name"].capitalize()),
            self.markup.text(tag["description"]), self.overview(operations),
            *[self.operation(o) for o in operations], "</section>"])

    def everywhere(self):
        bearer = self.contract.document["components"]["securitySchemes"]
        ways = "\n".join("<h3>Token</h3>" + self.markup.text(way["description"]) for way in bearer.values())
        error = self.contract.document["components"]["responses"]["Error"]["description"]
        return ('<section id="everywhere" aria-labelledby="everywhere-title"><h2 id="everywhere-title">'
                '<a href="#everywhere">Every request</a></h2>%s<h3>Problems of any request</h3>%s</section>' % (
                    ways, self.markup.text(error)))

    def schema(self, name, schema):
        whole = self.contract.resolve(schema)
        limits = self.schemas.limits(whole)
        kind = "" if whole.get("type") == "object" else '<p class="type">%s%s</p>' % (
            self.schemas.type_of(whole), ", " + limits if limits else "")
        return ('<section class="schema" id="schema-%s" aria-labelledby="schema-%s-title"><h3 id="schema-%s-title">'
                '<a href="#schema-%s">%s</a></h3>%s%s%s</section>' % (
                    name, name, name, name, name, self.markup.text(whole.get("description")), kind,
                    self.schemas.fields(schema)))

    def all_schemas(self):
        parts = [self.schema(name, schema) for name, schema in self.contract.schemas.items()]
        return ('<section id="schemas" aria-labelledby="schemas-title"><h2 id="schemas-title"><a href="#schemas">Schemas'
                '</a></h2>%s</section>' % "\n".join(parts))

    def all_problems(self):
        """problems.md, each of its rows with an anchor."""
        text = self.markup.text(self.problems.split("\n", 1)[1])
        for name in self.problem_names:
            here = '<tr><td><a href="#problem-%s">' % name
            text = text.replace(here, here.replace("<tr>", '<tr id="problem-%s">' % name), 1)
        return ('<section id="problems" aria-labelledby="problems-title"><h2 id="problems-title"><a href="#problems">'
                'Problems</a></h2>%s</section>' % text)

    def contents(self):
        out = ['<li><a href="#everywhere">Every request</a></li>']
        for tag in self.contract.tags:
            links = ['<li><a href="#%s">%s</a></li>' % (o.id, self.markup.inline(o.node["summary"]))
                     for o in self.contract.of_tag(tag["name"])]
            out.append('<li><a href="#tag-%s">%s</a><ul>%s</ul></li>' % (
                tag["name"], tag["name"].capitalize(), "\n".join(links)))
        for anchor, title in (("schemas", "Schemas"), ("problems", "Problems")):
            out.append('<li><a href="#%s">%s</a></li>' % (anchor, title))
        return "<ul>%s</ul>" % "\n".join(out)

    def main(self):
        return "\n".join([
            '<h1>HTTP API <span class="version">%s</span></h1>' % escape(self.contract.info["version"]),
            self.markup.text(self.contract.info["description"]), self.everywhere(),
            *[self.tag(tag) for tag in self.contract.tags], self.all_schemas(), self.all_problems()])
