"""
pages.py - the parts of manual pages that are made; docs/generate writes them.

certauth-COMMAND(1): SYNOPSIS and OPTIONS as the command itself tells them (`certauth help
--json`); what stands around them is written by hand. A command without a page gets one to
begin with. certauth-nginx(5), -apache(5), -dovecot(5), -mapping(5): docs/*.md in the
markup of scdoc.
"""

import json
import os
import re
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
END = "; end of what is made\n"

# Page, section, source, what it is.
FROM_MARKDOWN = [
    ("certauth-nginx", 5, "nginx.md", "client certificates in nginx: directives and variables"),
    ("certauth-apache", 5, "apache.md", "client certificates in Apache httpd: directives, "
     "environment, Require"),
    ("certauth-dovecot", 5, "dovecot.md", "client certificates in Dovecot: settings and modes"),
    ("certauth-mapping", 5, "mapping.md", "from a certificate to a user: rules, maps, denied lists"),
]


def plain(text):
    return re.sub(r"([_*\\#])", r"\\\1", text)


# ----------------------------------------------------------------- the command


def told():
    """What `certauth help --json` says; None where no certauth is built."""
    for binary in (os.environ.get("CERTAUTH"), os.path.join(ROOT, "build/release/certauth"),
                   os.path.join(ROOT, "build/test/certauth")):
        if binary and os.path.exists(binary):
            p = subprocess.run([binary, "help", "--json"], stdin=subprocess.DEVNULL, check=False,
                               stdout=subprocess.PIPE, encoding="utf-8")
            return json.loads(p.stdout) if p.returncode == 0 else None
    return None


def usage(text):
    """Words of a usage line: options bold, what stands for something underlined."""
    def word(m):
        return "*%s*" % m[0] if m[0].startswith("-") else "_%s_" % m[0]
    return re.sub(r"--[a-z-]+|\b[A-Z](?:[A-Z0-9]|,[A-Z])*\b", word, text.replace("*", "\\*"))


def sentence(text):
    return text[:1].upper() + text[1:] + ("" if text.endswith("?") else ".")


def synopsis(rows):
    return "# SYNOPSIS\n" + "".join("\n*certauth* *%s*%s\n" % (
        r["name"], " " + usage(r["usage"]) if r["usage"] else "") for r in rows)


def option(o):
    return "\n*%s*%s%s\n\t%s\n" % (o["name"], " " + usage(o["value"]) if o["value"] else "",
                                   "..." if o["many"] else "", plain(sentence(o["text"])))


def options(rows, all_options):
    taken = {name for r in rows for name in r["options"]}
    mine = [o for o in all_options if o["name"] in taken and not o["everywhere"]]
    return "# OPTIONS\n" + "".join(map(option, mine)) + \
        "\nAnd *--config*, *--json*, *--help* as in *certauth*(1).\n"


def commands(rows):
    out, last = "# COMMANDS\n", None
    for r in rows:
        if r["text"] and (r["name"], r["text"]) != last:
            out += "\n*%s*\n\t%s See *certauth-%s*(1).\n" % (
                r["name"], plain(sentence(r["text"])), r["name"].split()[0])
        last = (r["name"], r["text"])
    return out


def between(text, name, made, path):
    begin = "; made by docs/generate: %s\n" % name
    if begin not in text:
        raise SystemExit("generate: %s has no line %r" % (path, begin.strip()))
    before, rest = text.split(begin, 1)
    return before + begin + made + END + rest.split(END, 1)[1]


SKELETON = """certauth-%s(1)

# NAME

certauth-%s - %s

; made by docs/generate: synopsis
; end of what is made

; made by docs/generate: options
; end of what is made

# SEE ALSO

*certauth*(1), *certauth.conf*(5)
"""


def read(path):
    try:
        with open(os.path.join(HERE, path), encoding="utf-8") as f:
            return f.read()
    except FileNotFoundError:
        return None


def command_pages():
    """{file: text} of each command's page."""
    all_told = told()
    if all_told is None:
        return {}
    rows, pages = all_told["commands"], {}
    names = list(dict.fromkeys(r["name"].split()[0] for r in rows))
    for name in names:
        mine = [r for r in rows if r["name"].split()[0] == name]
        path = "certauth-%s.1.scd" % name
        text = read(path) or SKELETON % (name, name, mine[0]["text"].rstrip("?."))
        text = between(text, "synopsis", synopsis(mine), path)
        pages[path] = between(text, "options", options(mine, all_told["options"]), path)
    for path in os.listdir(HERE):
        if re.fullmatch(r"certauth-[a-z]+\.1\.scd", path) and path not in pages:
            raise SystemExit("generate: docs/man/%s is of a command that is not there" % path)
    text = between(read("certauth.1.scd"), "commands", commands(rows), "certauth.1.scd")
    pages["certauth.1.scd"] = between(text, "options", "# OPTIONS OF ALL COMMANDS\n" + "".join(
        option(o) for o in all_told["options"] if o["everywhere"]), "certauth.1.scd")
    return pages


