/*
 * test_load.c - files that come, change, go bad and go away, under poll; and the
 * compiled form.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <ftw.h>
#include <pthread.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include <openssl/pem.h>

#include "base/text.h"
#include "certauth_data.h"
#include "revocation/load.h"
#include "revocation/make.h"

#define NOW	(T_THIS + DAY)

static struct ca	root, issuing, leaf;
static struct pool	*pool;
static struct file_owners owners;
static char		folder[64], crls[96], state_path[96], issuers[96];

/* One engine's worth of revocation data. */
static struct file_ref	refs[2], state_ref;
static struct revocation_sources sources;
static struct revocation_seen seen;
static struct revocation_data *data;
static bool		changed, failed;
static unsigned		remarks;
static char		remark_file[300], remark_text[900];
static struct certauth_error error;

static void
note(void *context, enum certauth_severity severity, const char *file,
    const char *text)
{
	(void)context;
	assert_int_equal(severity, CERTAUTH_WARNING);
	remarks++;
	snprintf(remark_file, sizeof(remark_file), "%s", file);
	snprintf(remark_text, sizeof(remark_text), "%s", text);
}

/* One poll; the number of remarks it made. */
static unsigned
poll_once(void)
{
	struct revocation_data	*next;

	remarks = 0;
	remark_text[0] = '\0';
	next = revocation_load(&sources, data, note, NULL, &changed, &failed);
	assert_non_null(next);
	revocation_free(data);
	data = next;
	return remarks;
}

static bool
quiet(void)
{
	return poll_once() == 0 && !changed && !failed;
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
begin(void **state)
{
	const struct make_cert	r = { .name = "Root" };
	const struct make_cert	i = { .name = "Issuing", .issuer = &root };
	const struct make_cert	l = { .name = "Alice", .issuer = &issuing,
				    .leaf = true, .serial = "\x03\xa1", .serial_len = 2 };
	const struct ca		*both[2];
	FILE			*f;

	(void)state;
	make_cert(&root, &r);
	make_cert(&issuing, &i);
	make_cert(&leaf, &l);
	both[0] = &root;
	both[1] = &issuing;
	pool = make_pool(both, 2);
	snprintf(folder, sizeof(folder), "/tmp/test_load.XXXXXX");
	must(mkdtemp(folder) != NULL);
	snprintf(crls, sizeof(crls), "%s/crls", folder);
	snprintf(state_path, sizeof(state_path), "%s/state", folder);
	snprintf(issuers, sizeof(issuers), "%s/issuers.pem", folder);
	must(mkdir(crls, 0755) == 0);
	f = fopen(issuers, "w");
	must(f != NULL);
	must(PEM_write_X509(f, root.x509) == 1);
	must(PEM_write_X509(f, issuing.x509) == 1);
	must(fclose(f) == 0);
	file_owners_init(&owners);
	must(file_ref_open(&refs[0], NULL, crls, &error));
	must(file_ref_open(&state_ref, NULL, state_path, &error));
	sources = (struct revocation_sources){
		.pools = (const struct pool *const *)&pool, .num_pools = 1,
		.crls = refs, .num_crls = 1, .state = &state_ref, .owners = &owners,
		.seen = &seen
	};
	memset(&seen, 0, sizeof(seen));
	data = NULL;
	return 0;
}

static int
end(void **state)
{
	(void)state;
	revocation_free(data);
	data = NULL;
	file_ref_close(&refs[0]);
	file_ref_close(&refs[1]);
	file_ref_close(&state_ref);
	nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	pool_free(pool);
	ca_free(&root);
	ca_free(&issuing);
	ca_free(&leaf);
	return 0;
}

/* ---------------------------------------------------------------- helpers */

/* A list of the issuing CA; reason -1: nobody on it. */
static void
put_at(const char *name, const char *number, int reason, const char *this_update)
{
	struct buf	entries = { 0 }, der;
	struct make_crl	m = { .ca = &issuing, .number = number,
			    .entries = &entries, .this_update = this_update };

	if (this_update != NULL)
		m.next_update = "491231000000Z";
	if (reason >= 0)
		buf_entry(&entries, "\x03\xa1", 2, THIS, reason);
	der = make_crl(&m);
	write_file(crls, name, der.data, der.len);
	buf_free(&der);
	buf_free(&entries);
}

static void
put(const char *name, const char *number, int reason)
{
	put_at(name, number, reason, NULL);
}

static enum certauth_reason
leaf_is(const struct revocation_data *what)
{
	const struct revocation_options	 options = { .check = REVOCATION_LEAF };
	struct cert *const		 path[] = { leaf.cert, issuing.cert };
	struct certauth_verdict		*v = verdict_new(NULL, "t", NOW, 0);
	const struct certauth_finding	*findings;
	enum certauth_reason		 reason = CERTAUTH_OK;

	must(v != NULL);
	revocation_check(what, &options, path, 2, NOW, NULL, NULL, v, -1);
	verdict_close(v, -1);
	if (certauth_verdict_findings(v, &findings) > 0)
		reason = findings[0].reason;
	certauth_verdict_free(v);
	return reason;
}

static void
path_of(char *buf, size_t len, const char *name)
{
	snprintf(buf, len, "%s/%s", crls, name);
}

/* ------------------------------------------------------------------- files */

static void
test_poll(void **state)
{
	(void)state;
	assert_int_equal(poll_once(), 0);
	assert_true(changed && !failed);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOCATION_UNKNOWN);
	assert_true(quiet());
	put("a.crl", "01", -1);
	assert_int_equal(poll_once(), 0);
	assert_true(changed && !failed);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(quiet());
	put("a.crl", "02", 1);
	assert_int_equal(poll_once(), 0);
	assert_true(changed);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	/* a file half copied has another name until it is whole */
	write_file(crls, "b.crl.part", "half", 4);
	write_file(crls, ".hidden", "half", 4);
	assert_true(quiet());
}

