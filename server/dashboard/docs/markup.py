"""Texts of openapi.yaml and problems.md as HTML: paragraphs, lists, tables, indented examples, `code`, **strong** and
[links](#there). What they do not use is not understood."""
import html
import re


def escape(text):
    return html.escape(str(text), quote=True)


class Markup:
    """`names` has what stands between backticks and has a place on the page: {text: anchor}."""

    def __init__(self):
        self.names = {}

    def code(self, text):
        shown = "<code>%s</code>" % escape(text)
        anchor = self.names.get(text)
        return '<a href="#%s">%s</a>' % (escape(anchor), shown) if anchor else shown

    def inline(self, text):
        """One line or paragraph."""
        def piece(part):
            if part.startswith("`"):
                return self.code(part.strip("`"))
            part = escape(part)
            part = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", part)
            return re.sub(r"\[([^]]+)\]\(([^)\s]+)\)", r'<a href="\2">\1</a>', part)
        return "".join(piece(part) for part in re.split(r"(`[^`]+`)", text))

    def table(self, lines):
        rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines]
        heads, rest = rows[0], rows[2:]
        out = ['<div class="scroll" tabindex="0" role="region" aria-label="Table"><table><thead><tr>']
        out += ["<th scope=\"col\">%s</th>" % self.inline(cell.strip()) for cell in heads]
        out.append("</tr></thead><tbody>")
        for row in rest:
            out.append("<tr>%s</tr>" % "".join("<td>%s</td>" % self.inline(cell.strip()) for cell in row))
        return "".join(out) + "</tbody></table></div>"

    def block(self, lines):
        if lines[0].startswith("    "):
            return '<pre tabindex="0"><code>%s</code></pre>' % escape("\n".join(line[4:] for line in lines))
        if lines[0].startswith("|"):
            return self.table(lines)
        if lines[0].startswith("- "):
            items = re.split(r"^- ", "\n".join(lines), flags=re.M)[1:]
            return "<ul>%s</ul>" % "".join("<li>%s</li>" % self.inline(" ".join(item.split())) for item in items)
        return "<p>%s</p>" % self.inline(" ".join(lines))

    def text(self, text):
        """Some paragraphs."""
        blocks = re.split(r"\n\s*\n", (text or "").strip("\n").rstrip())
        return "\n".join(self.block(block.split("\n")) for block in blocks if block.strip())
