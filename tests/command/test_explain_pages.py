"""
explain --html and --dot: the picture of the path search, whole by itself, and nothing that a
certificate says gets out of its place.
"""

import html.parser
import os
import re
import shutil
import subprocess
import xml.etree.ElementTree as ET

import pytest

import pki

FLAVOUR = os.environ.get("FLAVOUR", "test")
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CERTAUTH = os.path.join(ROOT, "build", FLAVOUR, "certauth")
HOSTILE = "</title><script>alert(1)</script>\"'&\\\"];evil->n0[label=\"x"


class Page(html.parser.HTMLParser):
    """Well nested, and what is in it."""
    VOID = {"meta", "rect", "path"}

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.text, self.attrs = [], [], "", []
        self.feed(text)
        self.close()
        assert self.open == [], self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attrs += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        self.text += data


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A root, its cross-certificate by a second root, an issuing CA, people."""
    folder = tmp_path_factory.mktemp("pages")
    root = pki.CA("Root")
    other = pki.CA("Other root")
    ca = pki.CA("Issuing CA", root)
    world = {"root": root, "other": other, "ca": ca,
             "alice": ca.leaf("Alice", email="alice@example.com"),
             "old": ca.leaf("Old", email="old@example.com", not_before="-400d", not_after="-30d"),
             "evil": ca.leaf(HOSTILE, email="evil@example.com")}
    for name, cert in world.items():
        with open(folder / (name + ".pem"), "wb") as f:
            f.write(cert.pem)
    return folder


def explain(made, how, who, roots=("root",), inter=("ca",), code=0):
    args = [CERTAUTH, "explain", how, "--roots", *[made / (r + ".pem") for r in roots]]
    if inter:
        args += ["--intermediates", *[made / (i + ".pem") for i in inter]]
    r = subprocess.run([*map(str, args), str(made / (who + ".pem"))], capture_output=True, text=True,
                       timeout=60)
    assert r.returncode == code, r
    return r.stdout


@pytest.mark.parametrize("who, roots, inter, code, words", [
    ("alice", ["root"], ["ca"], 0, ["Accepted: ok (1000)", "trust anchor", "Issuing CA"]),
    ("old", ["root"], ["ca"], 1, ["Refused: expired (1201)", "What to do:", "expired"]),
    ("alice", ["other"], ["ca"], 1, ["Refused: no-path", "issuer, not found"]),
    ("alice", ["root"], [], 1, ["Refused: no-path", "issuer, not found", "Issuing CA"]),
    ("evil", ["root"], ["ca"], 0, ["Accepted: ok (1000)", "alert(1)"]),
])
def test_page(made, who, roots, inter, code, words):
    text = explain(made, "--html", who, roots, inter, code)
    page = Page(text)
    for word in words:
        assert word in page.text, word
    assert "script" not in page.tags and "svg" in page.tags
    # it fetches nothing
    assert not {"src", "href", "action", "srcset"} & {a for a, _ in page.attrs}
    assert not re.search(r"url\(|@import", text)
    assert not [a for a, _ in page.attrs if a.startswith("on")]


@pytest.mark.parametrize("who, code", [("alice", 0), ("old", 1), ("evil", 0)])
def test_svg_is_xml(made, who, code):
    text = explain(made, "--html", who, code=code)
    root = ET.fromstring(re.search(r"<svg.*</svg>", text, re.S)[0])
    boxes = [e for e in root.iter() if e.tag.endswith("rect")]
    assert len(boxes) == 3
    width, height = int(root.get("width")), int(root.get("height"))
    for b in boxes:
        assert int(b.get("x")) + int(b.get("width")) <= width
        assert int(b.get("y")) + int(b.get("height")) <= height


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
@pytest.mark.parametrize("who, code", [("alice", 0), ("old", 1), ("evil", 0)])
def test_dot_draws_it(made, who, code):
    text = explain(made, "--dot", who, code=code)
    r = subprocess.run(["dot", "-Tsvg"], input=text, capture_output=True, text=True, timeout=60)
    assert r.returncode == 0 and r.stderr == "", r.stderr
    svg = ET.fromstring(r.stdout)
    titles = [e.text for e in svg.iter() if e.tag.endswith("title")]
    assert sorted(t for t in titles if re.fullmatch(r"n\d+", t)) == ["n0", "n1", "n2"]
    assert sorted(t for t in titles if "->" in t) == ["n0->n1", "n1->n2"]


def test_a_mesh_has_a_ceiling(made, tmp_path):
    """A key with a hundred certificates: the picture stays a picture."""
    roots = [pki.CA("Root %d" % i) for i in range(60)]
    key = pki.new_key()
    inters = [pki.CA("Shared", r, key=key) for r in roots]
    leaf = inters[0].leaf("Mesh", not_before="-400d", not_after="-30d")
    files = {}
    for name, certs in (("roots", roots), ("inters", inters), ("leaf", [leaf])):
        files[name] = tmp_path / (name + ".pem")
        files[name].write_bytes(b"".join(c.pem for c in certs))
    for how in ("--html", "--dot"):
        r = subprocess.run([CERTAUTH, "explain", how, "--roots", files["roots"], "--intermediates",
                            files["inters"], files["leaf"]], capture_output=True, text=True, timeout=60)
        assert r.returncode == 1, r
        assert len(r.stdout) < 200000
        if how == "--html":
            Page(r.stdout)
            assert r.stdout.count("<rect") <= 48
        assert "more paths" in r.stdout


def test_one_form_at_a_time(made):
    r = subprocess.run([CERTAUTH, "explain", "--html", "--dot", "--roots", str(made / "root.pem"),
                        str(made / "alice.pem")], capture_output=True, text=True, timeout=60)
    assert r.returncode == 2 and r.stdout == "" and "--html" in r.stderr