/* What did not change is not read again: the memory is the same. */
static void
test_shared(void **state)
{
	const struct load_memory	*was;
	struct revocation_data		*held;
	char				 path[256];

	(void)state;
	put("a.crl", "01", -1);
	put("b.crl", "01", -1);
	poll_once();
	was = data->units[0].memory;
	held = revocation_ref(data);
	put("b.crl", "02", 1);
	poll_once();
	assert_ptr_not_equal(held, data);
	assert_ptr_equal(data->units[0].memory, was);
	assert_int_equal(leaf_is(held), CERTAUTH_OK);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	revocation_free(held);
	/* the same bytes with another time are another file */
	path_of(path, sizeof(path), "a.crl");
	must(utime(path, &(struct utimbuf){ 1000, 1000 }) == 0);
	poll_once();
	assert_ptr_not_equal(data->units[0].memory, was);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
}

/* C4 row 34: bad, empty, cut, foreign: the last good one stays, said once. */
static void
test_c4_34_bad(void **state)
{
	const struct make_cert	other = { .name = "Stranger" };
	struct make_crl		m = { .ca = &issuing, .number = "09" };
	struct buf		der;
	struct ca		stranger;
	char			path[256];
	int			kind;

	(void)state;
	put("a.crl", "05", 1);
	assert_int_equal(poll_once(), 0);
	make_cert(&stranger, &other);
	for (kind = 0; kind < 7; kind++) {
		der = make_crl(&m);
		switch (kind) {
		case 0:
			write_file(crls, "a.crl", "", 0);
			break;
		case 1:
			write_file(crls, "a.crl", "<html>", 6);
			break;
		case 2:
			write_file(crls, "a.crl", der.data, der.len - 1);
			break;
		case 3:
			der.data[der.len - 1] ^= 1;
			write_file(crls, "a.crl", der.data, der.len);
			break;
		case 4:
			buf_free(&der);
			m.ca = &stranger;
			der = make_crl(&m);
			m.ca = &issuing;
			write_file(crls, "a.crl", der.data, der.len);
			break;
		case 5:
			write_file(crls, "a.crl", der.data, der.len);
			path_of(path, sizeof(path), "a.crl");
			must(chmod(path, 0666) == 0);
			break;
		case 6:
			/* an older number, without the revoked one */
			put("a.crl", "04", -1);
			break;
		}
		buf_free(&der);
		assert_int_equal(poll_once(), 1);
		assert_true(failed);
		assert_non_null(strstr(remark_file, "a.crl"));
		assert_non_null(strstr(remark_text, "stays in force"));
		assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
		assert_true(quiet());
	}
	assert_non_null(strstr(remark_text, ""));
	put("a.crl", "06", -1);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	ca_free(&stranger);
}

