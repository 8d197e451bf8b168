/*
 * test_config.c - does each setting reach its room, and is each fault told with
 * file, line, what was found and what was expected?
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>

#include "base/text.h"
#include "config/directives.h"
#include "config/policy.h"

static void
test_minimal(void **state)
{
	struct config			*config = load(MINIMAL);
	const struct config_authority	*a = config->authorities;
	const struct config_profile	*p = config->profiles;

	(void)state;
	assert_string_equal(config->path, in_base("certauth.conf"));
	assert_string_equal(config->state.path, "/var/lib/certauth");
	assert_int_equal(config->has_state, access("/var/lib", F_OK) == 0);
	assert_int_equal(config->owners.num_uids, geteuid() == 0 ? 1 : 2);
	assert_null(config->test_clock);

	assert_int_equal(config->num_authorities, 1);
	assert_string_equal(a->name, "a");
	assert_int_equal(a->line, 2);
	assert_int_equal(a->anchors.num_refs, 1);
	assert_string_equal(a->anchors.refs[0].path, in_base("root.pem"));
	assert_int_equal(a->issuers.num_refs, 0);
	assert_int_equal(a->intermediates.num_refs, 0);
	assert_int_equal(a->crls.num_refs, 0);
	assert_int_equal(a->revocation.check, REVOCATION_CHAIN);
	assert_int_equal(a->revocation.unknown, REVOCATION_REFUSE);
	assert_int_equal(a->revocation.grace, 72 * 3600);
	assert_int_equal(a->revocation.max_age, 0);

	assert_int_equal(config->num_profiles, 1);
	assert_string_equal(p->name, "p");
	assert_int_equal(p->line, 3);
	assert_int_equal(p->num_authorities, 1);
	assert_int_equal(p->authorities[0], 0);
	assert_int_equal(p->policy.num_purposes, 1);
	assert_int_equal(p->policy.purposes[0].kind, PURPOSE_CLIENT);
	assert_int_equal(p->policy.num_policies, 0);
	assert_false(p->policy.explicit_policy);
	assert_false(p->policy.inhibit_any);
	assert_false(p->policy.inhibit_mapping);
	assert_int_equal(p->policy.rsa_min, 2048);
	assert_int_equal(p->policy.rsa_max, 8192);
	assert_int_equal(p->policy.curves, POLICY_CURVE_P256 |
	    POLICY_CURVE_P384 | POLICY_CURVE_P521);
	assert_true(p->policy.ed);
	assert_int_equal(p->policy.digests, POLICY_DIGEST_SHA256 |
	    POLICY_DIGEST_SHA384 | POLICY_DIGEST_SHA512);
	assert_int_equal(p->policy.depth, 5);
	assert_int_equal(p->policy.max_lifetime, 0);
	assert_null(p->policy.email);
	assert_null(p->rules);
	assert_int_equal(p->denied, -1);
	assert_int_equal(config->num_live, 0);

	assert_string_equal(config->refresher, "/run/certauth/refresher.sock");
	assert_int_equal(a->num_crl_urls, 0);
	assert_null(a->ocsp_url);
	assert_null(a->ca_file);
	assert_int_equal(a->refresh, 3600);
	assert_false(a->private_addresses);
	assert_false(a->ldap);
	assert_false(a->ocsp_nonce);
	assert_int_equal(a->revocation.num_sources, 2);
	assert_int_equal(a->revocation.sources[0], REVOCATION_CRL);
	assert_int_equal(a->revocation.sources[1], REVOCATION_OCSP);
	assert_int_equal(p->deadline, 2000);
	config_free(config);
}

/* One setting of an authority's revocation must be refused. */
static void
refuse_online(const char *setting, const char *expected)
{
	struct text	text = { 0 };

	text_printf(&text, V P "authorities: { a: { anchors = [ \"root.pem\" ];"
	    "\nrevocation: {\n%s\n}; }; };", setting);
	assert_null(load_n(text.data, text.len));
	if (strstr(error.text, expected) == NULL)
		fail_msg("%s: %s", setting, error.text);
	assert_int_equal(error.line, 5);
	text_free(&text);
}

