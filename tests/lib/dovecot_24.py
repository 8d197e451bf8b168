"""
dovecot_24.py - the same configuration in the language of Dovecot 2.4.

Dovecot 2.4 (Debian 13) reads another language than 2.3 (Debian 12): settings have other
names, passdb and userdb have no `args`, lists are blocks. The tests and their harness
write 2.3's; translated(text) is that in 2.4's, for the settings that they use. A setting
that it does not know stays as it is, and Dovecot says so.

    version()               (2, 4) of the Dovecot that is installed
    translated(text)        a configuration for it (included=True: a file that it includes)
    spoken(log)             what it logs, where 2.4 has other words for the same
"""

import functools
import itertools
import os
import re
import subprocess

HEAD = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"
RENAMED = {
    "ssl_cert": "ssl_server_cert_file",
    "ssl_key": "ssl_server_key_file",
    "ssl_ca": "ssl_server_ca_file",
    "ssl_verify_client_cert": "ssl_server_request_client_cert",
    "ssl_require_crl": "ssl_server_require_crl",
    "ssl_cert_username_field": "ssl_server_cert_username_field",
    "service_count": "restart_request_count",
}
GONE = {"ssl_dh"}
PLUGINS = {"zlib": "mail_compress", "imap_zlib": ""}
# No end is a word, not 0.
UNLIMITED = {"service_count", "default_vsz_limit"}
# Services that 2.4 has no more.
NO_SERVICES = {"service ipc", "service old-stats", "service script-login"}
# In passdb and userdb blocks.
DATABASE = {"mechanisms": "mechanisms_filter", "master": "passdb_master"}


@functools.lru_cache()
def version():
    out = subprocess.run(["/usr/sbin/dovecot", "--version"], stdout=subprocess.PIPE,
                         check=True, text=True).stdout
    return tuple(int(n) for n in re.match(r"(\d+)\.(\d+)", out).groups())


def tree(lines):
    """[(setting, value) or (block, [...])] up to the end of the block."""
    out = []
    for line in lines:
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if line == "}":
            break
        if line.endswith("{"):
            out.append((line[:-1].strip(), tree(lines)))
        elif "=" in line:
            name, _, value = line.partition("=")
            out.append((name.strip(), value.strip()))
        else:
            out.append((line, None))
    return out


def variables(value):
    return value.replace("%%", "\0").replace("%u", "%{user}").replace("\0", "%%")


def database(kind, inside, number):
    """A passdb or userdb: what stood in args are settings and fields."""
    values = dict(inside)
    driver = values.pop("driver")
    args = values.pop("args", "")
    out = [("driver", driver)]
    for name, value in values.items():
        out.append((DATABASE.get(name, name), value))
    if driver == "passwd-file":
        out.append(("passwd_file_path", args))
    else:
        fields = []
        for word in args.split():
            name, _, value = word.partition("=")
            if name == "password":
                out.append(("static_password", value))
            else:
                fields.append((name, variables(value)))
        if fields:
            out.append(("fields", fields))
    return ["%s test%d" % (kind, number), out]


def environment(value):
    out = []
    for word in value.split():
        name, equals, given = word.partition("=")
        if not name.startswith("$"):
            out.append((name, given if equals else "%%{env:%s}" % name))
    return ["import_environment", out]


def grouped(value):
    """group_by of a metric: a block for each field, with a block for how."""
    for word in value.split():
        field, *how = word.split(":")
        if not how:
            yield "group_by " + field, []
            continue
        names = {"exponential": ("min_magnitude", "max_magnitude", "base"),
                 "linear": ("min", "max", "step")}[how[0]]
        yield "group_by " + field, [("method " + how[0], list(zip(names, how[1:])))]


def converted(nodes, numbers):
    for name, value in nodes:
        if isinstance(value, list):
            if name in ("passdb", "userdb"):
                yield database(name, value, next(numbers))
            elif name not in NO_SERVICES:
                yield name, list(converted(value, numbers))
        elif name == "import_environment":
            yield environment(value)
        elif name == "mail_location":
            driver, _, path = value.partition(":")
            yield "mail_driver", driver
            yield "mail_path", variables(path)
        elif name == "group_by":
            yield from grouped(value)
        elif name == "disable_plaintext_auth":
            yield "auth_allow_cleartext", "no" if value == "yes" else "yes"
        elif value is None:
            yield name, value
        elif name == "mail_plugins":
            yield name, " ".join(filter(None, (PLUGINS.get(w, w) for w in value.split())))
        elif name in UNLIMITED and value == "0":
            yield RENAMED.get(name, name), "unlimited"
        elif name not in GONE:
            yield RENAMED.get(name, name), variables(value.removeprefix("<"))


def printed(nodes, depth=0):
    for name, value in nodes:
        if isinstance(value, list):
            yield "  " * depth + name + " {"
            yield from printed(value, depth + 1)
            yield "  " * depth + "}"
        else:
            yield "  " * depth + name + ("" if value is None else " = " + value)


def translated(text, included=False):
    """The text in the language of the Dovecot that is installed."""
    if version() < (2, 4):
        return text
    nodes = converted(tree(iter(text.splitlines())), itertools.count(1))
    return ("" if included else HEAD) + "\n".join(printed(nodes)) + "\n"


def spoken(log):
    """The log of the Dovecot that is installed, in the words of 2.3."""
    if version() < (2, 4):
        return log
    return log.replace("Info: Logged in: user=<", "Info: Login: user=<").replace(
        "-login: Info: Login aborted: ", "-login: Info: Disconnected: ")