/* Bad from the start: said, and nothing is known. */
static void
test_c4_34_bad_at_start(void **state)
{
	(void)state;
	write_file(crls, "a.crl", "<html>", 6);
	assert_int_equal(poll_once(), 1);
	assert_true(failed);
	assert_non_null(strstr(remark_text, "no earlier one"));
	assert_int_equal(leaf_is(data), CERTAUTH_REVOCATION_UNKNOWN);
	assert_true(quiet());
	put("a.crl", "01", -1);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
}

static void
test_older_same_number(void **state)
{
	struct make_crl	m = { .ca = &issuing, .number = "05",
			    .this_update = "251231000000Z" };
	struct buf	der;

	(void)state;
	put("a.crl", "05", 1);
	poll_once();
	der = make_crl(&m);
	write_file(crls, "a.crl", der.data, der.len);
	buf_free(&der);
	assert_int_equal(poll_once(), 1);
	assert_non_null(strstr(remark_text, "older"));
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
}

/* Gone: the last good one stays, once said; back again; renamed is no loss. */
static void
test_gone(void **state)
{
	char	path[256], other[256];

	(void)state;
	put("a.crl", "05", 1);
	poll_once();
	path_of(path, sizeof(path), "a.crl");
	path_of(other, sizeof(other), "b.crl");
	must(unlink(path) == 0);
	assert_int_equal(poll_once(), 1);
	assert_non_null(strstr(remark_text, "gone"));
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	put("a.crl", "06", 1);
	assert_int_equal(poll_once(), 0);
	assert_true(quiet());
	must(rename(path, other) == 0);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(data->num_units, 1);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	/* an old copy under a new name does not replace what was there */
	must(unlink(other) == 0);
	put("c.crl", "05", -1);
	assert_int_equal(poll_once(), 1);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	put("d.crl", "07", -1);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(data->num_units, 2);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
}

/* The folder itself goes away, or may be written by others. */
static void
test_folder_gone(void **state)
{
	char	away[128];

	(void)state;
	put("a.crl", "05", 1);
	poll_once();
	snprintf(away, sizeof(away), "%s/away", folder);
	must(rename(crls, away) == 0);
	assert_true(poll_once() >= 1);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	must(rename(away, crls) == 0);
	poll_once();
	assert_true(changed);
	assert_true(quiet());
	must(chmod(crls, 0777) == 0);
	assert_true(poll_once() >= 1);
	assert_true(failed);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
}

static void
test_single_file(void **state)
{
	char	path[256];

	(void)state;
	path_of(path, sizeof(path), "single.crl");
	file_ref_close(&refs[0]);
	must(file_ref_open(&refs[0], NULL, path, &error));
	assert_int_equal(poll_once(), 1);
	assert_non_null(strstr(remark_text, "no such CRL file"));
	assert_int_equal(leaf_is(data), CERTAUTH_REVOCATION_UNKNOWN);
	assert_true(quiet());
	put("single.crl", "01", -1);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	/* named by two authorities: still one */
	must(file_ref_open(&refs[1], NULL, path, &error));
	sources.num_crls = 2;
	poll_once();
	assert_int_equal(data->num_units, 1);
	put("single.crl", "02", 1);
	poll_once();
	assert_int_equal(data->num_units, 1);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
}