static void
test_online(void **state)
{
	struct config			*config;
	const struct config_authority	*a;

	(void)state;
	config = load(V "refresher = \"r.sock\";\n"
	    "authorities: { a: { anchors = [ \"root.pem\" ]; revocation: {"
	    "crl_urls = [ \"http://a/x.crl\", \"FILE:///srv/y.crl\","
	    " \"https://[::1]:8/\" ];"
	    "ocsp_url = \"http://10.0.0.1:8080/\"; sources = [ \"ocsp\" ];"
	    "refresh = \"5m\"; ca_file = \"root.pem\";"
	    "private_addresses = true; ocsp_nonce = true; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; deadline = \"0s\"; };"
	    "q: { base = \"p\"; deadline = \"60s\"; }; };");
	a = config->authorities;
	assert_string_equal(config->refresher, in_base("r.sock"));
	assert_int_equal(a->num_crl_urls, 3);
	assert_string_equal(a->crl_urls[0], "http://a/x.crl");
	assert_string_equal(a->crl_urls[1], "FILE:///srv/y.crl");
	assert_string_equal(a->ocsp_url, "http://10.0.0.1:8080/");
	assert_int_equal(a->revocation.num_sources, 1);
	assert_int_equal(a->revocation.sources[0], REVOCATION_OCSP);
	assert_int_equal(a->refresh, 300);
	assert_string_equal(a->ca_file, in_base("root.pem"));
	assert_true(a->private_addresses);
	assert_true(a->ocsp_nonce);
	assert_int_equal(config->profiles[0].deadline, 0);
	assert_int_equal(config->profiles[1].deadline, 60000);
	config_free(config);

	refuse_online("crl_urls = [ \"x.crl\" ];", "expected a URL");
	refuse_online("crl_urls = [ \"/x.crl\" ];", "expected a URL");
	refuse_online("crl_urls = [ \"ftp://h/x\" ];", "expected a URL");
	refuse_online("crl_urls = [ \"file://h/x\" ];", "expected a URL");
	refuse_online("crl_urls = [ \"ldap:///cn=x\" ];", "expected a URL");
	refuse_online("crl_urls = [ \"ldap://h/cn=x\" ];", "ldap = true");
	refuse_online("ldap = true; crl_urls = [ \"ldap:///cn=x\" ];",
	    "expected a URL");
	refuse_online("ldap = true; ocsp_url = \"ldap://h/cn=x\";",
	    "expected a URL");
	config = load(V "authorities: { a: { anchors = [ \"root.pem\" ];"
	    "revocation: { crl_urls = [ \"ldap://h/cn=x\", \"LDAPS://h/cn=x\" ];"
	    "ldap = true; }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; }; };");
	assert_true(config->authorities->ldap);
	assert_int_equal(config->authorities->num_crl_urls, 2);
	config_free(config);
	refuse_online("crl_urls = [ \"http:///x\" ];", "expected a URL");
	refuse_online("crl_urls = [ \"http://h/a b\" ];", "expected a URL");
	refuse_online("crl_urls = \"http://h/\";", "expected a list");
	refuse_online("ocsp_url = \"file:///x\";", "expected a URL");
	refuse_online("ocsp_url = \"http://\";", "expected a URL");
	refuse_online("sources = [ \"ldap\" ];", "\"crl\" or \"ocsp\"");
	refuse_online("sources = [ \"crl\", \"crl\" ];", "each once");
	refuse_online("sources = [ \"crl\", \"ocsp\", \"crl\" ];", "each once");
	refuse_online("refresh = \"0s\";", "over 0");
	refuse_online("ca_file = \"none.pem\";", "found no file");
	assert_null(load_n(PROFILE("deadline = \"61s\";"),
	    strlen(PROFILE("deadline = \"61s\";"))));
	assert_non_null(strstr(error.text, "at most \"60s\""));
}

