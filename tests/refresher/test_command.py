"""test_command.py - certauth publish, override and show revocation: what an
administrator does by hand, seen by servers that run."""

import json
import os
import socket

import pytest
from world import CA, Answer, World, until


@pytest.fixture(name="w")
def _w(tmp_path):
    with World(tmp_path) as w:
        w.alice.write(w.folder, "alice")
        yield w


def verdict(w, cert="alice"):
    p = w.command("verify", "--json", "--profile", "p", w.path(cert + ".pem"))
    return json.loads(p.stdout)


def put(w, der, name="x.crl"):
    with open(w.path(name), "wb") as f:
        f.write(der)
    return w.path(name)


# ------------------------------------------------------------------------- publish


def test_publish(w):
    assert verdict(w)["reason"] == "revocation-unknown"
    p = w.command("publish", put(w, w.crl([], 1)), status=0)
    assert "Test Issuing CA" in p.stdout
    assert verdict(w)["reason"] == "ok"
    p = w.command("publish", "--json", put(w, w.crl([w.alice], 2)), status=0)
    assert json.loads(p.stdout)["number"] == "02"
    assert verdict(w)["reason"] == "revoked"
    assert len(w.spool()) == 1, "the next edition takes the place of the last"
    # older, foreign, broken, none: refused, and the last good stays
    for der, word in ((w.crl([], 1), "older"), (CA("Nobody").crl().der, "no CA"),
                      (w.crl([], 3)[:-9], "DER"), (b"<html>", "DER"), (b"", "empty"),
                      (w.crl([], 3, this_update="+2h", next_update="+3h"), "future")):
        p = w.command("publish", put(w, der), status=1)
        assert word in p.stderr, p.stderr
        assert verdict(w)["reason"] == "revoked"
    assert w.command("publish", w.path("nothing")).returncode == 2
    assert w.command("publish").returncode == 2


def test_publish_beside_the_refresher(w):
    """A pushed list survives the refresher, and what it fetches survives the push."""
    url = w.http.serve("/r.crl", w.root.crl([w.ca]).der)
    w.policy(crl_urls=[url])
    w.command("publish", put(w, w.crl([w.alice], 5)), status=0)
    w.once()
    assert w.show(w.alice) == "revoked" and w.show(w.ca, w.root) == "revoked"
    w.command("publish", put(w, w.crl([], 6)), status=0)
    assert w.show(w.alice) == "not-listed" and w.show(w.ca, w.root) == "revoked"
    w.once()
    assert w.show(w.alice) == "not-listed" and w.show(w.ca, w.root) == "revoked"


def test_publish_of_a_ca_with_two_keys(w):
    """A CA has changed its key and keeps its name: each key has a list of its own, and
    neither takes the other's place, whatever its number."""
    new = CA("Test Issuing CA", issuer=w.root)
    bob = new.leaf("Bob", email="bob@example.com")
    bob.write(w.folder, "bob")
    with open(w.path("ca.pem"), "w", encoding="ascii") as f:
        f.write(w.ca.pem.decode() + new.pem.decode())
    w.command("publish", put(w, w.crl([w.alice], 1)), status=0)
    assert verdict(w)["reason"] == "revoked"
    w.command("publish", put(w, new.crl([bob], 7).der), status=0)
    assert verdict(w, "bob")["reason"] == "revoked"
    assert verdict(w)["reason"] == "revoked"
    w.command("publish", put(w, w.crl([w.alice], 2)), status=0)
    assert (verdict(w)["reason"], verdict(w, "bob")["reason"]) == ("revoked", "revoked")
    assert len(w.spool()) == 2
    # both in one file, then one alone: the other's list is still there
    w.command("publish", put(w, w.ca.crl([w.alice], 3).pem + new.crl([bob], 8).pem), status=0)
    w.command("publish", put(w, w.crl([w.alice], 4)), status=0)
    assert (verdict(w)["reason"], verdict(w, "bob")["reason"]) == ("revoked", "revoked")


