"""
test_rfc5280_policies.py - is the policy tree that of RFC 5280 6.1?

Each row: the CAs from the root down, the policies of the leaf, the options, and what
the user-constrained-policy-set has to be.
"""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import pki  # noqa: E402
import question  # noqa: E402
from pki import CA, ia5, integer, oid, policy_constraints_der, seq, tlv  # noqa: E402

ANY = "2.5.29.32.0"
P1, P2, P3 = ("1.3.6.1.4.1.99.%d" % _n for _n in (1, 2, 3))
LONG = "1.3.6.1.4.1.99." + ".".join(["268435455"] * 20)
KEYS = [pki.new_key() for _ in range(5)]
ROOT = CA("Root", key=KEYS[4])
EXPLICIT, NO_ANY, NO_MAP = (["--explicit-policy"], ["--inhibit-any-policy"],
                            ["--inhibit-policy-mapping"])
MAP = [(P1, P2)]
ROWS = question.Rows()


def want(*policies):
    return [word for p in policies for word in ("--require-policy", p)]


def row(name, expect, cas, leaf, args=(), policies=None, root=ROOT, extensions=()):
    at, inter = root, []
    for n, options in enumerate(cas):
        options = dict(options)
        at = CA(options.pop("name", "CA %d" % n), at, key=KEYS[n], **options)
        inter.append(at)
    leaf = at.leaf("x", key=KEYS[3], policies=leaf, extensions=extensions)
    ROWS.add(name, expect, leaf, root, inter, args=args, policies=policies)


def ca(*policies, **more):
    return dict(more, policies=list(policies)) if policies else more


def same(*policies, **more):
    return ca(*policies, name="Same", **more)