/* Several lists in one PEM file: the good ones are taken, the bad one is kept
 * as it was. */
static void
test_bundle(void **state)
{
	struct buf	entries = { 0 }, a, b, pem = { 0 };
	struct make_crl	down = { .ca = &issuing, .number = "05", .entries = &entries };
	struct make_crl	up = { .ca = &root, .number = "05" };

	(void)state;
	buf_entry(&entries, "\x03\xa1", 2, THIS, 1);
	a = make_crl(&down);
	b = make_crl(&up);
	buf_pem(&pem, &a, "X509 CRL");
	buf_pem(&pem, &b, "X509 CRL");
	write_file(crls, "all.pem", pem.data, pem.len);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(data->num_rows, 2);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	buf_free(&pem);
	buf_free(&b);
	up.number = "06";
	b = make_crl(&up);
	a.data[a.len - 1] ^= 1;
	buf_pem(&pem, &a, "X509 CRL");
	buf_pem(&pem, &b, "X509 CRL");
	write_file(crls, "all.pem", pem.data, pem.len);
	assert_int_equal(poll_once(), 1);
	assert_int_equal(data->num_rows, 2);
	assert_int_equal(data->rows[0].row->number[0] +
	    data->rows[1].row->number[0], 11);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	buf_free(&a);
	buf_free(&b);
	buf_free(&pem);
	buf_free(&entries);
}

static void
test_sizes(void **state)
{
	struct buf	entries = { 0 }, der;
	struct make_crl	m = { .ca = &issuing, .entries = &entries };
	unsigned char	entry[35];
	uint32_t	i;
	char		path[256];

	(void)state;
	memcpy(entry, "\x30\x21\x02\x10\x40", 5);
	memset(entry + 5, 0x33, 15);
	memcpy(entry + 20, "\x17\x0d" THIS, 15);
	for (i = 0; i < REVOCATION_ADVISE_BYTES / 35 + 10; i++) {
		memcpy(entry + 8, &i, sizeof(i));
		buf_add(&entries, entry, sizeof(entry));
	}
	der = make_crl(&m);
	write_file(crls, "big.crl", der.data, der.len);
	assert_int_equal(poll_once(), 1);
	assert_false(failed);
	assert_non_null(strstr(remark_text, "certauth compile"));
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(quiet());
	buf_free(&der);
	buf_free(&entries);
	path_of(path, sizeof(path), "big.crl");
	must(truncate(path, (off_t)REVOCATION_MAX_BYTES + 1) == 0);
	assert_int_equal(poll_once(), 1);
	assert_true(failed);
	assert_non_null(strstr(remark_text, "compiled form only"));
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(quiet());
}

/* ---------------------------------------------------------------- compiled */

static struct certauth_compile report;

static bool
compile(const char *name)
{
	const char	*ca_files[] = { issuers }, *crl_files[1];
	char		 path[256];

	if (name != NULL)
		path_of(path, sizeof(path), name);
	crl_files[0] = name != NULL ? path : crls;
	certauth_compile_free(&report);
	memset(&error, 0, sizeof(error));
	return certauth_compile(ca_files, 1, crl_files, 1, state_path, NULL,
	    &report, &error);
}

static enum certauth_listed
show(const char *serial)
{
	struct certauth_show	answer;

	if (!certauth_show(state_path, issuers, serial, &answer, &error)) {
		print_message("show: %s\n", error.text);
		fail();
	}
	return answer.status;
}