static void
test_everything(void **state)
{
	struct config			*config;
	const struct config_authority	*a;
	const struct config_profile	*p;

	(void)state;
	assert_int_equal(mkdir(in_base("cas"), 0755), 0);
	put("cas/i.pem", "x");
	config = load(V "state = \"state\"; owner = \"nobody\";\n"
	    "authorities: { b: { anchors = [ \"root.pem\" ]; };\n"
	    "a: { anchors = ( \"root.pem\",\n\"cas\" ); issuers = [ \"cas\" ];\n"
	    "intermediates = [ \"cas/i.pem\" ];\n"
	    "revocation: { check = \"leaf\"; unknown = \"accept\";"
	    " grace = \"0s\"; max_age = \"2d\"; crls = [ \"no/x.crl\",\n"
	    "\"y.crl\"\n]; }; }; };\n"
	    "profiles: { p-1_x*: { authorities = [ \"a\", \"b\" ];\n"
	    "purposes = [ \"emailProtection\", \"1.2.3.4\", \"any\" ];\n"
	    "policies = [ \"1.2.3\", \"2.5.29.32.0\" ];\n"
	    "keys: { rsa_min = 1024; rsa_max = 4096; curves = [ \"P-521\" ];"
	    " ed = false; digests = [ \"sha384\" ]; };\n"
	    "max_lifetime = \"400d\"; depth = 0; denied = \"denied\";\n"
	    "identity = ( { name = \"one\"; authorities = [ \"a\" ];"
	    " key = \"{san.email}\"; table = \"people.map\";"
	    " on_miss = \"next\"; },\n"
	    "{ name = \"two\"; user = \"{san.email}\";"
	    " must_exist = \"people.map\"; } ); }; };\n");
	a = &config->authorities[1];
	p = config->profiles;

	assert_string_equal(config->state.path, in_base("state"));
	assert_true(config->has_state);
	assert_int_equal(config->owners.uids[config->owners.num_uids - 1],
	    65534);
	assert_string_equal(a->name, "a");
	assert_int_equal(a->anchors.num_refs, 2);
	assert_string_equal(a->anchors.refs[1].path, in_base("cas"));
	assert_int_equal(a->anchors.lines[0], 4);
	assert_int_equal(a->anchors.lines[1], 5);
	assert_string_equal(a->anchors.files[1], in_base("certauth.conf"));
	assert_int_equal(a->issuers.num_refs, 1);
	assert_int_equal(a->intermediates.num_refs, 1);
	assert_int_equal(a->revocation.check, REVOCATION_LEAF);
	assert_int_equal(a->revocation.unknown, REVOCATION_ACCEPT);
	assert_int_equal(a->revocation.grace, 0);
	assert_int_equal(a->revocation.max_age, 2 * 86400);
	assert_int_equal(a->crls.num_refs, 2);
	assert_int_equal(a->crls.lines[1], 8);

	assert_string_equal(p->name, "p-1_x*");
	assert_int_equal(p->num_authorities, 2);
	assert_int_equal(p->authorities[0], 1);
	assert_int_equal(p->authorities[1], 0);
	assert_int_equal(p->policy.num_purposes, 3);
	assert_int_equal(p->policy.purposes[0].kind, PURPOSE_EMAIL);
	assert_int_equal(p->policy.purposes[1].kind, PURPOSE_EKU);
	assert_int_equal(p->policy.purposes[2].kind, PURPOSE_ANY);
	assert_int_equal(p->policy.num_policies, 2);
	assert_true(p->policy.explicit_policy);
	assert_int_equal(p->policy.rsa_min, 1024);
	assert_int_equal(p->policy.rsa_max, 4096);
	assert_int_equal(p->policy.curves, POLICY_CURVE_P521);
	assert_false(p->policy.ed);
	assert_int_equal(p->policy.digests, POLICY_DIGEST_SHA384);
	assert_int_equal(p->policy.max_lifetime, 400 * 86400);
	assert_int_equal(p->policy.depth, 0);
	assert_non_null(p->rules);
	/* The map is named twice and is one. */
	assert_int_equal(config->num_live, 2);
	assert_int_equal(config->live[0].kind, CONFIG_TABLE);
	assert_string_equal(config->live[0].ref.path, in_base("people.map"));
	assert_int_equal(p->denied, 1);
	assert_int_equal(config->live[1].kind, CONFIG_DENIED);
	assert_int_equal(config->live[1].line, 14);
	config_free(config);
}

/* One file is one live entry for each kind, however its name is written. */
static void
test_live(void **state)
{
	struct config	*config;
	char		 text[1000];

	(void)state;
	snprintf(text, sizeof(text), V A "profiles: { p: {"
	    " authorities = [ \"a\" ]; denied = \"people.map\"; identity = ("
	    " { name = \"r\"; key = \"{san.email}\"; table = \"people.map\";"
	    " must_exist = \"./people.map\"; } ); };\n q: { base = \"p\";"
	    " denied = \"%s\"; }; };", in_base("people.map"));
	config = load(text);
	assert_int_equal(config->num_live, 2);
	assert_int_equal(config->profiles[0].denied,
	    config->profiles[1].denied);
	config_free(config);
}

/* ---------------------------------------------------------------- unknown */

static void
test_unknown(void **state)
{
	(void)state;
	refused(V "sate = \"x\";\n" A P, 2, "unknown setting \"sate\"",
	    "the top level", "did you mean \"state\"?");
	refused(V "xyzzy = 1;\n" A P, 2, "unknown setting \"xyzzy\"",
	    "docs/configuration.md");
	refused(AUTHORITY("anchor = [ \"x\" ];"), 4, "authorities.a.anchor",
	    "did you mean \"anchors\"?");
	refused(AUTHORITY("revocation: {\nckeck = \"none\"; };"), 5,
	    "authorities.a.revocation.ckeck", "did you mean \"check\"?");
	refused(PROFILE("authorites = [ \"a\" ];"), 4,
	    "did you mean \"authorities\"?");
	refused(PROFILE("keys: { rsa_mni = 1; };"), 4, "profiles.p.keys.rsa_mni",
	    "did you mean \"rsa_min\"?");
	refused(RULE("on_mis = \"next\"; "), 5, "profiles.p.identity[1].on_mis",
	    "did you mean \"on_miss\"?");
	/* The right word in the wrong place. */
	refused(PROFILE("anchors = [ \"root.pem\" ];"), 4, "profiles.p.anchors",
	    "belongs into an authority");
	refused(AUTHORITY("check = \"none\";"), 4,
	    "belongs into the revocation of an authority");
	refused(V "rsa_min = 2048;\n" A P, 2, "the keys of a profile");
	refused(V "State = \"x\";\n" A P, 2, "did you mean \"state\"?");
}

