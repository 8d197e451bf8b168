/*
 * directory_search.c - who is in the directory, and what lines of a map are they?
 *
 * TLS or the machine itself, bind by a password in a file, pages, one entry after
 * the other. What no map takes (control characters, two users in one entry) is
 * left out and counted.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include <ldap.h>
#include <openssl/evp.h>

#include "directory.h"

/* Seconds for a connection, and for one page. */
#define CONNECT_SECONDS		10
#define PAGE_SECONDS		60
/* Pages without anybody, one after the other: each other one has somebody, and of
 * these there are so many at most. */
#define MAX_EMPTY_PAGES		16
#define MAX_PASSWORD		1024
#define MAX_VALUE		2000
#define MAX_LINES		65536
/* Values of one attribute. */
#define MAX_VALUES		1000

struct search {
	const struct directory	*d;
	LDAP			*ld;
	struct people		*into;
	struct certauth_error	*error_r;
	directory_stop_fn	*stop;
	void			*context;
};

static bool
fail(struct search *s, const char *what, const char *why)
{
	memset(s->error_r, 0, sizeof(*s->error_r));
	(void)snprintf(s->error_r->file, sizeof(s->error_r->file), "%s",
	    s->d->url);
	(void)snprintf(s->error_r->text, sizeof(s->error_r->text), "%s: %s",
	    what, why);
	return false;
}

/* And what the library or the server adds, as far as it can be printed. */
static bool
fail_ldap(struct search *s, const char *what, int rc)
{
	char	why[300], *more = NULL;
	size_t	i, n;

	if (s->ld != NULL && ldap_get_option(s->ld,
	    LDAP_OPT_DIAGNOSTIC_MESSAGE, &more) != LDAP_OPT_SUCCESS)
		more = NULL;
	n = (size_t)snprintf(why, sizeof(why), "%s%s%.200s",
	    ldap_err2string(rc), more != NULL && more[0] != '\0' ? ": " : "",
	    more != NULL ? more : "");
	for (i = 0; i < n && i < sizeof(why) - 1; i++)
		if (why[i] < ' ' || why[i] == 0x7f)
			why[i] = '?';
	ldap_memfree(more);
	return fail(s, what, why);
}

/* -------------------------------------------------------------- connection */

/* One line; its end is not part of it. */
static bool
read_password(struct search *s, char *buf, size_t buf_len)
{
	struct stat	st;
	ssize_t		n = -1;
	int		fd = open(s->d->password_file, O_RDONLY | O_CLOEXEC);

	if (fd >= 0 && fstat(fd, &st) == 0 &&
	    (st.st_mode & (S_IWGRP | S_IWOTH | S_IROTH)) == 0)
		n = read(fd, buf, buf_len - 1);
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return fail(s, s->d->password_file, "cannot be read, or others "
		    "may read or write it");
	buf[n] = '\0';
	buf[strcspn(buf, "\r\n")] = '\0';
	/* RFC 4513 5.1.2: without a password everybody is let in */
	return buf[0] != '\0' || fail(s, s->d->password_file, "is empty");
}

static bool
set_up(struct search *s)
{
	const struct timeval	connect = { CONNECT_SECONDS, 0 };
	int			three = LDAP_VERSION3, hard =
				    LDAP_OPT_X_TLS_HARD, client = 0;

	return ldap_set_option(s->ld, LDAP_OPT_PROTOCOL_VERSION, &three) ==
	    LDAP_OPT_SUCCESS && ldap_set_option(s->ld, LDAP_OPT_REFERRALS,
	    LDAP_OPT_OFF) == LDAP_OPT_SUCCESS && ldap_set_option(s->ld,
	    LDAP_OPT_NETWORK_TIMEOUT, &connect) == LDAP_OPT_SUCCESS &&
	    ldap_set_option(s->ld, LDAP_OPT_TIMEOUT, &connect) ==
	    LDAP_OPT_SUCCESS && ldap_set_option(s->ld,
	    LDAP_OPT_X_TLS_REQUIRE_CERT, &hard) == LDAP_OPT_SUCCESS &&
	    (s->d->ca_file == NULL || ldap_set_option(s->ld,
	    LDAP_OPT_X_TLS_CACERTFILE, s->d->ca_file) == LDAP_OPT_SUCCESS) &&
	    ldap_set_option(s->ld, LDAP_OPT_X_TLS_NEWCTX, &client) ==
	    LDAP_OPT_SUCCESS;
}

