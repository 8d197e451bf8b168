/*
 * test_undecided.c - the whole round: a verdict that local data cannot give, its
 * questions, and what each sort of reply makes of it.
 */

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/ocsp.h>

#include "ask/ask.h"
#include "certauth.h"
#include "certauth_data.h"
#include "revocation/ocsp.h"
#include "trust/mesh.h"

static char		 folder[] = "/tmp/certauth-undecided-XXXXXX";
static EVP_PKEY		*root_key, *sub_key, *other_key;
static X509		*root, *sub, *leaf, *orphan, *mute;
static int		 sock = -1;
static struct certauth	*engine;

static const char *
in_folder(const char *name)
{
	static char	path[100];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

static void
put_cert(const char *name, X509 *x)
{
	FILE	*f = fopen(in_folder(name), "w");

	assert_non_null(f);
	PEM_write_X509(f, x);
	fclose(f);
	chmod(in_folder(name), 0644);
}

static X509 *
with_urls(const char *name, const char *issuer, EVP_PKEY *key)
{
	X509	*x = mesh_cert(name, key, issuer, key, false, NOW - DAY,
		    NOW + 9 * DAY);

	mesh_ext(x, NID_info_access, "OCSP;URI:http://ocsp.example/,"
	    "caIssuers;URI:http://aia.example/sub.cer");
	assert_true(X509_sign(x, key, EVP_sha256()) > 0);
	return x;
}

/* A policy whose authority has these settings. */
static void
open_engine(const char *settings)
{
	struct certauth_error	error;
	FILE			*f = fopen(in_folder("conf"), "w");

	assert_non_null(f);
	fprintf(f, "version = 1; refresher = \"sock\"; state = \"state\";\n"
	    "authorities: { a: { anchors = [ \"root.pem\" ];\n"
	    "intermediates = [ \"sub.pem\" ]; revocation: { check = \"leaf\";\n"
	    "%s }; }; };\n"
	    "profiles: { p: { authorities = [ \"a\" ]; }; };\n", settings);
	fclose(f);
	chmod(in_folder("conf"), 0644);
	certauth_free(engine);
	engine = certauth_open(in_folder("conf"), &error);
	if (engine == NULL)
		print_error("%s:%u %s\n", error.file, error.line, error.text);
	assert_non_null(engine);
}

static int
set_up(void **state)
{
	struct sockaddr_un	at = { .sun_family = AF_UNIX };

	(void)state;
	if (mkdtemp(folder) == NULL || chmod(folder, 0755) != 0)
		return -1;
	root_key = mesh_key();
	sub_key = mesh_key();
	other_key = mesh_key();
	root = mesh_cert("Root", root_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	sub = mesh_cert("Sub", sub_key, "Root", root_key, true, NOW - DAY,
	    NOW + 9 * DAY);
	leaf = with_urls("alice", "Sub", sub_key);
	orphan = with_urls("orphan", "Nobody", other_key);
	mute = mesh_cert("mute", sub_key, "Sub", sub_key, false, NOW - DAY,
	    NOW + 9 * DAY);
	put_cert("root.pem", root);
	put_cert("sub.pem", sub);
	sock = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", in_folder("sock"));
	return bind(sock, (struct sockaddr *)&at, sizeof(at));
}

static int
tear_down(void **state)
{
	static const char *const	names[] = { "root.pem", "sub.pem", "conf",
	    "sock" };
	char				command[160];
	size_t				i;

	(void)state;
	certauth_free(engine);
	X509_free(root);
	X509_free(sub);
	X509_free(leaf);
	X509_free(orphan);
	X509_free(mute);
	EVP_PKEY_free(root_key);
	EVP_PKEY_free(sub_key);
	EVP_PKEY_free(other_key);
	close(sock);
	for (i = 0; i < 4; i++)
		(void)unlink(in_folder(names[i]));
	snprintf(command, sizeof(command), "rm -rf '%s/state'", folder);
	if (system(command) != 0)
		return -1;
	return rmdir(folder);
}

static struct certauth_verdict *
verify(X509 *x, unsigned flags, const struct certauth_bytes *replies,
    size_t num_replies)
{
	struct certauth_request	 request = { .leaf = x, .now = NOW,
	    .flags = flags, .replies = replies, .num_replies = num_replies };
	struct certauth_verdict	*v;

	request.profile = certauth_profile_at(engine, 0);
	v = certauth_verify(engine, &request);
	assert_non_null(v);
	assert_int_equal(ERR_peek_error(), 0);
	return v;
}

static void
expect(struct certauth_verdict *v, enum certauth_decision decision,
    enum certauth_reason reason)
{
	if (certauth_verdict_decision(v) != decision ||
	    certauth_verdict_reason(v) != reason)
		fail_msg("%s", certauth_verdict_text(v));
	certauth_verdict_free(v);
}

/* The only question of the verdict, taken apart. */
static void
question_of(const struct certauth_verdict *v, struct ask_question *q,
    unsigned char id[ASK_ID_BYTES])
{
	const struct certauth_bytes	*frames;

	assert_int_equal(certauth_verdict_decision(v), CERTAUTH_UNDECIDED);
	assert_int_equal(certauth_verdict_questions(v, &frames), 1);
	assert_true(ask_question_parse(frames[0].data, frames[0].data_len, q));
	assert_true(ask_question_id(frames[0].data, frames[0].data_len, id));
}

static struct certauth_bytes
reply(const unsigned char id[ASK_ID_BYTES], enum ask_result result,
    const void *data, size_t data_len)
{
	struct ask_reply	r = { .result = result,
	    .payload = { data, data_len } };
	struct certauth_bytes	bytes;

	memcpy(r.id, id, ASK_ID_BYTES);
	bytes.data = ask_reply_make(&r, &bytes.data_len);
	assert_non_null(bytes.data);
	return bytes;
}

/* As OpenSSL's own responder writes it. */
static struct certauth_bytes
response(X509 *about, X509 *signer, EVP_PKEY *key, int status, int64_t from,
    int64_t to)
{
	OCSP_BASICRESP		*basic = OCSP_BASICRESP_new();
	OCSP_RESPONSE		*whole;
	OCSP_CERTID		*id = OCSP_cert_to_id(EVP_sha1(), about, sub);
	ASN1_GENERALIZEDTIME	*this_time, *next_time, *since;
	unsigned char		*der = NULL;
	int			 len;

	this_time = ASN1_GENERALIZEDTIME_set(NULL, (time_t)from);
	next_time = ASN1_GENERALIZEDTIME_set(NULL, (time_t)to);
	since = ASN1_GENERALIZEDTIME_set(NULL, (time_t)(NOW - 3600));
	assert_non_null(OCSP_basic_add1_status(basic, id, status,
	    OCSP_REVOKED_STATUS_KEYCOMPROMISE, since, this_time, next_time));
	/* without OCSP_NOTIME producedAt would be the clock's, long after NOW */
	assert_non_null(ASN1_GENERALIZEDTIME_set((ASN1_GENERALIZEDTIME *)
	    (uintptr_t)OCSP_resp_get0_produced_at(basic), (time_t)(from < NOW ?
	    from : NOW)));
	assert_int_equal(OCSP_basic_sign(basic, signer, key, EVP_sha256(), NULL,
	    OCSP_NOTIME), 1);
	whole = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
	len = i2d_OCSP_RESPONSE(whole, &der);
	assert_true(len > 0);
	OCSP_RESPONSE_free(whole);
	OCSP_BASICRESP_free(basic);
	OCSP_CERTID_free(id);
	ASN1_GENERALIZEDTIME_free(this_time);
	ASN1_GENERALIZEDTIME_free(next_time);
	ASN1_GENERALIZEDTIME_free(since);
	return (struct certauth_bytes){ der, (size_t)len };
}

static void
test_question(void **state)
{
	struct certauth_verdict	*v;
	struct ask_question	 q;
	unsigned char		 id[ASK_ID_BYTES], *der = NULL;
	int			 len;

	(void)state;
	open_engine("");
	v = verify(leaf, 0, NULL, 0);
	question_of(v, &q, id);
	assert_int_equal(certauth_verdict_reason(v),
	    CERTAUTH_REVOCATION_UNKNOWN);
	assert_int_equal(q.kind, ASK_STATUS);
	assert_int_equal(q.authority_len, 1);
	assert_int_equal(q.authority[0], 'a');
	assert_int_equal(q.num_certs, 3);
	len = i2d_X509(leaf, &der);
	assert_int_equal(q.certs[0].data_len, len);
	assert_memory_equal(q.certs[0].data, der, (size_t)len);
	OPENSSL_free(der);
	certauth_verdict_free(v);
	/* The same once more: nothing was remembered. */
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
}

static void
test_who_is_not_asked(void **state)
{
	struct certauth_error	error;
	char			there[100], away[100];

	(void)state;
	open_engine("");
	/* no URL, and none in the policy */
	expect(verify(mute, 0, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	expect(verify(leaf, CERTAUTH_FINAL, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	open_engine("sources = [ \"crl\" ];");
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	open_engine("ocsp_url = \"http://x/\";");
	expect(verify(mute, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	open_engine("sources = [ \"crl\" ]; crl_urls = [ \"http://x/\" ];");
	expect(verify(mute, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	open_engine("sources = [ \"crl\" ]; ocsp_url = \"http://x/\";");
	expect(verify(mute, 0, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	/* nobody is there */
	open_engine("");
	snprintf(there, sizeof(there), "%s", in_folder("sock"));
	snprintf(away, sizeof(away), "%s", in_folder("away"));
	assert_int_equal(rename(there, away), 0);
	certauth_poll(engine, &error);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	assert_int_equal(rename(away, there), 0);
}

/* Each sort of reply to the leaf's question. */
static void
answered(enum ask_result result, struct certauth_bytes payload,
    enum certauth_decision decision, enum certauth_reason reason)
{
	struct certauth_verdict	*v = verify(leaf, 0, NULL, 0);
	struct certauth_bytes	 replies[2];
	struct ask_question	 q;
	unsigned char		 id[ASK_ID_BYTES];

	question_of(v, &q, id);
	certauth_verdict_free(v);
	replies[0] = (struct certauth_bytes){ (const unsigned char *)"junk", 4 };
	replies[1] = reply(id, result, payload.data, payload.data_len);
	expect(verify(leaf, 0, replies, 2), decision, reason);
	expect(verify(leaf, CERTAUTH_FINAL, replies, 2), decision, reason);
	/* What one question brought answers no other. */
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	free((void *)(uintptr_t)replies[1].data);
}

static void
with_response(X509 *about, X509 *signer, EVP_PKEY *key, int status,
    int64_t from, int64_t to, enum certauth_decision decision,
    enum certauth_reason reason)
{
	struct certauth_bytes	der = response(about, signer, key, status, from,
				    to);

	answered(ASK_OCSP, der, decision, reason);
	OPENSSL_free((void *)(uintptr_t)der.data);
}

static void
test_replies(void **state)
{
	X509	*stranger = mesh_cert("Sub", other_key, "Sub", other_key, true,
		    NOW - DAY, NOW + DAY);

	(void)state;
	open_engine("grace = \"0s\";");
	with_response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_GOOD, NOW - 60,
	    NOW + 3600, CERTAUTH_ACCEPT, CERTAUTH_OK);
	with_response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_REVOKED, NOW - 60,
	    NOW + 3600, CERTAUTH_REJECT, CERTAUTH_REVOKED);
	with_response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_UNKNOWN, NOW - 60,
	    NOW + 3600, CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN);
	with_response(mute, sub, sub_key, V_OCSP_CERTSTATUS_GOOD, NOW - 60,
	    NOW + 3600, CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN);
	with_response(leaf, stranger, other_key, V_OCSP_CERTSTATUS_GOOD,
	    NOW - 60, NOW + 3600, CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN);
	with_response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_GOOD, NOW - 7200,
	    NOW - 3600, CERTAUTH_REJECT, CERTAUTH_REVOCATION_STALE);
	with_response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_GOOD, NOW + 3600,
	    NOW + 7200, CERTAUTH_REJECT, CERTAUTH_REVOCATION_STALE);
	answered(ASK_NOTHING, (struct certauth_bytes){ NULL, 0 },
	    CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN);
	answered(ASK_PUBLISHED, (struct certauth_bytes){ NULL, 0 },
	    CERTAUTH_REJECT, CERTAUTH_REVOCATION_UNKNOWN);
	answered(ASK_OCSP, (struct certauth_bytes){
	    (const unsigned char *)"<html>", 6 }, CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	X509_free(stranger);
}

/* `unknown = accept` waits too, and is named when it decides. */
static void
test_soft(void **state)
{
	struct certauth_verdict	*v;

	(void)state;
	open_engine("unknown = \"accept\";");
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	v = verify(leaf, CERTAUTH_FINAL, NULL, 0);
	assert_non_null(strstr(certauth_verdict_text(v),
	    "softened=revocation-unknown"));
	expect(v, CERTAUTH_ACCEPT, CERTAUTH_OK);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	with_response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_REVOKED, NOW - 60,
	    NOW + 3600, CERTAUTH_REJECT, CERTAUTH_REVOKED);
	/* a lie is no revocation: what is unknown stays unknown */
	with_response(leaf, root, root_key, V_OCSP_CERTSTATUS_REVOKED, NOW - 60,
	    NOW + 3600, CERTAUTH_ACCEPT, CERTAUTH_OK);
}

/* Does it hold now, and that long only? */
static void
holds(struct certauth_verdict *v, int64_t seconds)
{
	assert_true(certauth_verdict_current(engine, v, NOW));
	assert_true(certauth_verdict_current(engine, v, NOW + seconds - 1));
	assert_false(certauth_verdict_current(engine, v, NOW + seconds));
	certauth_verdict_free(v);
}

/* What was said for want of an answer ends soon; an answer holds. */
static void
test_makeshift(void **state)
{
	struct certauth_bytes	 replies[1], good, old;
	struct certauth_verdict	*v;
	struct ask_question	 q;
	unsigned char		 id[ASK_ID_BYTES];

	(void)state;
	open_engine("unknown = \"accept\"; grace = \"72h\";");
	v = verify(leaf, 0, NULL, 0);
	question_of(v, &q, id);
	certauth_verdict_free(v);
	holds(verify(leaf, CERTAUTH_FINAL, NULL, 0), 5);
	/* without a question too: nobody knows where to ask */
	holds(verify(mute, 0, NULL, 0), 5);
	good = response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_GOOD, NOW - 60,
	    NOW + 3600);
	replies[0] = reply(id, ASK_OCSP, good.data, good.data_len);
	holds(verify(leaf, 0, replies, 1), 60);
	holds(verify(leaf, CERTAUTH_FINAL, replies, 1), 60);
	free((void *)(uintptr_t)replies[0].data);
	/* an old answer in its grace was the last word there was */
	old = response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_GOOD, NOW - 7200,
	    NOW - 3600);
	replies[0] = reply(id, ASK_OCSP, old.data, old.data_len);
	v = verify(leaf, CERTAUTH_FINAL, replies, 1);
	assert_non_null(strstr(certauth_verdict_text(v),
	    "softened=revocation-stale"));
	holds(v, 5);
	free((void *)(uintptr_t)replies[0].data);
	OPENSSL_free((void *)(uintptr_t)good.data);
	OPENSSL_free((void *)(uintptr_t)old.data);
	/* a refusal as well */
	open_engine("");
	holds(verify(leaf, CERTAUTH_FINAL, NULL, 0), 5);
	holds(verify(mute, 0, NULL, 0), 60);
}

/* ------------------------------------------------------------ answers kept */

static STACK_OF(X509) *
proof(void)
{
	STACK_OF(X509)	*stack = sk_X509_new_null();

	sk_X509_push(stack, leaf);
	sk_X509_push(stack, sub);
	sk_X509_push(stack, root);
	return stack;
}

static bool	in_want;	/* the next poll may open no file */

/* What was published, and the engine's next poll. */
static size_t
publish(int status, EVP_PKEY *key, int64_t from, int64_t to)
{
	struct certauth_answer		answer = { .authority = 0 };
	struct certauth_ocsp_report	report;
	struct certauth_error		error;
	enum certauth_ocsp		said;
	struct rlimit			before, none;
	size_t				num;

	answer.proof = proof();
	answer.response = response(leaf, key == sub_key ? sub : root, key,
	    status, from, to);
	said = certauth_ocsp_check(engine, 0, answer.proof, &answer.response,
	    NULL, NOW, &report);
	if (!certauth_answers_publish(engine, &answer, 1, NOW, &num, &error))
		fail_msg("%s: %s", error.file, error.text);
	assert_int_equal(num, said == CERTAUTH_OCSP_NOTHING ? 0 : 1);
	assert_true((report.error[0] == '\0') == (num == 1));
	if (in_want) {
		assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
		none = before;
		none.rlim_cur = 0;
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	}
	certauth_poll(engine, &error);
	if (in_want)
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	OPENSSL_free((void *)(uintptr_t)answer.response.data);
	sk_X509_free(answer.proof);
	assert_int_equal(ERR_peek_error(), 0);
	return num;
}

static void
test_kept(void **state)
{
	struct certauth_error	error;
	size_t			num, revoked;
	uint64_t		generation;

	(void)state;
	open_engine("grace = \"1h\";");
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 60,
	    NOW + 60), 1);
	/* Nobody waits, and nobody asks again. */
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	certauth_answers_count(engine, &num, &revoked);
	assert_int_equal(num, 1);
	assert_int_equal(revoked, 0);
	generation = certauth_generation(engine);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_NONE);
	assert_int_equal(certauth_generation(engine), generation);
	/* A new process sees it as well; one that asks for no OCSP does not. */
	open_engine("grace = \"1h\";");
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	open_engine("sources = [ \"crl\" ];");
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_UNKNOWN);
	open_engine("grace = \"1h\";");
	/* Lies and stale answers change nothing. */
	assert_int_equal(publish(V_OCSP_CERTSTATUS_REVOKED, root_key, NOW - 30,
	    NOW + 60), 0);
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 7200,
	    NOW - 3600), 0);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	/* "unknown" takes the good word away */
	assert_int_equal(publish(V_OCSP_CERTSTATUS_UNKNOWN, sub_key, NOW - 50,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 40,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	assert_int_equal(publish(V_OCSP_CERTSTATUS_REVOKED, sub_key, NOW - 20,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT, CERTAUTH_REVOKED);
	certauth_answers_count(engine, &num, &revoked);
	assert_int_equal(num, 1);
	assert_int_equal(revoked, 1);
	/* an older good word does not lift it */
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 30,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT, CERTAUTH_REVOKED);
}

/* Somebody asks at `now`, without or with one reply. */
static struct certauth_verdict *
verify_at(int64_t now, unsigned flags, const struct certauth_bytes *answer)
{
	struct certauth_request	 request = { .leaf = leaf, .now = now,
	    .flags = flags, .replies = answer, .num_replies = answer != NULL };
	struct certauth_verdict	*v;

	request.profile = certauth_profile_at(engine, 0);
	v = certauth_verify(engine, &request);
	assert_non_null(v);
	return v;
}

/* A published answer that has ended counts by its grace only after somebody was
 * asked for the next one. */
static void
test_grace_asks(void **state)
{
	const int64_t		 later = NOW + 3600;
	struct certauth_bytes	 nothing, said, der;
	struct ask_question	 q;
	struct certauth_verdict	*v;
	unsigned char		 id[ASK_ID_BYTES];

	(void)state;
	open_engine("grace = \"72h\"; sources = [ \"ocsp\" ];");
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 60,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	v = verify_at(later, 0, NULL);
	question_of(v, &q, id);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_REVOCATION_STALE);
	certauth_verdict_free(v);
	der = response(leaf, sub, sub_key, V_OCSP_CERTSTATUS_REVOKED, NOW - 10,
	    later + 3600);
	said = reply(id, ASK_OCSP, der.data, der.data_len);
	expect(verify_at(later, 0, &said), CERTAUTH_REJECT, CERTAUTH_REVOKED);
	/* nobody knows better: the grace counts, and is told */
	nothing = reply(id, ASK_NOTHING, "no", 2);
	v = verify_at(later, 0, &nothing);
	assert_non_null(strstr(certauth_verdict_text(v),
	    "softened=revocation-stale"));
	expect(v, CERTAUTH_ACCEPT, CERTAUTH_OK);
	expect(verify_at(later, CERTAUTH_FINAL, NULL), CERTAUTH_ACCEPT,
	    CERTAUTH_OK);
	/* beside a CRL that is not there, too */
	open_engine("grace = \"72h\";");
	expect(verify_at(later, 0, NULL), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_STALE);
	free((void *)(uintptr_t)nothing.data);
	free((void *)(uintptr_t)said.data);
	OPENSSL_free((void *)(uintptr_t)der.data);
}