/* Settings of issues to come are as unknown as any other. */
static void
test_identity_settings(void **state)
{
	(void)state;
	refused(PROFILE("classes = [ \"mail\" ];"), 4, "mailbox, organization");
	refused(PROFILE("min_lifetime = \"2d\"; max_lifetime = \"1d\";"), 4,
	    "no more than max_lifetime");
	refused(PROFILE("no_empty_names = 1;"), 4, "true or false");
	refused(PROFILE("min_strength = \"sure\";"), 4, "strong");
	refused(PROFILE("min_strength = \"strong\"; identity = ( { name = \"m\"; "
	    "user = \"{san.email}\"; } );"), 4, "rule \"m\"");
	refused(PROFILE("identity = ( { name = \"m\"; users: { webb = \"a\"; }; "
	    "} );"), 4, "did you mean \"web\"?");
	refused(PROFILE("identity = ( { name = \"m\"; user = \"{user}\"; } );"),
	    4, "in users alone");
}

static void
test_renewal(void **state)
{
	(void)state;
	refused(PROFILE("renewal: { befor = \"90d\"; };"), 4, "did you mean "
	    "\"before\"?");
	refused(PROFILE("renewal: { before = 90; };"), 4, "duration");
	refused(PROFILE("renewal = \"90d\";"), 4, "a group { ... }");
	refused(PROFILE("before = \"90d\";"), 4,
	    "belongs into the renewal of a profile");
}

static void
test_required(void **state)
{
	(void)state;
	refused(A P, 1, "found no version", "version = 1;");
	refused("version = 2;\n" A P "new = 1;", 1, "the number 2",
	    "expected version = 1");
	refused("version = 0;\n" A P, 1, "the number 0");
	refused("version = \"1\";\n" A P, 1, "the text \"1\"");
	refused("version = true;\n" A P, 1, "true");
	refused(V, 1, "no setting \"authorities\"");
	refused(V P, 1, "no setting \"authorities\"");
	refused(V A, 1, "no setting \"profiles\"");
	refused(V "authorities: {};\n" P, 2, "found none", "at least one");
	refused(V A "profiles: {};\n", 3, "found none", "at least one");
	refused(V "authorities: { a: { }; };\n" P, 2, "authorities.a",
	    "no setting \"anchors\"");
	refused(V A "profiles: { p: { depth = 1; }; };\n", 3, "profiles.p",
	    "no setting \"authorities\"");
	refused(PROFILE("identity = ( { user = \"{san.email}\"; } );"), 4,
	    "profiles.p.identity[1]", "no setting \"name\"");
	/* A base does not escape its duties by being one. */
	refused(V A "profiles: { t: { depth = 1; };\n p: { base = \"t\";"
	    " authorities = [ \"a\" ]; }; };\n", 3, "profiles.t",
	    "no setting \"authorities\"");
}

/* ------------------------------------------------------------------- types */

static void
test_types(void **state)
{
	(void)state;
	refused(V "state = 1;\n" A P, 2, "state: found the number 1",
	    "expected a file name");
	refused(V "state = \"\";\n" A P, 2, "the text \"\"");
	refused(V "owner = true;\n" A P, 2, "found true", "a text in quotes");
	refused(V "owner = [ \"x\" ];\n" A P, 2, "a list [ ] of 1");
	refused(V "authorities = \"a\";\n" P, 2, "groups with names");
	refused(V "authorities = ( );\n" P, 2, "a list ( ) of 0",
	    "groups with names");
	refused(V "authorities: { a = \"root.pem\"; };\n" P, 2, "authorities.a",
	    "expected a group");
	refused(V "authorities: { a: { anchors = \"root.pem\"; }; };\n" P, 2,
	    "the text \"root.pem\"", "a list of files or folders");
	refused(V "authorities: { a: { anchors = [ 1 ]; }; };\n" P, 2,
	    "authorities.a.anchors[1]", "the number 1");
	refused(V "authorities: { a: { anchors = ( \"x\", { } ); }; };\n" P, 2,
	    "authorities.a.anchors[2]", "a group { }");
	refused(V "authorities: { a: { anchors = [ \"root.pem\",\n\"\",\n"
	    "\"x\" ]; }; };\n" P, 3, "authorities.a.anchors[2]", "not empty");
	refused(AUTHORITY("revocation = \"none\";"), 4, "expected a group");
	refused(AUTHORITY("revocation: { grace = 72; };"), 4, "the number 72",
	    "as \"72h\"");
	refused(PROFILE("depth = \"5\";"), 4, "the text \"5\"", "whole number");
	refused(PROFILE("depth = -1;"), 4, "the number -1", "whole number");
	refused(PROFILE("keys = [ 1 ];"), 4, "expected a group");
	refused(PROFILE("keys: { ed = 1; };"), 4, "the number 1",
	    "true or false");
	refused(PROFILE("keys: { ed = \"true\"; };"), 4, "true or false");
	refused(PROFILE("keys: { rsa_min = true; };"), 4, "whole number");
	refused(PROFILE("identity: { name = \"r\"; };"), 4, "a list of rules");
	refused(PROFILE("identity = [ \"r\" ];"), 4, "a list of rules");
	refused(PROFILE("identity = ( \"r\" );"), 4, "profiles.p.identity[1]",
	    "a rule");
	refused(RULE("when = 1;"), 5, "the number 1");
	refused(RULE("authorities = \"a\";"), 5, "a list");
	refused(V A "profiles: { p = 1; };", 3, "profiles.p", "a group");
}

