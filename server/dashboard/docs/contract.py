"""openapi.yaml, read and resolved. Order is that of the file."""
import yaml

METHODS = ("get", "post", "put", "patch", "delete")
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"  # the same JSON, as `curl -d` sends it


class Operation:
    """One method of one path; parameters are those of the path and its own."""

    def __init__(self, contract, path, method, item, node):
        self.path, self.method, self.node = path, method, node
        self.id = node["operationId"]
        self.parameters = [contract.resolve(p) for p in item.get("parameters", []) + node.get("parameters", [])]
        self.body = contract.resolve(node.get("requestBody"))
        self.responses = [(str(status), contract.resolve(r)) for status, r in node["responses"].items()]
        self.security = node.get("security", contract.document.get("security", []))

    def scopes(self):
        return [scope for way in self.security for scopes in way.values() for scope in scopes]

    def public(self):
        """Whether it needs no token, even if there is one."""
        return "security" in self.node and not any(self.security)


class Contract:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.document = yaml.safe_load(file)
        self.info = self.document["info"]
        self.tags = self.document["tags"]
        self.schemas = self.document["components"]["schemas"]
        self.operations = [Operation(self, path, method, item, item[method])
                           for path, item in self.document["paths"].items() for method in item if method in METHODS]

    def resolve(self, node):
        """What a reference stands for; what is beside it wins."""
        if not isinstance(node, dict) or "$ref" not in node:
            return node
        target = self.document
        for part in node["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        beside = {key: value for key, value in node.items() if key != "$ref"}
        return {**self.resolve(target), **beside}

    def of_tag(self, name):
        return [operation for operation in self.operations if name in operation.node["tags"]]

    def examples(self, media):
        """[(name, value)] of a media type object; the name may be empty."""
        if "example" in media:
            return [("", media["example"])]
        return [(name, self.resolve(example)["value"]) for name, example in media.get("examples", {}).items()]


def name_of(reference):
    return reference.rsplit("/", 1)[1]
