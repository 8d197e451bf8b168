"""
Who logs in with a certificate that ends soon is told so, before the OK of IMAP: the one
place of the four protocols in which a login may say more than yes.
"""

import pytest

from mail_clients import b64, connect

PROFILE = 'due: { base = "mail"; renewal: { before = "40d"; after = "7d"; }; };'


@pytest.fixture(scope="module")
def server(world):
    for name, days in (("soon", 5), ("month", 30)):
        world.add(name, world.ca, not_before="-300d", not_after="+%dd" % days)
    text = open(world.map, encoding="utf-8").read()
    world.write("people.map", text + "".join("%s@example.com %s\n" % (n, n)
                                             for n in ("soon", "month")))
    conf = world.policy("renewal.conf", more=PROFILE)
    with world.dovecot("renew", env={"conf": conf, "profile": "due"}) as d:
        yield d


def said(world, server, who, command=None):
    """What the answer to one login says of the certificate's end."""
    with connect("imap", server, cert=world.cert(who)) as c:
        c.send("a " + (command or "AUTHENTICATE EXTERNAL ="))
        lines = [c.line()]
        while not lines[-1].startswith("a "):
            lines.append(c.line())
    assert lines[-1].startswith("a OK"), lines
    return [line for line in lines if "certificate ends" in line]


def test_a_month_before(world, server):
    (line,) = said(world, server, "month")
    assert line.startswith("* OK Your client certificate ends in 29 days, on 20") or \
        line.startswith("* OK Your client certificate ends in 30 days, on 20"), line
    assert line.endswith(": time to renew it.")


def test_people_are_shown_it_in_the_last_week(world, server):
    (line,) = said(world, server, "soon")
    assert line.startswith("* OK [ALERT] Your client certificate ends in "), line


def test_nothing_else_is_said(world, server):
    # not due, and a password that no certificate decided
    assert said(world, server, "alice") == []
    plain = "AUTHENTICATE PLAIN " + b64("\0alice\0secret")
    assert said(world, server, "month", plain) == []
