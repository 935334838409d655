"""Schemas as types in words, and as lists of fields."""
import json

from contract import name_of
from markup import escape

LIMITS = (("minimum", "≥ %s"), ("exclusiveMinimum", "> %s"), ("maximum", "≤ %s"), ("minLength", "at least %s characters"),
          ("maxLength", "at most %s characters"), ("minItems", "at least %s"), ("maxItems", "at most %s"))
FORMATS = {"date-time": "time", "uri-reference": "path", "uri": "URI"}


class Schemas:
    def __init__(self, contract, markup):
        self.contract, self.markup = contract, markup

    def type_of(self, schema):
        """HTML of a few words."""
        if "$ref" in schema:
            name = name_of(schema["$ref"])
            if name not in self.contract.schemas:
                return self.type_of(self.contract.resolve(schema))
            return '<a href="#schema-%s">%s</a>' % (name, name)
        for key in ("oneOf", "anyOf"):
            if key in schema and "type" not in schema:
                return " or ".join(self.type_of(each) for each in schema[key])
        if "const" in schema:
            return self.value(schema["const"])
        if "enum" in schema:
            return " · ".join(self.value(value) for value in schema["enum"])
        types = schema.get("type", "any JSON")
        types = types if isinstance(types, list) else [types]
        return " or ".join(self.plain(each, schema) for each in types)

    def plain(self, name, schema):
        if name == "array" and "items" in schema:
            return "array of " + self.type_of(schema["items"])
        if name == "object" and isinstance(schema.get("additionalProperties"), dict):
            return "object of " + self.type_of(schema["additionalProperties"])
        return escape(FORMATS.get(schema.get("format"), name) if name == "string" else name)

    @staticmethod
    def value(value):
        return "<code>%s</code>" % escape(value if isinstance(value, str) and value else json.dumps(value))

    def limits(self, schema):
        """What else there is to say of a value, as HTML; or nothing."""
        found = [escape(text % format(schema[key], ",")) for key, text in LIMITS
                 if schema.get(key) or key == "exclusiveMinimum" and key in schema]
        if "pattern" in schema:
            found.append("<code>%s</code>" % escape(schema["pattern"]))
        if "default" in schema:
            found.append("default " + self.value(schema["default"]))
        return ", ".join(found)

    def row(self, name, schema, mark=""):
        """`mark`: a word of where it is or whether it must be."""
        description = schema.get("description") or self.contract.resolve(schema).get("description", "")
        limits = self.limits(schema)
        return ('<div><dt><code>%s</code> %s <span class="type">%s</span></dt><dd>%s%s</dd></div>' % (
            escape(name), mark and '<span class="%s">%s</span>' % (mark, mark), self.type_of(schema), self.markup.text(description),
            '<p class="limits">%s</p>' % limits if limits else ""))

    def rows(self, schema, sent, before=""):
        """A row for each property; those of objects within have a dot in their names. The exception is marked: what must
        be sent, what need not be in an answer."""
        out = []
        for name, node in schema.get("properties", {}).items():
            required = name in schema.get("required", [])
            usual = required != sent or schema.get("maxProperties") == 1
            out.append(self.row(before + name, node, "" if usual else "required" if sent else "optional"))
            inner = node.get("items", node) if node.get("type") == "array" else node
            if "$ref" not in inner and inner.get("properties"):
                out += self.rows(inner, sent, before + name + ("[]" if inner is not node else "") + ".")
        return out

    def fields(self, schema, sent=False):
        rows = self.rows(self.contract.resolve(schema), sent)
        return '<dl class="fields">%s</dl>' % "\n".join(rows) if rows else ""

    def parameters(self, parameters):
        rows = [self.row(p["name"], {**p["schema"], "description": p["description"]}, p["in"]) for p in parameters]
        return '<dl class="fields">%s</dl>' % "\n".join(rows) if rows else ""