/* A revocation that came while no descriptor was left counts when there is one
 * again, though nobody touches the file. */
static void
test_kept_in_want(void **state)
{
	struct certauth_error	error;

	(void)state;
	open_engine("grace = \"1h\";");
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 60,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	in_want = true;
	assert_int_equal(publish(V_OCSP_CERTSTATUS_UNKNOWN, sub_key, NOW - 55,
	    NOW + 60), 1);
	in_want = false;
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_TAKEN);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_UNDECIDED,
	    CERTAUTH_REVOCATION_UNKNOWN);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_NONE);
}

/* What an administrator prolonged stays so while no descriptor is left. */
static void
test_override_in_want(void **state)
{
	const int64_t		 later = NOW + 3600;
	struct certauth_error	 error;
	struct rlimit		 before, none;
	FILE			*f;
	int			 i;

	(void)state;
	open_engine("grace = \"0s\"; sources = [ \"ocsp\" ];");
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 61,
	    NOW + 60), 1);
	for (i = 0; i < 2; i++) {
		(void)unlink(in_folder("state/overrides"));
		f = fopen(in_folder("state/overrides"), "w");
		assert_non_null(f);
		fprintf(f, "a 2026-03-0%dT00:00:00Z 2026-03-01T00:00:00Z root "
		    "test\n", i == 0 ? 5 : 9);
		fclose(f);
		chmod(in_folder("state/overrides"), 0644);
		if (i == 1) {
			assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
			none = before;
			none.rlim_cur = 0;
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
			certauth_poll(engine, &error);
			assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
			expect(verify_at(later, CERTAUTH_FINAL, NULL),
			    CERTAUTH_ACCEPT, CERTAUTH_OK);
		}
		certauth_poll(engine, &error);
		expect(verify_at(later, CERTAUTH_FINAL, NULL), CERTAUTH_ACCEPT,
		    CERTAUTH_OK);
	}
	/* the second edition was taken up in the end */
	expect(verify_at(NOW + 6 * DAY, CERTAUTH_FINAL, NULL), CERTAUTH_ACCEPT,
	    CERTAUTH_OK);
	assert_int_equal(unlink(in_folder("state/overrides")), 0);
	certauth_poll(engine, &error);
	expect(verify_at(later, CERTAUTH_FINAL, NULL), CERTAUTH_REJECT,
	    CERTAUTH_REVOCATION_STALE);
}