static void
test_empty_lists(void **state)
{
	static const char *const	names[] = { "authorities", "purposes",
	    "policies", "identity" };
	char				text[300];
	size_t				i;

	(void)state;
	refused(V "authorities: { a: { anchors = [ ]; }; };\n" P, 2,
	    "an empty list");
	refused(AUTHORITY("issuers = [ ];"), 4, "an empty list",
	    "leave the setting out");
	refused(AUTHORITY("intermediates = ( );"), 4, "an empty list");
	refused(AUTHORITY("revocation: { crls = [ ]; };"), 4, "an empty list");
	refused(PROFILE("keys: { curves = [ ]; };"), 4, "an empty list");
	refused(PROFILE("keys: { digests = [ ]; };"), 4, "an empty list");
	refused(RULE("authorities = [ ];"), 5, "an empty list");
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(text, sizeof(text), V A "profiles: { q: { authorities ="
		    " [ \"a\" ]; };\np: { base = \"q\";\n%s = ( ); }; };\n",
		    names[i]);
		refused_in(text, strlen(text), "certauth.conf", 5,
		    (const char *const []){ names[i], "an empty list", NULL });
	}
}

/* ------------------------------------------------------------------ values */

static void
test_values(void **state)
{
	struct config	*config;

	(void)state;
	refused(AUTHORITY("revocation: { check = \"chains\"; };"), 4,
	    "the text \"chains\"", "\"chain\", \"leaf\" or \"none\"",
	    "did you mean \"chain\"?");
	refused(AUTHORITY("revocation: { check = \"\"; };"), 4, "the text \"\"");
	refused(AUTHORITY("revocation: { check = \"Chain\"; };"), 4, "Chain");
	refused(AUTHORITY("revocation: { unknown = \"ok\"; };"), 4,
	    "\"refuse\" or \"accept\"");
	refused(AUTHORITY("revocation: { grace = \"72\"; };"), 4,
	    "a duration as \"72h\"");
	refused(AUTHORITY("revocation: { grace = \"\"; };"), 4, "a duration");
	refused(AUTHORITY("revocation: { grace = \"-1h\"; };"), 4, "a duration");
	refused(AUTHORITY("revocation: { max_age = \"0s\"; };"), 4, "over 0");
	config = load(AUTHORITY("revocation: { max_age = \"\"; };"));
	assert_int_equal(config->authorities->revocation.max_age, 0);
	config_free(config);
	refused(PROFILE("max_lifetime = \"\";"), 4, "a duration");
	refused(PROFILE("max_lifetime = \"0d\";"), 4, "over 0");
	refused(PROFILE("depth = 33;"), 4, "the number 33", "from 0 to 32");
	config_free(load(PROFILE("depth = 32;")));
	refused(PROFILE("keys: { rsa_max = 8193; };"), 4, "the number 8193",
	    "1024 to 8192");
	refused(PROFILE("keys: { rsa_max = 999999999; };"), 4, "1024 to 8192");
	refused(PROFILE("keys: { rsa_min = 1023; };"), 4, "the number 1023");
	refused(PROFILE("keys: { rsa_min = 0; };"), 4, "the number 0");
	refused(PROFILE("keys: { rsa_min = 4096; rsa_max = 2048; };"), 4,
	    "rsa_min 4096 over rsa_max 2048");
	refused(PROFILE("keys: { rsa_max = 1024; };"), 4,
	    "profiles.p.keys.rsa_max", "rsa_min 2048 over rsa_max 1024");
	refused(PROFILE("keys: { curves = [ \"P-256\",\n\"p256\" ]; };"), 5,
	    "profiles.p.keys.curves[2]", "the text \"p256\"", "\"P-384\"");
	refused(PROFILE("keys: { digests = [ \"md5\" ]; };"), 4,
	    "the text \"md5\"", "\"sha256\"");
	refused(PROFILE("purposes = [ \"clientauth?\" ];"), 4,
	    "profiles.p.purposes[1]", "clientAuth");
	refused(PROFILE("purposes = [ \"anyExtendedKeyUsage\" ];"), 4,
	    "clientAuth");
	refused(PROFILE("policies = [ \"1.2.3\", \"x\" ];"), 4,
	    "profiles.p.policies[2]", "a policy OID");
	refused(PROFILE("policies = [ \"9.9.9\" ];"), 4, "a policy OID");
	refused(RULE("user = \"{san.email}\"; on_miss = \"nxt\";"), 5,
	    "\"refuse\" or \"next\"", "did you mean \"next\"?");
}