static void
test_compile(void **state)
{
	struct certauth_show	answer;
	struct revocation_row	row;
	char			path[256];

	(void)state;
	put("a.crl", "05", 1);
	assert_false(certauth_index_verify(state_path, &error));
	assert_true(compile(NULL));
	assert_int_equal(report.num_crls, 1);
	assert_int_equal(report.entries, 1);
	assert_true(report.bytes > 100);
	assert_string_equal(report.crls[0].number, "05");
	assert_non_null(strstr(report.crls[0].issuer, "CN=Issuing"));
	assert_int_equal(report.crls[0].this_update, T_THIS);
	assert_int_equal(report.crls[0].next_update, T_NEXT);
	assert_string_equal(report.crls[0].error, "");
	assert_true(certauth_index_verify(state_path, &error));

	assert_int_equal(show("3A1"), CERTAUTH_LISTED);
	assert_int_equal(show("03:a1"), CERTAUTH_LISTED);
	assert_int_equal(show("0x0003A1"), CERTAUTH_LISTED);
	assert_int_equal(show("-03a1"), CERTAUTH_NOT_LISTED);
	assert_int_equal(show("3A2"), CERTAUTH_NOT_LISTED);
	assert_true(certauth_show(state_path, issuers, "3A1", &answer, &error));
	assert_int_equal(answer.date, T_THIS);
	assert_int_equal(answer.reason, 1);
	assert_false(certauth_show(state_path, issuers, "xyz", &answer, &error));
	assert_false(certauth_show(state_path, issuers, "", &answer, &error));
	assert_false(certauth_show(crls, issuers, "1", &answer, &error));
	path_of(path, sizeof(path), "a.crl");
	assert_false(certauth_show(state_path, path, "1", &answer, &error));

	/* the engine maps it and does not read the file at all */
	assert_int_equal(poll_once(), 0);
	assert_true(data->units[0].covered);
	assert_null(data->units[0].memory);
	assert_true(revocation_row_at(data, 0, &row));
	assert_true(row.published);
	assert_non_null(strstr(row.source, "crl.1.idx"));
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	certauth_compile_free(&report);
}

/* A newer file bites before it is compiled; then the compiled one is used. */
static void
test_compiled_and_file(void **state)
{
	(void)state;
	put("a.crl", "05", 1);
	assert_true(compile("a.crl"));
	poll_once();
	put("a.crl", "06", -1);
	assert_int_equal(poll_once(), 0);
	assert_true(changed);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_non_null(data->units[0].memory);
	assert_true(compile("a.crl"));
	assert_int_equal(poll_once(), 0);
	assert_true(changed);
	assert_null(data->units[0].memory);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(quiet());
	/* an older or broken file beside it changes nothing, and is told */
	put("a.crl", "04", 1);
	assert_int_equal(poll_once(), 1);
	assert_non_null(strstr(remark_text, "older"));
	assert_non_null(strstr(remark_text, "stays in force"));
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(quiet());
	write_file(crls, "a.crl", "junk", 4);
	assert_int_equal(poll_once(), 1);
	assert_non_null(strstr(remark_text, "stays in force"));
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(quiet());
	certauth_compile_free(&report);
}

/* A file that is replaced by a list of the year 2049: until then the published one
 * of before is in force, and goes on being so however often is compiled. */
static void
test_compile_not_begun(void **state)
{
	struct certauth_show	answer;
	unsigned		round;

	(void)state;
	put("a.crl", "05", 1);
	assert_true(compile("a.crl"));
	assert_int_equal(poll_once(), 0);
	put_at("a.crl", "06", -1, "490101000000Z");
	for (round = 0; round < 3; round++) {
		assert_true(compile("a.crl"));
		assert_int_equal(report.num_crls, 1);
		assert_string_equal(report.crls[0].error, "");
		assert_int_equal(report.entries, 1);
		assert_int_equal(poll_once(), 0);
		assert_true(data->units[0].covered);
		assert_null(data->units[0].memory);
		assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
		assert_true(quiet());
	}
	/* a newer one that has begun takes the place of both */
	put("a.crl", "07", -1);
	assert_true(compile("a.crl"));
	assert_string_equal(report.crls[0].error, "");
	assert_int_equal(report.entries, 0);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_true(certauth_show(state_path, issuers, "3A1", &answer, &error));
	assert_int_equal(answer.status, CERTAUTH_NOT_LISTED);
	certauth_compile_free(&report);
}

