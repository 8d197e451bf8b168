"""
world.py - whose certificates are there, and which files does the policy name?

Makes a throw-away PKI shaped like PersonalSign's two trees (a mail-capable root that
exists twice with one key, and an authentication-only root) and the folder that stands
for /etc/certauth. Names are made up; dates are current.
"""

import os
import pwd
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
EXAMPLES = os.path.join(ROOT, "conf-examples")
sys.path.insert(0, os.path.join(ROOT, "tests", "lib"))

from pki import CA, write_pem  # noqa: E402

# What a PersonalSign certificate of each class carries (S/MIME BR and GlobalSign's own).
MAILBOX = ["2.23.140.1.5.1.2", "1.3.6.1.4.1.4146.10.3.3"]
SPONSOR = ["2.23.140.1.5.3.2", "1.3.6.1.4.1.4146.10.3.2"]
DIRECTORY = [("C", "CH"), ("ST", "Zürich"), ("L", "Zürich"),
             ("organizationIdentifier", "VATCH-CHE-123.456.789"), ("O", "Example ag")]
MAIL_EKU = ["clientAuth", "emailProtection", "msSmartcardLogin", "msEFS"]
AUTH_EKU = ["clientAuth", "msSmartcardLogin"]

def policy_example(name, folder):
    """conf-examples/NAME word for word into FOLDER. Where nobody is called certauth (the
    packages and docs/install.md make that user) the owner is whoever runs this."""
    with open(os.path.join(EXAMPLES, name), encoding="utf-8") as f:
        text = f.read()
    try:
        pwd.getpwnam("certauth")
    except KeyError:
        owner = 'owner = "certauth";'
        if owner not in text:
            raise ValueError("conf-examples/%s does not say whose data is believed" % name)
        text = text.replace(owner, 'owner = "%s";' % pwd.getpwuid(os.geteuid()).pw_name)
    to = os.path.join(folder, os.path.basename(name))
    with open(to, "w", encoding="utf-8") as f:
        f.write(text)
    return to


USERS = ["alice", "bob", "rita", "ivan", "ed", "emma", "paul", "uma", "dan", "otto"]      # nora is in no map