/* What an administrator puts into a text never reaches the terminal raw. */
static void
test_hostile_text(void **state)
{
	struct config	*config;

	(void)state;
	config = load_n(PROFILE("purposes = [ \"\xe2\x80\xaex\" ];"),
	    sizeof(PROFILE("purposes = [ \"\xe2\x80\xaex\" ];")) - 1);
	assert_null(config);
	assert_non_null(strstr(error.text, "\\xe2\\x80\\xaex"));
	assert_null(strchr(error.text, '\xe2'));
}

static void
test_many(void **state)
{
	struct text	text = { 0 };
	int		i;

	(void)state;
	text_add(&text, V A "profiles: { p: { authorities = [ \"a\" ];\n"
	    "purposes = [ \"1.2.0\"");
	for (i = 1; i < POLICY_MAX_PURPOSES; i++)
		text_printf(&text, ", \"1.2.%d\"", i);
	text_add(&text, "]; }; };");
	config_free(load(text.data));
	text.len -= strlen("]; }; };");
	text_add(&text, ", \"1.3\"]; }; };");
	refused_in(text.data, text.len, "certauth.conf", 4,
	    (const char *const []){ "found 17 purposes", "at most 16", NULL });
	text_free(&text);

	text_add(&text, V A "profiles: { p: { authorities = [ \"a\" ];\n"
	    "policies = [ \"1.2.0\"");
	for (i = 1; i <= POLICY_MAX_OIDS; i++)
		text_printf(&text, ", \"1.2.%d\"", i);
	text_add(&text, "]; }; };");
	refused_in(text.data, text.len, "certauth.conf", 4,
	    (const char *const []){ "found 65 policies", NULL });
	text_free(&text);

	text_add(&text, V P "authorities: {\n");
	for (i = 0; i <= CONFIG_MAX_AUTHORITIES; i++)
		text_printf(&text, "a%d: { anchors = [ \"root.pem\" ]; };", i);
	text_add(&text, "};");
	refused_in(text.data, text.len, "certauth.conf", 3,
	    (const char *const []){ "found 257", "at most 256", NULL });
	text_free(&text);

	text_add(&text, V A "profiles: {\n");
	for (i = 0; i <= CONFIG_MAX_PROFILES; i++)
		text_printf(&text, "p%d: { authorities = [ \"a\" ]; };", i);
	text_add(&text, "};");
	refused_in(text.data, text.len, "certauth.conf", 3,
	    (const char *const []){ "found 1025", "at most 1024", NULL });
	text_free(&text);

	text_add(&text, V A "profiles: { p: { authorities = [ \"a\" ];\n"
	    "identity = ( { name = \"r\"; user = \"x\"; }");
	for (i = 0; i < RULES_MAX; i++)
		text_add(&text, ", { name = \"r\"; user = \"x\"; }");
	text_add(&text, "); }; };");
	refused_in(text.data, text.len, "certauth.conf", 4,
	    (const char *const []){ "found 257 rules", NULL });
	text_free(&text);

	text_add(&text, V "authorities: { a: { anchors = [ \"root.pem\"");
	for (i = 0; i < CONFIG_MAX_LIST; i++)
		text_add(&text, ", \"root.pem\"");
	text_add(&text, " ]; }; };\n" P);
	refused_in(text.data, text.len, "certauth.conf", 2,
	    (const char *const []){ "found 4097 elements", NULL });
	text_free(&text);
}

/* ------------------------------------------------------------- references */

static void
test_names(void **state)
{
	(void)state;
	refused(V "authorities: { abc: { anchors = [ \"root.pem\" ]; }; };\n"
	    "profiles: { p: { authorities = [ \"abc\",\n\"acb\" ]; }; };\n",
	    4, "profiles.p.authorities[2]", "the text \"acb\"",
	    "the name of an authority", "did you mean \"abc\"?");
	refused(V A "profiles: { p: { authorities = [ \"zzzz\" ]; }; };\n",
	    3, "the name of an authority");
	refused(V A "profiles: { p: { authorities = [ \"a\", \"a\" ]; }; };\n",
	    3, "each authority once");
	refused(RULE("user = \"{san.email}\"; authorities = [ \"nobody\" ];"), 5,
	    "profiles.p.identity[1].authorities[1]", "the name of an authority");
	refused(PROFILE("base = \"staf\"; }; staff: {"), 4, "profiles.p.base",
	    "the name of a profile", "did you mean \"staff\"?");
	refused(V "owner = \"no-such-user\";\n" A P, 2, "owner",
	    "\"no-such-user\" does not exist");
}