static bool
connect_to(struct search *s)
{
	char		password[MAX_PASSWORD] = "";
	struct berval	cred = { 0, password };
	int		rc = ldap_initialize(&s->ld, s->d->url);
	bool		ok;

	if (rc != LDAP_SUCCESS)
		return fail_ldap(s, "no connection", rc);
	if (!set_up(s))
		return fail(s, "no connection", "options of TLS are refused");
	if (strncasecmp(s->d->url, "ldap://", 7) == 0 && s->d->starttls &&
	    (rc = ldap_start_tls_s(s->ld, NULL, NULL)) != LDAP_SUCCESS)
		return fail_ldap(s, "StartTLS", rc);
	if (s->d->bind_dn != NULL && !read_password(s, password,
	    sizeof(password)))
		return false;
	cred.bv_len = strlen(password);
	rc = ldap_sasl_bind_s(s->ld, s->d->bind_dn, LDAP_SASL_SIMPLE, &cred,
	    NULL, NULL, NULL);
	ok = rc == LDAP_SUCCESS || fail_ldap(s, "bind", rc);
	OPENSSL_cleanse(password, sizeof(password));
	return ok;
}

/* ----------------------------------------------------------------- entries */

struct lines { char text[MAX_LINES]; size_t len; bool full; };

static void
add(struct lines *l, const char *data, size_t len)
{
	if (l->len + len + 1 > sizeof(l->text)) {
		l->full = true;
		return;
	}
	memcpy(l->text + l->len, data, len);
	l->len += len;
	l->text[l->len] = '\0';
}

/* A word in quotes, which hold everything but control characters. */
static void
add_word(struct lines *l, const char *data, size_t len)
{
	size_t	i;

	add(l, "\"", 1);
	for (i = 0; i < len; i++) {
		if (data[i] == '"' || data[i] == '\\')
			add(l, "\\", 1);
		add(l, data + i, 1);
	}
	add(l, "\"", 1);
}

static bool
plain(const struct berval *value)
{
	size_t	i;

	for (i = 0; i < value->bv_len; i++)
		if ((unsigned char)value->bv_val[i] < 0x20 ||
		    value->bv_val[i] == 0x7f)
			return false;
	return value->bv_len > 0 && value->bv_len <= MAX_VALUE;
}

/* cn=staff,ou=groups,dc=x gives staff. False: none that a map takes. */
static bool
group_name(const struct berval *value, char *buf, size_t buf_len)
{
	LDAPDN		dn = NULL;
	struct berval	*name;
	bool		ok = false;

	if (!plain(value) || ldap_bv2dn((struct berval *)(uintptr_t)value, &dn,
	    LDAP_DN_FORMAT_LDAPV3) != LDAP_SUCCESS || dn == NULL)
		return false;
	if (dn[0] != NULL && dn[0][0] != NULL) {
		name = &dn[0][0]->la_value;
		ok = plain(name) && name->bv_len < buf_len &&
		    memchr(name->bv_val, ',', name->bv_len) == NULL &&
		    name->bv_val[0] != ' ' && name->bv_val[name->bv_len - 1] != ' ';
		if (ok) {
			memcpy(buf, name->bv_val, name->bv_len);
			buf[name->bv_len] = '\0';
		}
	}
	ldap_dnfree(dn);
	return ok;
}

static void
read_groups(struct search *s, LDAPMessage *entry, struct lines *groups)
{
	struct berval	**values;
	char		  name[256];
	size_t		  i;

	groups->len = 0;
	groups->full = false;
	groups->text[0] = '\0';
	values = s->d->groups == NULL ? NULL :
	    ldap_get_values_len(s->ld, entry, s->d->groups);
	for (i = 0; values != NULL && values[i] != NULL && i < MAX_VALUES; i++) {
		/* a line has 4096 bytes in all */
		if (groups->len > 1500 || !group_name(values[i], name,
		    sizeof(name))) {
			s->into->skipped++;
			continue;
		}
		if (groups->len > 0)
			add(groups, ",", 1);
		add(groups, name, strlen(name));
	}
	ldap_value_free_len(values);
}

/* The key that a value makes. False: none. */
static bool
make_key(const char *attribute, const struct berval *value, char *buf,
    size_t buf_len)
{
	unsigned char	digest[32];
	size_t		i;

	if (strncasecmp(attribute, "userCertificate", 15) == 0) {
		if (value->bv_len == 0 || EVP_Digest(value->bv_val, value->bv_len,
		    digest, NULL, EVP_sha256(), NULL) != 1)
			return false;
		for (i = 0; i < 32; i++)
			(void)snprintf(buf + 2 * i, 3, "%02x", digest[i]);
		return true;
	}
	if (!plain(value) || value->bv_len >= buf_len)
		return false;
	memcpy(buf, value->bv_val, value->bv_len);
	buf[value->bv_len] = '\0';
	return strcasecmp(attribute, "altSecurityIdentities") != 0 ||
	    certauth_ad_key(buf);
}