for _row in [
        # 6.1.3 (d), 6.1.5 (g)
        ("none", "accept", [ca()], None, [], []),
        ("none-explicit", "reject", [ca()], None, EXPLICIT),
        ("same", "accept", [ca(P1)], [P1], EXPLICIT, [P1]),
        ("same-unasked", "accept", [ca(P1)], [P1], [], [P1]),
        ("leaf-alone", "reject", [ca()], [P1], EXPLICIT),
        ("ca-alone", "reject", [ca(P1)], None, EXPLICIT),
        ("leaf-alone-unasked", "accept", [ca()], [P1], [], []),
        ("other", "reject", [ca(P1)], [P2], EXPLICIT),
        ("other-unasked", "accept", [ca(P1)], [P2], [], []),
        ("common", "accept", [ca(P1, P2)], [P2, P3], EXPLICIT, [P2]),
        ("gap", "reject", [ca(P1), ca()], [P1], EXPLICIT),
        ("gap-unasked", "accept", [ca(P1), ca()], [P1], [], []),
        ("anchor-issues", "accept", [], [P1], EXPLICIT, [P1]),
        ("anchor-issues-none", "reject", [], None, EXPLICIT),
        ("200", "accept", [ca(*["%s.%d" % (P1, n) for n in range(200)])], [P1 + ".7"], EXPLICIT,
         [P1 + ".7"]),
        ("long-oid", "accept", [ca(LONG)], [LONG], EXPLICIT, [LONG]),
        ("twice-in-ca", "reject", [ca(P1, P1)], [P1]),
        ("twice-in-leaf", "reject", [ca(P1)], [P1, P1]),
        # any-policy
        ("any-ca", "accept", [ca(ANY)], [P1], EXPLICIT, [P1]),
        ("any-leaf", "accept", [ca(P1)], [ANY], EXPLICIT, [P1]),
        ("any-any", "accept", [ca(ANY)], [ANY], EXPLICIT, [ANY]),
        ("any-ca-wanted", "accept", [ca(ANY)], [P1], want(P1), [P1]),
        ("any-any-wanted", "accept", [ca(ANY)], [ANY], want(P1), [P1]),
        ("any-beside", "accept", [ca(ANY, P1)], [P1], EXPLICIT, [P1]),
        ("any-beside-leaf", "accept", [ca(P1)], [ANY, P1], EXPLICIT, [P1]),
        ("any-beside-inhibited", "accept", [ca(ANY, P1)], [P1], EXPLICIT + NO_ANY, [P1]),
        ("no-any-ca", "reject", [ca(ANY)], [P1], EXPLICIT + NO_ANY),
        ("no-any-leaf", "reject", [ca(P1)], [ANY], EXPLICIT + NO_ANY),
        ("no-any-unasked", "accept", [ca(ANY)], [P1], NO_ANY, []),
        ("no-any-self-issued", "accept", [same(P1), same(ANY)], [P1], EXPLICIT + NO_ANY, [P1]),
        # the user's set
        ("wanted", "accept", [ca(P1, P2)], [P1, P2], want(P1), [P1]),
        ("wanted-both", "accept", [ca(P1, P2)], [P1, P2], want(P1, P2), [P1, P2]),
        ("wanted-any", "accept", [ca(P1)], [P1], want(ANY), [P1]),
        ("unwanted", "reject", [ca(P1)], [P1], want(P2) + EXPLICIT),
        ("unwanted-unasked", "accept", [ca(P1)], [P1], want(P2), []),
        # 4.2.1.14, 6.1.4 (j)
        ("inhibit-0", "reject", [ca(P1, inhibit_any=0), ca(ANY)], [P1], EXPLICIT),
        ("inhibit-0-own", "accept", [ca(ANY, inhibit_any=0)], [P1], EXPLICIT, [P1]),
        ("inhibit-1", "accept", [ca(P1, inhibit_any=1), ca(ANY)], [P1], EXPLICIT, [P1]),
        ("inhibit-1-second", "reject", [ca(P1, inhibit_any=1), ca(ANY), ca(ANY)], [P1],
         EXPLICIT),
        ("inhibit-0-leaf", "reject", [ca(P1, inhibit_any=0)], [ANY], EXPLICIT),
        ("inhibit-1-leaf", "accept", [ca(P1, inhibit_any=1)], [ANY], EXPLICIT, [P1]),
        ("inhibit-never-grows", "reject", [ca(P1, inhibit_any=0), ca(P1, inhibit_any=5), ca(ANY)],
         [P1], EXPLICIT),
        ("inhibit-0-self-issued", "accept", [same(P1, inhibit_any=0), same(ANY)], [P1], EXPLICIT,
         [P1]),
        ("inhibit-large", "accept", [ca(P1, extensions=[
            ("inhibit_any", True, integer(1 << 70))])], [P1], EXPLICIT, [P1]),
        # 4.2.1.11, 6.1.4 (h) and (i), 6.1.5 (a) and (b)
        ("explicit-0", "reject", [ca(require_policy=0)], None),
        ("explicit-0-met", "accept", [ca(P1, require_policy=0)], [P1], [], [P1]),
        ("explicit-1", "reject", [ca(P1, require_policy=1)], None),
        ("explicit-1-other", "reject", [ca(P1, require_policy=1)], [P2]),
        ("explicit-2", "accept", [ca(P1, require_policy=2)], None, [], []),
        ("explicit-2-later", "reject", [ca(P1, require_policy=2), ca(P1), ca(P1)], None),
        ("explicit-self-issued", "accept", [same(P1, require_policy=2), same(P1)], None, [], []),
        ("explicit-shrinks", "reject", [ca(P1, require_policy=9), ca(P1, require_policy=0)], None),
        ("explicit-never-grows", "reject", [ca(P1, require_policy=0), ca(P1, require_policy=9)],
         None),
        ("constraints-empty", "reject", [ca(P1, extensions=[
            ("policy_constraints", True, seq())])], [P1]),
        ("constraints-not-critical", "reject", [ca(extensions=[
            ("policy_constraints", False, policy_constraints_der(0))])], None),
        ("constraints-other-tag", "reject", [ca(P1, extensions=[
            ("policy_constraints", True, seq(tlv(0x82, b"\0")))])], [P1]),
        # 4.2.1.5, 6.1.4 (a) and (b)
        ("map", "accept", [ca(P1, policy_mappings=MAP)], [P2], EXPLICIT, [P1]),
        ("map-from", "reject", [ca(P1, policy_mappings=MAP)], [P1], EXPLICIT),
        ("map-wanted", "accept", [ca(P1, policy_mappings=MAP)], [P2], want(P1), [P1]),
        ("map-unwanted", "reject", [ca(P1, policy_mappings=MAP)], [P2], want(P2) + EXPLICIT),
        ("map-off", "reject", [ca(P1, policy_mappings=MAP)], [P2], EXPLICIT + NO_MAP),
        ("map-off-from", "reject", [ca(P1, policy_mappings=MAP)], [P1], EXPLICIT + NO_MAP),
        ("map-off-other", "accept", [ca(P1, P3, policy_mappings=MAP)], [P3], EXPLICIT + NO_MAP,
         [P3]),
        ("map-any", "reject", [ca(P1, policy_mappings=[(ANY, P2)])], [P2]),
        ("map-to-any", "reject", [ca(P1, policy_mappings=[(P1, ANY)])], [P2]),
        ("map-under-any", "accept", [ca(ANY, policy_mappings=MAP)], [P2], EXPLICIT, [P1]),
        ("map-two-to-one", "accept", [ca(P1, P3, policy_mappings=[(P1, P2), (P3, P2)])], [P2],
         EXPLICIT, [P1, P3]),
        ("map-one-to-two", "accept", [ca(P1, policy_mappings=[(P1, P2), (P1, P3)])], [P3],
         EXPLICIT, [P1]),
        ("map-swap", "accept", [ca(P1, P2, policy_mappings=[(P1, P2), (P2, P1)])], [P1], EXPLICIT,
         [P2]),
        ("map-chain", "accept", [ca(P1, policy_mappings=MAP), ca(P2, policy_mappings=[(P2, P3)])],
         [P3], EXPLICIT, [P1]),
        ("map-unasserted", "reject", [ca(P1, policy_mappings=[(P3, P2)])], [P2], EXPLICIT),
        ("map-leaf-any", "accept", [ca(P1, policy_mappings=MAP)], [ANY], EXPLICIT, [P1]),
        ("map-empty", "reject", [ca(P1, extensions=[("policy_mappings", True, seq())])], [P1]),
        ("no-map-0", "reject", [ca(P1, inhibit_mapping=0), ca(P1, policy_mappings=MAP)], [P2],
         EXPLICIT),
        ("no-map-1", "accept", [ca(P1, inhibit_mapping=1), ca(P1, policy_mappings=MAP)], [P2],
         EXPLICIT, [P1]),
        ("no-map-1-second", "reject",
         [ca(P1, inhibit_mapping=1), ca(P1), ca(P1, policy_mappings=MAP)], [P2], EXPLICIT),
        ("no-map-0-own", "accept", [ca(P1, inhibit_mapping=0, policy_mappings=MAP)], [P2],
         EXPLICIT, [P1])]:
    row(*_row)

row("leaf-explicit-0", "reject", [ca(P1)], [P2],
    extensions=[("policy_constraints", True, policy_constraints_der(0))])
row("leaf-explicit-1", "accept", [ca(P1)], [P2], policies=[],
    extensions=[("policy_constraints", True, policy_constraints_der(1))])
row("anchor-explicit-0", "accept", [ca()], None, root=CA("Strict root", require_policy=0))
for _name, _expect, _qualifier, _critical in [
        ("cps", "accept", "1.3.6.1.5.5.7.2.1", True), ("unknown", "accept", "1.2.3", False),
        ("unknown-critical", "reject", "1.2.3", True)]:
    row("qualifier-" + _name, _expect, [ca(P1)], None, EXPLICIT, extensions=[
        ("policies", _critical, seq(seq(oid(P1), seq(seq(oid(_qualifier), ia5("http://x"))))))])

test_rows = ROWS.test()