static void
test_compile_keeps(void **state)
{
	char	path[256];

	(void)state;
	put("a.crl", "05", 1);
	assert_true(compile(NULL));
	/* bad */
	write_file(crls, "a.crl", "junk", 4);
	assert_true(compile(NULL));
	assert_int_equal(report.num_crls, 1);
	assert_true(report.crls[0].error[0] != '\0');
	assert_int_equal(report.entries, 1);
	assert_int_equal(show("3A1"), CERTAUTH_LISTED);
	/* older, from the same file and from another */
	put("a.crl", "04", -1);
	assert_true(compile(NULL));
	assert_non_null(strstr(report.crls[0].error, "older"));
	assert_int_equal(show("3A1"), CERTAUTH_LISTED);
	path_of(path, sizeof(path), "a.crl");
	must(unlink(path) == 0);
	put("b.crl", "04", -1);
	assert_true(compile(NULL));
	assert_int_equal(report.num_crls, 2);
	assert_non_null(strstr(report.crls[1].error, "older"));
	assert_int_equal(show("3A1"), CERTAUTH_LISTED);
	/* all gone */
	path_of(path, sizeof(path), "b.crl");
	must(unlink(path) == 0);
	assert_true(compile(NULL));
	assert_non_null(strstr(report.crls[0].error, "gone"));
	assert_int_equal(show("3A1"), CERTAUTH_LISTED);
	/* newer again */
	put("c.crl", "06", -1);
	assert_true(compile(NULL));
	assert_int_equal(report.num_crls, 1);
	assert_string_equal(report.crls[0].error, "");
	assert_int_equal(show("3A1"), CERTAUTH_NOT_LISTED);
	assert_true(certauth_index_verify(state_path, &error));
	certauth_compile_free(&report);
}

static void
test_compile_nothing(void **state)
{
	struct certauth_show	answer;

	(void)state;
	write_file(crls, "a.crl", "junk", 4);
	assert_false(compile(NULL));
	assert_non_null(strstr(error.text, "nothing is published"));
	assert_false(compile("missing.crl"));
	assert_false(certauth_show(state_path, issuers, "1", &answer, &error));
	put("a.crl", "01", -1);
	write_file(crls, "b.crl", "junk", 4);
	assert_true(compile(NULL));
	assert_int_equal(report.num_crls, 2);
	assert_string_equal(report.crls[0].error, "");
	assert_true(report.crls[1].error[0] != '\0');
	/* an issuer that is not there */
	certauth_compile_free(&report);
	assert_false(certauth_compile((const char *const[]){ "/nonexistent" }, 1,
	    (const char *const[]){ crls }, 1, state_path, NULL, &report,
	    &error));
	certauth_compile_free(&report);
}

/* The same from a policy file: two authorities, a folder and a file; and what an
 * engine on that file then says of it. */
static void
test_compile_conf(void **state)
{
	static const char	conf[] = "version = 1;\nstate = \"state\";\n"
	    "authorities: {\n a: { anchors = [ \"issuers.pem\" ];\n"
	    "  revocation: { crls = [ \"crls\" ]; }; };\n"
	    " b: { anchors = [ \"issuers.pem\" ];\n"
	    "  revocation: { crls = [ \"crls/a.crl\", \"missing.crl\" ]; }; };\n"
	    "};\nprofiles: { p: { authorities = [ \"a\" ]; }; };\n";
	struct certauth_revocation_row	row;
	struct certauth			*engine;
	struct certauth_note		 note_taken;
	char				 path[128], bad[128];

	(void)state;
	write_file(folder, "certauth.conf", conf, sizeof(conf) - 1);
	snprintf(path, sizeof(path), "%s/certauth.conf", folder);
	snprintf(bad, sizeof(bad), "%s/nothing.conf", folder);
	assert_false(certauth_compile_conf(bad, NULL, &report, &error));
	certauth_compile_free(&report);
	put("a.crl", "05", 1);
	assert_true(certauth_compile_conf(path, NULL, &report, &error));
	/* a.crl by two ways, and the one that is missing */
	assert_int_equal(report.num_crls, 3);
	assert_string_equal(report.crls[0].error, "");
	assert_string_equal(report.crls[1].error, "");
	assert_true(report.crls[2].error[0] != '\0');
	assert_int_equal(report.entries, 1);
	certauth_compile_free(&report);
	assert_int_equal(show("3A1"), CERTAUTH_LISTED);

	engine = certauth_open(path, &error);
	assert_non_null(engine);
	assert_true(certauth_revocation_at(engine, 0, &row));
	assert_true(row.published);
	assert_int_equal(row.entries, 1);
	assert_false(certauth_revocation_at(engine, 1, &row));
	assert_true(certauth_take_note(engine, &note_taken));
	assert_non_null(strstr(note_taken.text, "missing.crl"));
	assert_false(certauth_take_note(engine, &note_taken));
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_NONE);
	put("a.crl", "06", -1);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_TAKEN);
	assert_true(certauth_revocation_at(engine, 0, &row));
	assert_false(row.published);
	write_file(crls, "a.crl", "junk", 4);
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_FAILED);
	assert_true(certauth_revocation_at(engine, 0, &row));
	assert_int_equal(certauth_poll(engine, &error), CERTAUTH_NEWS_NONE);
	certauth_free(engine);
}