static void
read_keys(struct search *s, LDAPMessage *entry, const struct berval *user,
    const struct lines *groups, struct lines *out)
{
	struct berval	**values;
	char		  key[MAX_VALUE + 1];
	size_t		  k, i;

	for (k = 0; s->d->keys[k] != NULL; k++) {
		values = ldap_get_values_len(s->ld, entry, s->d->keys[k]);
		for (i = 0; values != NULL && values[i] != NULL &&
		    i < MAX_VALUES; i++) {
			if (!make_key(s->d->keys[k], values[i], key,
			    sizeof(key))) {
				s->into->skipped++;
				continue;
			}
			add_word(out, key, strlen(key));
			add(out, " ", 1);
			add_word(out, user->bv_val, user->bv_len);
			if (groups->len > 0) {
				add(out, " ", 1);
				add_word(out, groups->text, groups->len);
			}
			add(out, "\n", 1);
		}
		ldap_value_free_len(values);
	}
}

static bool
keep(struct search *s, const char *dn, const char *lines)
{
	struct people	*p = s->into;
	struct person	*grown, *at;

	if (p->num_items == DIRECTORY_MAX_ENTRIES)
		return fail(s, "search", "more entries than are taken");
	if (p->num_items == p->max_items) {
		grown = reallocarray(p->items, p->max_items * 2 + 1024,
		    sizeof(*grown));
		if (grown == NULL)
			return fail(s, "search", "out of memory");
		p->items = grown;
		p->max_items = p->max_items * 2 + 1024;
	}
	at = &p->items[p->num_items];
	at->dn = strdup(dn);
	at->lines = strdup(lines);
	p->num_items++;
	return (at->dn != NULL && at->lines != NULL) ||
	    fail(s, "search", "out of memory");
}

static bool
read_entry(struct search *s, LDAPMessage *entry, struct lines *groups,
    struct lines *out)
{
	struct berval	**users, **times;
	char		 *dn = ldap_get_dn(s->ld, entry);
	bool		  ok;

	users = ldap_get_values_len(s->ld, entry, s->d->user);
	times = ldap_get_values_len(s->ld, entry, "modifyTimestamp");
	/* YYYYmmddHHMMSSZ sorts as text */
	if (times != NULL && times[0] != NULL && times[0]->bv_len <
	    sizeof(s->into->newest) && strncmp(times[0]->bv_val,
	    s->into->newest, times[0]->bv_len) > 0)
		(void)snprintf(s->into->newest, sizeof(s->into->newest), "%s",
		    times[0]->bv_val);
	out->len = 0;
	out->full = false;
	out->text[0] = '\0';
	if (users != NULL && users[0] != NULL && users[1] == NULL &&
	    plain(users[0]) && users[0]->bv_len <= 255) {
		read_groups(s, entry, groups);
		read_keys(s, entry, users[0], groups, out);
	} else
		s->into->skipped++;
	if (out->full) {
		out->text[0] = '\0';
		s->into->skipped++;
	}
	ok = dn != NULL ? keep(s, dn, out->text) : fail(s, "search",
	    "an entry without a name");
	ldap_value_free_len(users);
	ldap_value_free_len(times);
	ldap_memfree(dn);
	return ok;
}

/* ------------------------------------------------------------------ search */

/* All messages of one page, or why not. */
static bool
wait_for_page(struct search *s, int id, LDAPMessage **result_r)
{
	struct timeval	second = { 1, 0 };
	int		i, rc;

	for (i = 0; i < PAGE_SECONDS; i++) {
		if (s->stop(s->context))
			return fail(s, "search", "stopped");
		rc = ldap_result(s->ld, id, LDAP_MSG_ALL, &second, result_r);
		if (rc > 0)
			return true;
		if (rc < 0) {
			if (ldap_get_option(s->ld, LDAP_OPT_RESULT_CODE, &rc) !=
			    LDAP_OPT_SUCCESS)
				rc = LDAP_OTHER;
			return fail_ldap(s, "search", rc);
		}
	}
	return fail_ldap(s, "search", LDAP_TIMEOUT);
}

/* One page; *cookie says where the next begins, empty: no more. */
static bool
read_page(struct search *s, const char *filter, char **attributes,
    struct berval *cookie, struct lines *groups, struct lines *out)
{
	LDAPControl	*page = NULL, **back = NULL, *found;
	LDAPMessage	*result = NULL, *entry;
	ber_int_t	 estimate;
	int		 rc, id = -1, code = LDAP_OTHER;
	bool		 ok = false;

