"""
test_cases_readme.py - do the cases and tests that tests/cases/README.md names exist?
"""

import glob
import os
import re

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
README = os.path.join(TESTS, "cases", "README.md")


def rows():
    with open(README, encoding="utf-8") as f:
        return [line for line in f if re.match(r"\| c[1-9]-\d\d ", line)]


def sources():
    text = ""
    for folder, _, files in os.walk(TESTS):
        for name in files:
            if name.endswith((".py", ".c")) and name.startswith("test_"):
                with open(os.path.join(folder, name), encoding="utf-8") as f:
                    text += f.read()
            text += "\nfile %s\n" % name
    return text


def test_every_row_is_there():
    have = {r.split()[1] for r in rows()}
    want = ["c1-%02d" % n for n in range(1, 12)] + ["c2-%02d" % n for n in range(12, 24)] + \
        ["c3-%02d" % n for n in (26, 27, 28, 29, 30, 31, 32, 33)] + \
        ["c4-%02d" % n for n in (34, 35, 36, 37, *range(40, 48))] + \
        ["c5-%02d" % n for n in range(48, 58)] + ["c6-%02d" % n for n in range(58, 74)] + \
        ["c8-81", "c8-82", "c8-83"]
    assert have == set(want)


def test_what_is_named_exists():
    text, missing = sources(), []
    for row in rows():
        for word in re.findall(r"`([^`]+)`", row):
            if word.startswith("-"):
                continue
            if "/" in word:
                found = glob.glob(os.path.join(TESTS, "cases", word + ".case")) != []
            elif word.endswith(".c"):
                found = "\nfile %s\n" % word in text
            else:
                pattern = re.escape(word).replace(r"\*", r"\w+")
                found = re.search(r"(def |^)%s\(" % pattern, text, re.M) is not None
            if not found:
                missing.append(word)
    assert not missing