static void
test_files(void **state)
{
	struct config	*config;

	(void)state;
	refused(V "authorities: { a: { anchors = [ \"root.pem\",\n\"none.pem\" ];"
	    " }; };\n" P, 3, "authorities.a.anchors[2]", "none.pem",
	    "expected one that exists");
	refused(AUTHORITY("issuers = [ \"no/i.pem\" ];"), 4,
	    "authorities.a.issuers[1]", "no/i.pem", "No such file",
	    "expected a folder that exists");
	refused(AUTHORITY("intermediates = [ \"none\" ];"), 4, "none");
	refused(PROFILE("denied = \"none\";"), 4, "profiles.p.denied", "none");
	refused(PROFILE("denied = \"\";"), 4, "profiles.p.denied");
	refused(RULE("key = \"{san.email}\"; table = \"none.map\";"), 5,
	    "profiles.p.identity[1].table", "none.map");
	refused(RULE("user = \"{san.email}\"; must_exist = \"no/x\";"), 5,
	    "must_exist", "folder");
	/* Missing revocation data is no fault of the configuration. */
	config = load(AUTHORITY("revocation: { crls = [ \"x.crl\", \"no/y.crl\","
	    " \"no/where/z\" ]; };"));
	assert_int_equal(config->authorities->crls.num_refs, 3);
	assert_true(config->authorities->crls.refs[0].folder_fd >= 0);
	assert_int_equal(config->authorities->crls.refs[1].folder_fd, -1);
	config_free(config);
	/* Nor a state that nobody made yet. */
	config = load(V "state = \"no/state\";\n" A P);
	assert_false(config->has_state);
	config_free(config);
	config = load(V "state = \"state\";\n" A P);
	assert_true(config->has_state);
	config_free(config);
}

/* Folders are opened once, however many files of them are named. */
static void
test_descriptors(void **state)
{
	struct config	*config;
	struct text	 text = { 0 };
	int		 i;

	(void)state;
	text_add(&text, V "state = \"s\"; authorities: { a: { anchors = ["
	    " \"root.pem\"");
	for (i = 0; i < 2000; i++)
		text_add(&text, ", \"root.pem\"");
	text_add(&text, "]; revocation: { crls = [ \"c.crl\" ]; }; }; };\n" P);
	config = load(text.data);
	assert_int_equal(config->num_folder_fds, 1);
	config_free(config);
	text_free(&text);
}

static void
test_rules_errors(void **state)
{
	(void)state;
	/* The compiler of rules tells the rule's place. */
	refused(PROFILE("identity = (\n{ name = \"ok\"; user = \"{san.email}\"; },"
	    "\n{ name = \"bad\"; user = \"{san.email|nothing}\"; } );"), 6,
	    "bad");
	refused(RULE("when = \"((\"; user = \"{san.email}\";"), 4, "r");
	/* A lookup needs both, and user is the other way. */
	refused(RULE("key = \"{san.email}\";"), 4, "table");
	refused(RULE("table = \"people.map\";"), 4, "key");
	refused(PROFILE("identity = ( { name = \"r\"; } );"), 4, "user");
}

/* ------------------------------------------------------------------- bases */

static void
test_base(void **state)
{
	struct config			*config;
	const struct config_profile	*p;

	(void)state;
	config = load(V "authorities: { a: { anchors = [ \"root.pem\" ]; };"
	    " b: { anchors = [ \"root.pem\" ]; }; };\n"
	    "profiles: {\n"
	    "third: { base = \"second\"; keys: { rsa_min = 4096; }; };\n"
	    "second: { base = \"first\"; depth = 2; keys: { ed = false; };"
	    " authorities = [ \"b\" ]; };\n"
	    "first: { authorities = [ \"a\" ]; depth = 1; denied = \"denied\";"
	    " keys: { rsa_min = 3072; ed = true; curves = [ \"P-256\" ]; };"
	    " policies = [ \"1.2.3\" ]; identity = ( { name = \"r\";"
	    " user = \"{san.email}\"; } ); };\n};\n");
	p = config->profiles;
	assert_string_equal(p->name, "third");
	assert_int_equal(p->num_authorities, 1);
	assert_int_equal(p->authorities[0], 1);
	assert_int_equal(p->policy.depth, 2);
	assert_int_equal(p->policy.rsa_min, 4096);
	assert_int_equal(p->policy.rsa_max, 8192);
	assert_false(p->policy.ed);
	assert_int_equal(p->policy.curves, POLICY_CURVE_P256);
	assert_int_equal(p->policy.num_policies, 1);
	assert_true(p->policy.explicit_policy);
	assert_non_null(p->rules);
	assert_int_equal(p->denied, 0);
	p = &config->profiles[2];
	assert_int_equal(p->policy.depth, 1);
	assert_int_equal(p->policy.rsa_min, 3072);
	assert_true(p->policy.ed);
	assert_int_equal(config->num_live, 1);
	config_free(config);
}