class World:
    def __init__(self, folder):
        self.folder = folder
        self.etc = os.path.join(folder, "etc")
        self.clients = os.path.join(folder, "clients")
        self.tls = os.path.join(folder, "tls")
        for d in (self.etc, self.clients, self.tls):
            os.makedirs(d)
        self.authorities()
        self.people()
        self.policy()
        self.servers()

    def authorities(self):
        org = [("C", "BE"), ("O", "Throw-away nv-sa")]
        # The trap: the new root was also certified by the old one, for e-mail only. Over
        # that cross-certificate no login certificate is good; a path builder must go on.
        self.old_root = CA(org + [("CN", "Demo Root R3")], key="rsa2048")
        self.mail_root = CA(org + [("CN", "Demo Secure Mail Root R45")], key="rsa3072")
        self.cross = self.mail_root.cross(self.old_root, eku=["emailProtection"],
                                          policies=["anyPolicy"])
        self.auth_root = CA(org + [("CN", "Demo Client Authentication Root R45")], key="p384")

        self.mail_ca = CA(org + [("CN", "Demo SMIME CA 2025")], self.mail_root, key="rsa2048",
                          eku=MAIL_EKU, policies=["anyPolicy"], pathlen=0)
        self.auth_ca = CA(org + [("CN", "Demo PersonalSign 3 CA 2026")], self.auth_root,
                          eku=AUTH_EKU, policies=["anyPolicy"], pathlen=0)
        self.gone_ca = CA(org + [("CN", "Demo PersonalSign 2 CA 2020")], self.auth_root,
                          eku=AUTH_EKU, policies=["anyPolicy"], pathlen=0)
        self.other_ca = CA([("C", "DE"), ("O", "Somebody Else GmbH"),
                            ("CN", "Somebody Else Mail CA")], self.mail_root,
                           eku=["clientAuth", "emailProtection"], policies=["anyPolicy"],
                           pathlen=0)
        self.stranger_root = CA("Mallory's own Root")
        self.stranger_ca = CA("Mallory's own CA", self.stranger_root)
        self.house_root = CA("Example ag In-house Root")
        self.house_ca = CA("Example ag Devices CA", self.house_root)

    def people(self):
        self.certs, self.issuer_of = {}, {}

        def person(name, ca, first, last, **more):
            mail = more.pop("mail", "%s@example.com" % name)
            more.setdefault("subject", DIRECTORY + [("GN", first), ("SN", last),
                                                    ("CN", "%s %s" % (first, last))])
            more.setdefault("policies", SPONSOR)
            more.setdefault("eku", ["clientAuth", "emailProtection"])
            self.certs[name] = ca.leaf(email=mail, key=more.pop("key", "rsa2048"), **more)
            self.issuer_of[name] = ca

        def mailbox(name, ca, **more):      # the shape of PersonalSign 1
            mail = "%s@example.com" % name
            person(name, ca, name, "", subject=[("CN", mail), ("emailAddress", mail)],
                   policies=MAILBOX, **more)

        person("alice", self.mail_ca, "Alice", "Ackermann")
        person("bob", self.auth_ca, "Bob", "Baumann", eku=["clientAuth"], key="p256")
        mailbox("paul", self.mail_ca)
        person("rita", self.mail_ca, "Rita", "Roth")
        person("ivan", self.gone_ca, "Ivan", "Imhof", eku=["clientAuth"], key="p256")
        person("ed", self.mail_ca, "Ed", "Egli", not_before="-400d", not_after="-35d")
        person("emma", self.mail_ca, "Emma", "Erni", eku=["emailProtection"])
        person("uma", self.other_ca, "Uma", "Ullmann")
        person("mallory", self.stranger_ca, "Alice", "Ackermann",
               mail="alice@example.com")
        person("nora", self.mail_ca, "Nora", "Neu")
        person("dan", self.mail_ca, "Dan", "Denzler")
        person("otto", self.mail_ca, "Otto", "Odermatt")
        for name, cert in self.certs.items():
            ca = self.issuer_of[name]
            cert.write(self.clients, name, chain=[ca])
        self.certs["alice"].write(self.clients, "alice-leaf-only")
        self.certs["alice"].write(self.clients, "alice-cross", chain=[self.mail_ca, self.cross])
        with open(os.path.join(self.clients, "alice.pfx"), "wb") as f:
            f.write(self.certs["alice"].p12(None, [self.mail_ca]))

    def policy(self):
        """conf-examples/certauth.conf word for word, and the files it names."""
        policy_example("certauth.conf", self.etc)
        for d in ("personalsign/anchors", "personalsign/issuers", "personalsign/intermediates",
                  "crls/personalsign", "in-house"):
            os.makedirs(os.path.join(self.etc, d))
        ps = os.path.join(self.etc, "personalsign")
        for c in (self.old_root, self.mail_root, self.auth_root):
            write_pem(os.path.join(ps, "anchors", c.file_name() + ".pem"), c)
        for c in (self.mail_ca, self.auth_ca, self.gone_ca):
            write_pem(os.path.join(ps, "issuers", c.file_name() + ".pem"), c)
        write_pem(os.path.join(ps, "intermediates", "cross.pem"), self.cross)
        write_pem(os.path.join(ps, "intermediates", "somebody-else.pem"), self.other_ca)
        self.crl_folder = os.path.join(self.etc, "crls", "personalsign")
        self.revoked = [(self.certs["rita"], "-2d", "keyCompromise")]
        self.crl_number = 0
        self.publish()
        write_crl = lambda ca, name, rows=(): ca.crl(rows).write(  # noqa: E731
            os.path.join(self.crl_folder, name), der=True)
        write_crl(self.old_root, "root-r3.crl")
        write_crl(self.mail_root, "smimerootr45.crl")
        write_crl(self.auth_root, "clientauthrootr45.crl",
                  [(self.gone_ca, "-30d", "cACompromise")])
        write_crl(self.auth_ca, "personalsign3ca2026.crl")
        write_crl(self.gone_ca, "personalsign2ca2020.crl")
        write_crl(self.other_ca, "somebody-else.crl")
        write_pem(os.path.join(self.etc, "in-house", "root.pem"), self.house_root)
        write_pem(os.path.join(self.etc, "in-house", "devices.pem"), self.house_ca)
        self.house_ca.crl().write(os.path.join(self.etc, "crls", "in-house.crl"))
        self.text("people.map", "# key user [groups]\n" + "".join(
            "%s %s staff\n" % (u, u) for u in USERS))
        self.text("devices.map", "# sha256 of the key, name\n%s printer-3\n" %
                  self.house_ca.leaf("printer-3").spki_sha256())
        self.text("denied", "user:dan reason=left the company\n")

    def servers(self):
        root = CA("Demo Server Root")
        chain = root.server("www.example.com", "mail.example.com", "localhost", "127.0.0.1")
        chain.write(self.tls, "server")
        write_pem(os.path.join(self.tls, "ca.pem"), root)

    def client(self, who):
        """(certificate, key), files of the client WHO."""
        return tuple(os.path.join(self.clients, who + end) for end in (".pem", ".key"))

    def text(self, name, text):
        path = os.path.join(self.etc, name)
        with open(path + ".part", "w", encoding="utf-8") as f:
            f.write(text)
        os.rename(path + ".part", path)

    def publish(self):
        """A new CRL of the mail CA, dropped in place as a cron job would."""
        self.crl_number += 1
        self.mail_ca.crl(self.revoked, number=self.crl_number).write(
            os.path.join(self.crl_folder, "smimeca2025.crl"), der=True)

    def revoke(self, name):
        self.revoked.append((self.certs[name], "now", "superseded"))
        self.publish()