/* A damaged file leaves the last good one in force, and is told. */
static void
test_kept_damaged(void **state)
{
	struct certauth_error	error;
	struct certauth_note	note;
	bool			told = false;
	FILE			*f;

	(void)state;
	open_engine("");
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT, CERTAUTH_REVOKED);
	f = fopen(in_folder("state/current"), "w");
	assert_non_null(f);
	fprintf(f, "answers.77.idx 9 %064d 77\n", 0);
	fclose(f);
	f = fopen(in_folder("state/answers.77.idx"), "w");
	fputs("123456789", f);
	fclose(f);
	certauth_poll(engine, &error);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_REJECT, CERTAUTH_REVOKED);
	while (certauth_take_note(engine, &note))
		told |= strstr(note.text, "answers index refused") != NULL;
	assert_true(told);
	/* The next one mends it. */
	assert_int_equal(publish(V_OCSP_CERTSTATUS_GOOD, sub_key, NOW - 10,
	    NOW + 60), 1);
	expect(verify(leaf, 0, NULL, 0), CERTAUTH_ACCEPT, CERTAUTH_OK);
}

static void
test_issuer(void **state)
{
	struct certauth_verdict	*v;
	struct certauth_bytes	 nothing;
	struct ask_question	 q;
	unsigned char		 id[ASK_ID_BYTES];

	(void)state;
	open_engine("");
	v = verify(orphan, 0, NULL, 0);
	question_of(v, &q, id);
	assert_int_equal(certauth_verdict_reason(v), CERTAUTH_NO_PATH);
	assert_int_equal(q.kind, ASK_ISSUER);
	assert_int_equal(q.num_certs, 1);
	certauth_verdict_free(v);
	nothing = reply(id, ASK_NOTHING, "no", 2);
	expect(verify(orphan, 0, &nothing, 1), CERTAUTH_REJECT, CERTAUTH_NO_PATH);
	free((void *)(uintptr_t)nothing.data);
	expect(verify(orphan, CERTAUTH_FINAL, NULL, 0), CERTAUTH_REJECT,
	    CERTAUTH_NO_PATH);
}

int
main(void)
{
	const struct CMUnitTest	tests[] = {
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_who_is_not_asked),
		cmocka_unit_test(test_replies), cmocka_unit_test(test_soft),
		cmocka_unit_test(test_makeshift),
		cmocka_unit_test(test_issuer), cmocka_unit_test(test_grace_asks),
		cmocka_unit_test(test_kept_in_want),
		cmocka_unit_test(test_override_in_want),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_kept_damaged),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