static void
test_base_faults(void **state)
{
	struct text	text = { 0 };
	int		i;

	(void)state;
	refused(PROFILE("base = \"p\";"), 4, "profiles.p.base",
	    "does not stand on this one");
	refused(V A "profiles: { p: { base = \"q\"; };\nq: { base = \"r\"; };\n"
	    "r: { base = \"q\"; authorities = [ \"a\" ]; }; };\n", 5,
	    "profiles.r.base", "the text \"q\"", "does not stand on");
	/* What was inherited is told where it is written. */
	refused(V A "profiles: { p: { base = \"q\"; };\n"
	    "q: { authorities = [ \"a\" ]; depth = 99; }; };\n", 4,
	    "profiles.q.depth");

	text_add(&text, V A "profiles: {\np0: { authorities = [ \"a\" ]; };\n");
	for (i = 1; i <= CONFIG_MAX_BASES; i++)
		text_printf(&text, "p%d: { base = \"p%d\"; };\n", i, i - 1);
	text_add(&text, "};\n");
	config_free(load(text.data));
	text.len -= 3;
	text_printf(&text, "p%d: { base = \"p%d\"; };\n};", i, i - 1);
	assert_null(load_n(text.data, text.len));
	assert_non_null(strstr(error.text, "at most 16 profiles"));
	text_free(&text);
}

/* -------------------------------------------------------------- directives */

static void
test_directives(void **state)
{
	const struct directive	*row, *other;
	size_t			 i = 0;

	(void)state;
	for (row = NULL; (row = directive_next(row)) != NULL;) {
		assert_ptr_equal(directive_find(row->section, row->name), row);
		assert_true(strlen(row->help) > 10);
		assert_false(row->required && row->fallback != NULL);
		assert_non_null(strchr(DIRECTIVES_DONE, row->issue));
		for (other = NULL; (other = directive_next(other)) != row;)
			assert_false(other->section == row->section &&
			    strcmp(other->name, row->name) == 0);
		i++;
	}
	assert_true(i >= 35);
	assert_null(directive_find(SECTION_TOP, "no_empty_names"));
	assert_null(directive_find(SECTION_PROFILE, "anchors"));
	assert_string_equal(directive_suggest(SECTION_KEYS, "rsamin"),
	    "rsa_min");
	assert_null(directive_suggest(SECTION_KEYS, "completely-other"));
	assert_null(directive_suggest(SECTION_KEYS, ""));
	assert_null(directive_suggest(SECTION_KEYS, "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

#ifdef CERTAUTH_TEST
static void
test_clock(void **state)
{
	struct config	*config;

	(void)state;
	config = load(V "test_clock = \"now\";\n" A P);
	assert_string_equal(config->test_clock, in_base("now"));
	config_free(config);
}
#else
static void
test_clock(void **state)
{
	(void)state;
	refused(V "test_clock = \"now\";\n" A P, 2, "unknown setting");
}
#endif

/* ------------------------------------------------------------------ chroot */

/* What was opened as root serves a process that is neither root nor outside. */
static void
test_chroot(void **state)
{
	struct config		*config;
	struct file_bytes	 bytes;
	pid_t			 child;
	int			 status;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(in_base("crls"), 0755), 0);
	put("crls/one.crl", "crl");
	config = load(V P "authorities: { a: { anchors = [ \"root.pem\" ];"
	    " revocation: { crls = [ \"crls/one.crl\" ]; }; }; };\n"
	    "state = \".\";");
	assert_int_equal(mkdir(in_base("jail"), 0755), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		if (chroot(in_base("jail")) != 0 || chdir("/") != 0 ||
		    setgid(65534) != 0 || setuid(65534) != 0)
			_exit(10);
		if (!file_read(&config->authorities->crls.refs[0],
		    &config->owners, 100, &bytes, &error))
			_exit(11);
		_exit(strcmp((char *)bytes.data, "crl") == 0 ? 0 : 12);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	config_free(config);
}

static void
test_null(void **state)
{
	(void)state;
	config_free(NULL);
}

/* Whatever was refused, nothing stays open. */
static void
test_no_leak(void **state)
{
	int	fd, num = 0;

	for (fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			num++;
	assert_int_equal(num, *(int *)*state);
}

int
main(void)
{
	int	fd, fds = 0;
	const struct CMUnitTest	tests[] = {
		TEST(test_minimal), TEST(test_online),
		TEST(test_everything), TEST(test_live),
		TEST(test_unknown), TEST(test_identity_settings), TEST(test_renewal), TEST(test_required),
		TEST(test_types), TEST(test_empty_lists), TEST(test_values),
		TEST(test_hostile_text), TEST(test_many), TEST(test_names),
		TEST(test_files), TEST(test_descriptors),
		TEST(test_rules_errors), TEST(test_base),
		TEST(test_base_faults),
		TEST(test_directives), TEST(test_clock),
		TEST(test_chroot), TEST(test_null),
		cmocka_unit_test_prestate(test_no_leak, &fds),
	};

	for (fd = 3; fd < 1024; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			fds++;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