def test_publish_as_root_into_a_folder_of_another(w):
    if os.geteuid() != 0:
        pytest.skip("only root gives files away")
    os.mkdir(w.state)
    os.chown(w.state, 65534, 65534)
    # without `owner` no server would believe what is there, and everybody says so
    for command in (["publish", put(w, w.crl([], 1))], ["compile"], ["check"]):
        p = w.command(*command, status=1 if command[0] == "check" else 2)
        assert "set owner to that user's name" in p.stdout + p.stderr, command
    w.policy(top='owner = "nobody";')
    w.command("publish", put(w, w.crl([], 1)), status=0)
    assert "set owner" not in w.command("check").stdout
    for folder in ("spool", "spool/crl"):
        assert os.stat(os.path.join(w.state, folder)).st_uid == 65534


# ------------------------------------------------------------------------ override


def stale(w, revoked=()):
    w.policy(grace="1m")
    w.command("publish", put(w, w.crl(revoked, 1, this_update="-3h", next_update="-1h")),
              status=0)


def test_override(w):
    stale(w)
    assert verdict(w)["reason"] == "revocation-stale"
    w.command("override", "test", "--stale-until", "2099-01-01T00:00:00Z", "--reason", "x",
              status=2)
    soon = soon_text(3600)
    p = w.command("override", "test", "--stale-until", soon, "--reason",
                  "CA down, ticket 4711", status=0)
    assert soon in p.stdout and "4711" in p.stdout
    v = verdict(w)
    assert v["reason"] == "ok"
    explained = w.command("explain", "--profile", "p", w.path("alice.pem")).stdout
    assert "prolonged by an override" in explained
    check = w.command("check").stdout
    assert "override" in check and "4711" in check and soon in check
    shown = w.command("show", "revocation").stdout
    assert "OVERRIDE test" in shown and "STALE" in shown
    w.command("override", "test", "--end", status=0)
    assert verdict(w)["reason"] == "revocation-stale"
    assert "no override" in w.command("override", status=0).stdout


def test_override_ends_by_itself(w):
    stale(w)
    w.command("override", "test", "--stale-until", soon_text(10), "--reason", "short", status=0)
    assert verdict(w)["reason"] == "ok"
    until(lambda: verdict(w)["reason"] == "revocation-stale", 60)


def test_override_unlists_nobody(w):
    stale(w, [w.alice])
    w.command("override", "test", "--stale-until", soon_text(3600), "--reason", "x", status=0)
    assert verdict(w)["reason"] == "revoked"


def test_override_of_another_authority(w):
    stale(w)
    with open(w.conf, encoding="utf-8") as f:
        text = f.read()
    with open(w.conf, "w", encoding="utf-8") as f:
        f.write(text.replace("authorities: { test:", 'authorities: { other: { anchors = '
                             '[ "root.pem" ]; }; test:'))
    w.command("override", "other", "--stale-until", soon_text(3600), "--reason", "x", status=0)
    assert verdict(w)["reason"] == "revocation-stale"
    w.command("override", "test", "--stale-until", soon_text(3600), "--reason", "y", status=0)
    rows = json.loads(w.command("override", "--json", status=0).stdout)["overrides"]
    assert sorted(r["authority"] for r in rows) == ["other", "test"]


@pytest.mark.parametrize("args", [
    ["test"], ["test", "--stale-until", "SOON"], ["test", "--reason", "x"],
    ["nobody", "--stale-until", "SOON", "--reason", "x"],
    ["test", "--stale-until", "SOON", "--reason", ""],
    ["test", "--stale-until", "SOON", "--reason", "a\nb"],
    ["test", "--stale-until", "tomorrow", "--reason", "x"],
    ["test", "--stale-until", "2020-01-01", "--reason", "x"],
    ["test", "--stale-until", "SOON", "--reason", "y" * 201],
    ["test", "--end", "--stale-until", "SOON"], ["test", "more"], ["--end"],
])
def test_override_refused(w, args):
    stale(w)
    args = [soon_text(3600) if a == "SOON" else a for a in args]
    assert w.command("override", *args).returncode == 2
    assert verdict(w)["reason"] == "revocation-stale"


