#!/usr/bin/python3
"""
make_index_seeds.py - what fuzz_index starts from: indexes that certauth compile made.

    tests/fuzz/make_index_seeds.py CERTAUTH

Writes tests/fuzz/corpus/index anew, but for the manifest; run it when the format gets a
new version. Each seed is a zero byte and an index. Small: a fuzzer cannot do much with
a large one. The serials are fixed, keys and the seed of the lists are not.
"""

import glob
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
import pki      # noqa: E402  (the path of above)

LONG = 0x40 << 120 | 0x0102030405060708090a0b0c0d0e0f


def make(certauth, name, crls, issuers):
    with tempfile.TemporaryDirectory() as folder:
        for i, c in enumerate(crls):
            c.write(os.path.join(folder, "%d.crl" % i))
        pki.write_pem(os.path.join(folder, "ca.pem"), *issuers)
        state = os.path.join(folder, "state")
        subprocess.run([certauth, "compile", "--issuers", os.path.join(folder, "ca.pem"),
                        "--output", state] +
                       sorted(glob.glob(os.path.join(folder, "*.crl"))),
                       check=True, stdout=subprocess.DEVNULL)
        with open(glob.glob(os.path.join(state, "crl.*.idx"))[0], "rb") as f:
            data = f.read()
    with open(os.path.join(HERE, "corpus", "index", name), "wb") as f:
        f.write(b"\0" + data)
    print("%s: %d bytes" % (name, len(data) + 1))


def main():
    certauth = sys.argv[1]
    ca, other = pki.CA("A"), pki.CA("B")
    make(certauth, "empty", [ca.crl([])], [ca])
    # one CA, four widths and a negative serial; reasons, and one serial twice
    make(certauth, "kinds", [ca.crl([
        1, 0xa1, 0x010203, (LONG, "-3h", "keyCompromise"), (LONG + 1, "-9d", "certificateHold"),
        -5, (7 << 150, "-1h", "privilegeWithdrawn"), (1, "-2h", "certificateHold")])], [ca])
    # scopes, a delta CRL, another CA
    make(certauth, "two", [
        ca.crl([1, 2], number=4, idp=pki.idp_der(user_only=True)),
        ca.crl([3], number=5, idp=pki.idp_der(point="http://crl.example/1.crl")),
        ca.crl([(2, "-1h", "removeFromCRL")], number=6, delta=4,
               idp=pki.idp_der(user_only=True)),
        other.crl([LONG])], [ca, other])
    # an indirect list with entries of another issuer
    named = (9, "-1h", None, [pki.extension("2.5.29.29", True, pki.seq(pki.dirname("B")))])
    make(certauth, "indirect", [ca.crl([1, named, 10], idp=pki.idp_der(indirect=True))],
         [ca, other])
    # several lines
    make(certauth, "lines", [ca.crl([LONG + i * 0x10001 for i in range(300)])], [ca])


if __name__ == "__main__":
    main()