# -------------------------------------------------------------------- markdown


# Pages that are manual pages too.
MANUAL = {"configuration.md": "**certauth.conf**(5)", "refresher.md": "**certauth-refresher**(8)"}
MANUAL.update((source, "**%s**(%d)" % (name, section)) for name, section, source, _ in FROM_MARKDOWN)


def link(m):
    text, to = m.groups()
    page = to.split("#")[0]
    other = MANUAL.get(page, "docs/" + page if page.endswith(".md") else None)
    if other is None:
        return text
    return other if text.endswith(".md") else "%s (%s)" % (text, other)


def inline(text):
    """Markdown inside a line to scdoc's."""
    out = ""
    for i, part in enumerate(re.split(r"(`[^`]+`)", text)):
        if i % 2:
            out += "*%s*" % plain(part[1:-1].replace("\\|", "|"))
            continue
        part = re.sub(r"\[([^]]+)\]\(([^)]+)\)", link, part.replace("\\|", "|"))
        for k, piece in enumerate(re.split(r"(\*\*[^*]+\*\*|(?<!\w)\*[^*]+\*)", part)):
            if k % 2 == 0:
                out += plain(piece)
            elif piece.startswith("**"):
                out += "*%s*" % plain(piece[2:-2])
            else:
                out += "_%s_" % plain(piece[1:-1])
    return out


def table(lines):
    """A row's first cell is what is told of, the others what is."""
    out = ""
    rows = [[c.strip() for c in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in lines]
    head, rows = rows[0], rows[2:]
    for row in rows:
        if row == [""] * len(row):
            continue
        said = [c if i >= len(head) or not head[i] or len(row) < 3 else "(%s)" % c
                if head[i].startswith("where") else "%s: %s" % (head[i], c)
                for i, c in enumerate(row) if i > 0 and c]
        out += "%s\n\t%s\n\n" % (inline(row[0]) or "-", inline("; ".join(said).replace("); ", ") ")) or "-")
    return out


def converted(source):
    with open(os.path.join(ROOT, "docs", source), encoding="utf-8") as f:
        lines = f.read().split("\n")
    out, i, text = "", 0, []

    def flush():
        nonlocal out, text
        if text:
            out += " ".join(inline(t.strip()) for t in [" ".join(text)]) + "\n\n"
        text = []

    while i < len(lines):
        line = lines[i]
        if line.startswith("# "):
            flush()
        elif line.startswith("<!--") or line == "":
            flush()
        elif line.startswith("##"):
            flush()
            level, title = line.split(" ", 1)
            out += "%s %s\n\n" % (level[1:], title.replace("`", "").upper()
                                  if level == "##" else inline(title).replace("*", ""))
        elif re.match(r"\s*```", line):
            flush()
            indent = len(line) - len(line.lstrip())
            out += "```\n"
            i += 1
            while not re.match(r"\s*```", lines[i]):
                out += lines[i][indent:] + "\n"
                i += 1
            out += "```\n\n"
        elif line.startswith("|"):
            flush()
            rows = []
            while i < len(lines) and lines[i].startswith("|"):
                rows.append(lines[i])
                i += 1
            out += table(rows)
            continue
        elif re.match(r"(- |\d+\. )", line):
            flush()
            mark, item = re.match(r"(-|\d+\.) +(.*)", line).groups()
            item = [item]
            while i + 1 < len(lines) and re.match(r" +\S", lines[i + 1]) and \
                    not re.match(r"\s*```", lines[i + 1]):
                i += 1
                item.append(lines[i].strip())
            out += "%s %s\n" % ("-" if mark == "-" else ".", inline(" ".join(item)))
            if i + 1 < len(lines) and not re.match(r"(- |\d+\. )", lines[i + 1]):
                out += "\n"
        else:
            text.append(line)
        i += 1
    flush()
    return re.sub(r"\n{3,}", "\n\n", out)


def markdown_pages():
    pages = {}
    for name, section, source, what in FROM_MARKDOWN:
        pages["%s.%d.scd" % (name, section)] = \
            "%s(%d)\n\n; made by docs/generate from docs/%s\n\n# NAME\n\n%s - %s\n\n" \
            "# DESCRIPTION\n\n%s# SEE ALSO\n\n*certauth*(1), *certauth.conf*(5), " \
            "*certauth-refresher*(8)\n" % (name, section, source, name, what, converted(source))
    return pages