@pytest.mark.parametrize("text,mode", [
    ("rubbish\n", 0o644), ("test SOON\n", 0o644), ("test SOON now root x\n", 0o644),
    ("test SOON 2026-01-01T00:00:00Z root \n", 0o644),
    ("test SOON 2026-01-01T00:00:00Z root ok\nrubbish\n", 0o644),
    ("test SOON 2026-01-01T00:00:00Z root ok\n", 0o666),
    ("test SOON 2026-01-01T00:00:00Z root \x1b[31m\n", 0o644),
    ("test SOON 2026-01-01T00:00:00Z root a\0b\n", 0o644)])
def test_bad_override_file_overrides_nothing(w, text, mode):
    stale(w)
    path = os.path.join(w.state, "overrides")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text.replace("SOON", soon_text(3600)))
    os.chmod(path, mode)
    assert verdict(w)["reason"] == "revocation-stale"
    os.chmod(path, 0o644)
    with open(path, "w", encoding="utf-8") as f:
        f.write("test %s 2026-01-01T00:00:00Z root good\n" % soon_text(3600))
    assert verdict(w)["reason"] == "ok"


def soon_text(seconds):
    import datetime
    t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


# --------------------------------------------------------------------------- show


def test_show_revocation(w):
    assert "no refresher has worked here" in w.command("show", "revocation", status=0).stdout
    good, bad = w.http.serve("/a.crl", w.crl([w.alice], 7)), w.http.base + "/none"
    w.policy(crl_urls=[good, bad])
    w.once(1)
    text = w.command("show", "revocation", status=0).stdout
    assert "CN=Test Issuing CA" in text and "ERROR HTTP 404" in text and bad in text
    data = json.loads(w.command("show", "revocation", "--json", status=0).stdout)
    assert [(r["issuer"], r["entries"], r["stale"], r["published"]) for r in data["lists"]] == \
        [("CN=Test Issuing CA", 1, False, True)]
    assert {s["url"]: (s["number"], s["error"]) for s in data["refresher"]["sources"]} == \
        {good: ("07", ""), bad: ("", "HTTP 404")}
    assert data["answers"] == {"known": 0, "revoked": 0} and data["overrides"] == []
    # a damaged file of the refresher is as if there were none
    with open(os.path.join(w.state, "status.json"), "w", encoding="utf-8") as f:
        f.write("{")
    assert "no refresher has worked here" in w.command("show", "revocation", status=0).stdout


def test_nobody_fetches(w):
    """check and show say it in the same words; a refresher that has just written is none."""
    def told():
        data = json.loads(w.command("show", "revocation", "--json", status=0).stdout)
        text = w.command("show", "revocation", status=0).stdout
        check = w.command("check").stdout
        fault = data["refresherFault"]
        assert ("NOBODY FETCHES: " in text) == (fault != "")
        assert fault in text and fault in check
        return fault
    w.policy(crl_urls=[w.http.serve("/a.crl", w.crl())])
    assert told() == ""                 # there never was one
    w.once()
    assert told() == ""
    path = os.path.join(w.state, "status.json")
    with open(path, encoding="utf-8") as f:
        status = json.load(f)
    status["written"] = "2026-01-02T03:04:05Z"
    with open(path, "w", encoding="utf-8") as f:
        json.dump(status, f)
    assert told() == "the refresher does not run; its last word is of 2026-01-02T03:04:05Z"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(w.socket)                # and is closed: what a killed one leaves behind
    assert "nobody answers on it: the refresher has died" in told()
    os.unlink(w.socket)
    daemon = w.start()
    assert told() == ""
    w.stop(daemon)


def test_check_says_who_cannot_be_reached(w):
    good, bad = w.http.serve("/a.crl", w.crl()), w.http.serve("/b.crl", Answer(b"", 500))
    w.policy(crl_urls=[good, bad])
    w.once(1)
    p = w.command("check")
    assert "HTTP 500" in p.stdout and bad in p.stdout
    assert good not in p.stdout
