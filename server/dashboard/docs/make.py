"""Makes docs.html, the page at /docs, of openapi.yaml and schema/problems.md: plain HTML that asks for nothing but two
style sheets. Run by CMake; needs python3-yaml."""
import sys

from contract import Contract
from page import Page


def main():
    template, openapi, problems, output = sys.argv[1:]
    with open(problems, encoding="utf-8") as file:
        page = Page(Contract(openapi), file.read())
    with open(template, encoding="utf-8") as file:
        text = file.read()
    for name, part in (("CONTENTS", page.contents()), ("MAIN", page.main())):
        text = text.replace("<!-- %s -->" % name, part)
    with open(output, "w", encoding="utf-8") as file:
        file.write(text)


if __name__ == "__main__":
    main()
