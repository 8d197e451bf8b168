"""The clock of each module: certificates of test_rfc5280_* live at one fixed time, all others
now, in whichever order modules run."""

import os
import sys

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

import pki                        # noqa: E402


@pytest.fixture(autouse=True)
def clock(request):
    question = sys.modules.get("question")
    fixed = request.module.__name__.startswith("test_rfc5280")
    pki.set_now(question.NOW if fixed else None)
    yield
    pki.set_now(None)