/* Bad things in the state folder: the last good index stays, said once. */
static void
test_published_bad(void **state)
{
	struct file_bytes	bytes;
	struct file_ref		ref;
	char			path[256];

	(void)state;
	put("a.crl", "05", 1);
	assert_true(compile("a.crl"));
	poll_once();
	snprintf(path, sizeof(path), "%s/current", state_path);
	must(file_ref_open(&ref, NULL, path, &error));
	must(file_read(&ref, &owners, 1000, &bytes, &error));
	write_file(state_path, "current", "junk\n", 5);
	assert_int_equal(poll_once(), 1);
	assert_true(failed);
	assert_non_null(strstr(remark_text, "published index refused"));
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	must(unlink(path) == 0);
	assert_int_equal(poll_once(), 1);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	write_file(state_path, "current", bytes.data, bytes.data_len);
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	file_bytes_free(&bytes);
	file_ref_close(&ref);
	/* somebody starts anew with an older list */
	must(unlink(path) == 0);
	poll_once();
	put("a.crl", "03", -1);
	assert_true(compile("a.crl"));
	assert_true(poll_once() >= 1);
	assert_true(failed);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	certauth_compile_free(&report);
}

/* A poll that may open no file. */
static unsigned
poll_in_want(void)
{
	struct rlimit	before, none;
	unsigned	n;

	must(getrlimit(RLIMIT_NOFILE, &before) == 0);
	none = before;
	none.rlim_cur = 0;
	must(setrlimit(RLIMIT_NOFILE, &none) == 0);
	n = poll_once();
	must(setrlimit(RLIMIT_NOFILE, &before) == 0);
	return n;
}

/* An index that came while no descriptor was left is taken up when there is one
 * again, though nobody touches it. */
static void
test_published_in_want(void **state)
{
	(void)state;
	sources.num_crls = 0;
	put("a.crl", "05", -1);
	assert_true(compile("a.crl"));
	poll_once();
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	certauth_compile_free(&report);
	put("a.crl", "06", 1);
	assert_true(compile("a.crl"));
	assert_int_equal(poll_in_want(), 1);
	assert_true(failed);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	assert_int_equal(poll_in_want(), 0);
	assert_int_equal(poll_once(), 0);
	assert_true(changed);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	assert_true(quiet());
	certauth_compile_free(&report);
}

/* The manifest has a new line of another kind: all is looked at once, and from then
 * on nothing is read. */