	rc = ldap_create_page_control(s->ld, s->d->page, cookie, 1, &page);
	if (rc == LDAP_SUCCESS) {
		LDAPControl	*controls[] = { page, NULL };

		rc = ldap_search_ext(s->ld, s->d->base, LDAP_SCOPE_SUBTREE,
		    filter, attributes, 0, controls, NULL, NULL, LDAP_NO_LIMIT,
		    &id);
	}
	if (rc != LDAP_SUCCESS) {
		fail_ldap(s, "search", rc);
		goto out;
	}
	if (!wait_for_page(s, id, &result))
		goto out;
	for (entry = ldap_first_entry(s->ld, result); entry != NULL;
	    entry = ldap_next_entry(s->ld, entry))
		if (!read_entry(s, entry, groups, out))
			goto out;
	rc = ldap_parse_result(s->ld, result, &code, NULL, NULL, NULL, &back, 0);
	if (rc != LDAP_SUCCESS || code != LDAP_SUCCESS) {
		fail_ldap(s, "search", rc != LDAP_SUCCESS ? rc : code);
		goto out;
	}
	if (cookie->bv_val != NULL)
		ber_memfree(cookie->bv_val);
	memset(cookie, 0, sizeof(*cookie));
	found = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, back, NULL);
	ok = found != NULL && ldap_parse_pageresponse_control(s->ld, found,
	    &estimate, cookie) == LDAP_SUCCESS;
	if (!ok)
		fail(s, "search", "the directory knows no pages (RFC 2696)");
out:
	if (page != NULL)
		ldap_control_free(page);
	ldap_controls_free(back);
	ldap_msgfree(result);
	return ok;
}

static int
by_dn(const void *a, const void *b)
{
	return strcasecmp(((const struct person *)a)->dn,
	    ((const struct person *)b)->dn);
}

/* Those found now in place of those of the same name. */
static bool
merge(struct people *into, struct people *found)
{
	struct person	*grown, *old;
	size_t		 i, sorted = into->num_items;

	grown = reallocarray(into->items, into->num_items + found->num_items + 1,
	    sizeof(*grown));
	if (grown == NULL)
		return false;
	into->items = grown;
	into->max_items = into->num_items + found->num_items + 1;
	for (i = 0; i < found->num_items; i++) {
		old = bsearch(&found->items[i], into->items, sorted,
		    sizeof(*old), by_dn);
		if (old != NULL) {
			free(old->dn);
			free(old->lines);
			*old = found->items[i];
		} else
			into->items[into->num_items++] = found->items[i];
	}
	found->num_items = 0;
	return true;
}

bool
directory_search(const struct directory *d, const char *since,
    directory_stop_fn *stop, void *context, struct people *people,
    struct certauth_error *error_r)
{
	struct people	 found = { .num_items = 0 };
	struct search	 s = { .d = d, .into = &found, .error_r = error_r,
			    .stop = stop, .context = context };
	struct berval	 cookie = { 0, NULL };
	struct lines	*lines = calloc(2, sizeof(*lines));
	char		*attributes[DIRECTORY_MAX_KEYS + 4], filter[4096];
	size_t		 i, n = 0, before;
	unsigned	 empty = 0;
	bool		 ok;

	for (i = 0; d->keys[i] != NULL; i++)
		attributes[n++] = d->keys[i];
	attributes[n++] = d->user;
	attributes[n++] = (char *)(uintptr_t)"modifyTimestamp";
	if (d->groups != NULL)
		attributes[n++] = d->groups;
	attributes[n] = NULL;
	(void)snprintf(found.newest, sizeof(found.newest), "%s",
	    since != NULL ? since : "");
	ok = (size_t)(since != NULL ? snprintf(filter, sizeof(filter),
	    "(&%s(modifyTimestamp>=%s))", d->filter, since) :
	    snprintf(filter, sizeof(filter), "%s", d->filter)) < sizeof(filter) ||
	    fail(&s, "filter", "is too long");
	ok = ok && (lines != NULL || fail(&s, "search", "out of memory")) &&
	    connect_to(&s);
	while (ok) {
		before = found.num_items;
		ok = read_page(&s, filter, attributes, &cookie, &lines[0],
		    &lines[1]);
		if (cookie.bv_len == 0)
			break;
		empty = found.num_items > before ? 0 : empty + 1;
		if (ok && empty > MAX_EMPTY_PAGES)
			ok = fail(&s, "search", "pages without anybody do not "
			    "end");
	}
	if (ok && since == NULL)
		people_clear(people);
	ok = ok && (merge(people, &found) || fail(&s, "search", "out of memory"));
	if (ok) {
		qsort(people->items, people->num_items, sizeof(*people->items),
		    by_dn);
		people->skipped = found.skipped;
		memcpy(people->newest, found.newest, sizeof(found.newest));
	}
	people_clear(&found);
	free(lines);
	if (cookie.bv_val != NULL)
		ber_memfree(cookie.bv_val);
	if (s.ld != NULL)
		(void)ldap_unbind_ext_s(s.ld, NULL, NULL);
	return ok;
}

void
people_clear(struct people *p)
{
	size_t	i;

	for (i = 0; i < p->num_items; i++) {
		free(p->items[i].dn);
		free(p->items[i].lines);
	}
	free(p->items);
	memset(p, 0, sizeof(*p));
}
