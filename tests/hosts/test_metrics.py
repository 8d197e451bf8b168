"""
What conf-examples/metrics asks for is what the three servers and the refresher of one machine
really tell; promtool has nothing to say against the numbers; the rules fire when they should.
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import urllib.request

import pytest

from test_machine import ROOT, Machine, pytestmark, refresher  # noqa: F401
from metrics import PROMTOOL, Metrics, lint     # its folder is known by now

FOLDER = os.path.join(ROOT, "conf-examples", "metrics")
FAR = 60
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="no promtool here")


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as f:
        return f.read()


RULES, DASHBOARD = read(FOLDER, "rules.yml"), json.loads(read(FOLDER, "dashboard.json"))
PANELS = [p for p in DASHBOARD["panels"] if p["type"] != "row"]
# Grafana's own words, as it would fill them in
EXPRESSIONS = [t["expr"].replace("$__rate_interval", "5m").replace("$server", ".*").replace(
    "$profile", ".*") for p in PANELS for t in p["targets"]]


class Counting(Machine):
    """One machine that tells everything, and two addresses of CRLs, one without any."""

    def __init__(self, folder):
        super().__init__(folder)
        self.ports = dict(nginx=self.apache.port(), apache=self.apache.port(), dovecot=self.apache.port())
        self.nginx.http += "server { listen 127.0.0.1:%d; location /metrics { certauth_status; } }" \
            % self.ports["nginx"]
        with open(self.apache.conf_file, "a", encoding="utf-8") as f:
            f.write("Listen 127.0.0.1:%d\n<VirtualHost 127.0.0.1:%d>\n<Location /metrics>\n"
                    "SetHandler certauth-status\n</Location>\n</VirtualHost>\n"
                    % (self.ports["apache"], self.ports["apache"]))
        self.dovecot.conf += re.search(r"```dovecot\n(.*?)```", read("docs/metrics.md"), re.S)[1].replace(
            "port = 9900", "port = %d" % self.ports["dovecot"])
        self.file = self.w.path("certauth.prom")
        self.options = ("--metrics", self.file)

    def policy(self, **more):
        url = self.w.http.serve("/ca.crl", self.w.crl([], 1))
        super().policy(sources=["crl"], crl_urls=[url, self.w.http.base + "/none"], **more)

    def text(self, server):
        if server == "refresher":       # it writes once a second
            return read(self.file) if os.path.exists(self.file) else ""
        with urllib.request.urlopen("http://127.0.0.1:%d/metrics" % self.ports[server], timeout=60) as r:
            return r.read().decode()


    def values(self, name):
        """Of the refresher, smallest first."""
        return sorted(value for _, value in Metrics(self.text("refresher")).all(name, {}))


@pytest.fixture(scope="module")
def told():
    """{who: what it tells} after some logins."""
    folder = tempfile.mkdtemp(prefix="certauth-m.")
    try:
        with Counting(folder) as m:
            for server in m.ports:
                refresher.until(lambda: m.enters(server), FAR)
            refresher.until(lambda: m.values("certauth_crl_age_seconds")[:1] == [-1] and
                            m.values("certauth_crl_age_seconds")[1:] >= [0] and
                            m.values("certauth_crl_failures")[-1] >= 1, FAR)
            # its process counts when it hears of it
            refresher.until(lambda: 'profile="p",reason="ok"' in m.text("dovecot"), FAR)
            yield {who: m.text(who) for who in (*m.ports, "refresher")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_promtool_finds_no_fault(told):
    for who in ("nginx", "apache", "refresher"):
        lint(told[who])


def test_each_tells_what_it_did(told):
    for who in ("nginx", "apache"):
        m = Metrics(told[who])
        assert m["certauth_verdicts_total", {"server": who, "profile": "p", "reason": "ok"}] >= 1
        assert m["certauth_certificate_remaining_seconds_count", {"profile": "p"}] >= 1
        assert m["certauth_verifications_total", {}] >= 1
    m = Metrics(told["refresher"])
    assert len(m.all("certauth_crl_entries", {"authority": "test"})) == 2
    assert m["certauth_crl_entries", {"authority": "test"}] == 0
    assert m["certauth_published_total", {}] >= 1 and m["certauth_publish_fault", {}] == 0


def test_rules_and_dashboard_ask_for_what_is_told(told):
    names, labels = {"certauth:verdicts:rate5m"}, {"instance", "job"}
    for text in told.values():
        m = Metrics(text)
        names |= m.names() | {n + "_total" for n, kind in m.types.items() if kind == "counter"}
        labels |= {label for _, have, _ in m.rows for label in have}
    asked = RULES + "\n".join(EXPRESSIONS)
    found = set(re.findall(r"\b(?:dovecot_)?certauth_\w+|\bcertauth:[\w:]+", asked))
    assert len(found) > 15
    assert found <= names, found - names
    found = set(re.findall(r'(\w+)(?:=~|!~|!=|=)"', asked))
    found |= {w for group in re.findall(r"by \(([^)]*)\)", asked) for w in group.replace(",", " ").split()}
    assert {"reason", "profile", "le"} <= found <= labels, found - labels
    # legends and the words of alerts
    found = set(re.findall(r"\$labels\.(\w+)", RULES))
    found |= {w for p in PANELS for t in p["targets"] for w in re.findall(r"{{(\w+)}}", t["legendFormat"])}
    assert found <= labels, found - labels


def test_our_fault_is_what_the_table_of_reasons_says():
    rows = re.findall(r'^REASON\(\d+, \w+, "([a-z-]+)",.*?, "[A-Z]*", ([\w |]+),$',
                      read("shared/reasons.def"), re.M)
    ours = {slug for slug, flags in rows if "OURS" in flags}
    anybody = {slug for slug, flags in rows if "ANYBODY" in flags}
    assert len(rows) > 35 and len(ours) == 5 and len(anybody) >= 4
    lists = {frozenset(found.split("|")) for found in
             re.findall(r'reason(?:=~|!~)"([^"]*)"', RULES + "\n".join(EXPRESSIONS))}
    assert lists == {frozenset(ours), frozenset(anybody), frozenset(anybody | {"ok"})}


@needs_promtool
def test_the_rules_fire(tmp_path):
    """As tests/hosts/rules_test.yml says; it has each alert, when it fires."""
    path = os.path.join(FOLDER, "rules.yml")
    for args in (["check", "rules", path], ["test", "rules", str(tmp_path / "test.yml")]):
        (tmp_path / "test.yml").write_text(read("tests/hosts/rules_test.yml").replace("@RULES@", path))
        p = subprocess.run([PROMTOOL, *args], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           check=False, timeout=120)
        assert p.returncode == 0 and "FAILED" not in p.stdout and "SUCCESS" in p.stdout, p.stdout
    alerts = set(re.findall(r"- alert: (\w+)", RULES))
    assert len(alerts) > 8
    assert alerts == set(re.findall(r"Certauth\w+", read("tests/hosts/rules_test.yml")))


@needs_promtool
def test_the_dashboard_asks_in_promql(tmp_path):
    rules = [{"record": "a:b%d" % i, "expr": e} for i, e in enumerate(EXPRESSIONS)]
    (tmp_path / "all.yml").write_text(json.dumps({"groups": [{"name": "all", "rules": rules}]}))
    p = subprocess.run([PROMTOOL, "check", "rules", "--lint=none", str(tmp_path / "all.yml")],
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    assert p.returncode == 0 and "%d rules found" % len(rules) in p.stdout, p.stdout


def test_the_dashboard_holds_together():
    panels = DASHBOARD["panels"]
    assert len({p["id"] for p in panels}) == len(panels) > 15
    assert all(p["title"] and p["targets"] for p in PANELS)
    taken = set()
    for p in panels:
        g = p["gridPos"]
        cells = {(x, y) for x in range(g["x"], g["x"] + g["w"]) for y in range(g["y"], g["y"] + g["h"])}
        assert not cells & taken, p["title"]
        assert all(x < 24 for x, _ in cells), p["title"]
        taken |= cells
    variables = {v["name"] for v in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$(\w+)", json.dumps(DASHBOARD))) - {"__rate_interval", "__all"}
    assert used == variables == {"datasource", "server", "profile"}