static void
test_other_line(void **state)
{
	static const unsigned char	pem[] = "x";
	struct publish_folder		writer;
	char				events[4096], path[256];
	int				watch = inotify_init1(IN_NONBLOCK);

	(void)state;
	sources.num_crls = 0;
	put("a.crl", "05", -1);
	assert_true(compile("a.crl"));
	poll_once();
	certauth_compile_free(&report);
	must(publish_begin(&writer, state_path, &error));
	must(publish_commit_pool(&writer, pem, sizeof(pem), &error));
	publish_end(&writer);
	assert_true(quiet());
	snprintf(path, sizeof(path), "%s/current", state_path);
	must(watch >= 0 && inotify_add_watch(watch, path, IN_OPEN) >= 0);
	snprintf(path, sizeof(path), "%s/crl.1.idx", state_path);
	must(inotify_add_watch(watch, path, IN_OPEN) >= 0);
	assert_true(quiet());
	assert_true(read(watch, events, sizeof(events)) < 0);
	close(watch);
}

/* The state folder need not be there, and may come later. */
static void
test_state_later(void **state)
{
	(void)state;
	sources.num_crls = 0;
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_REVOCATION_UNKNOWN);
	put("a.crl", "05", -1);
	assert_true(compile("a.crl"));
	assert_int_equal(poll_once(), 0);
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
	certauth_compile_free(&report);
	sources.state = NULL;
	poll_once();
	assert_int_equal(leaf_is(data), CERTAUTH_OK);
}

/* ----------------------------------------------------------------- threads */

static _Atomic(bool)	stop;
static pthread_mutex_t	lock = PTHREAD_MUTEX_INITIALIZER;

/* What certauth.c does: take a reference under the lock, look, let go. */
static void *
looker(void *context)
{
	size_t	*looks = context;

	while (!atomic_load(&stop)) {
		struct revocation_data	*mine;
		enum certauth_reason	 reason;

		pthread_mutex_lock(&lock);
		mine = revocation_ref(data);
		pthread_mutex_unlock(&lock);
		reason = leaf_is(mine);
		assert_true(reason == CERTAUTH_REVOKED ||
		    reason == CERTAUTH_ON_HOLD);
		revocation_free(mine);
		++*looks;
	}
	return NULL;
}

/* C4 row 43: swapped under load; readers see the old or the new, whole. */
static void
test_c4_43_threads(void **state)
{
	pthread_t		threads[3];
	size_t			looks[3] = { 0 };
	struct revocation_data	*next, *old;
	char			number[8];
	int			i;

	(void)state;
	put("a.crl", "01", 1);
	poll_once();
	atomic_store(&stop, false);
	for (i = 0; i < 3; i++)
		must(pthread_create(&threads[i], NULL, looker, &looks[i]) == 0);
	for (i = 2; i < 90; i++) {
		snprintf(number, sizeof(number), "%02X", i);
		put("a.crl", number, i % 2 == 0 ? 6 : 1);
		if (i % 10 == 0)
			must(compile("a.crl"));
		next = revocation_load(&sources, data, note, NULL, &changed,
		    &failed);
		must(next != NULL);
		pthread_mutex_lock(&lock);
		old = data;
		data = next;
		pthread_mutex_unlock(&lock);
		revocation_free(old);
	}
	atomic_store(&stop, true);
	for (i = 0; i < 3; i++) {
		must(pthread_join(threads[i], NULL) == 0);
		assert_true(looks[i] > 0);
	}
	assert_int_equal(leaf_is(data), CERTAUTH_REVOKED);
	certauth_compile_free(&report);
}

#define TEST(f)	cmocka_unit_test_setup_teardown(f, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_poll),
		TEST(test_shared),
		TEST(test_c4_34_bad),
		TEST(test_c4_34_bad_at_start),
		TEST(test_older_same_number),
		TEST(test_gone),
		TEST(test_folder_gone),
		TEST(test_single_file),
		TEST(test_bundle),
		TEST(test_sizes),
		TEST(test_compile),
		TEST(test_compiled_and_file),
		TEST(test_compile_not_begun),
		TEST(test_compile_keeps),
		TEST(test_compile_nothing),
		TEST(test_compile_conf),
		TEST(test_published_bad),
		TEST(test_published_in_want),
		TEST(test_other_line),
		TEST(test_state_later),
		TEST(test_c4_43_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
