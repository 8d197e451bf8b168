/*
 * deny.c - who leaves today: a line in the denied files of the profiles, or out of
 * them again.
 *
 * Reads the policy file alone and opens nothing else that it names: on the day it
 * is needed a fault elsewhere must not stand in the way. Running servers take the
 * files up at their next poll.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/edit.h"
#include "certauth_data.h"
#include "engine.h"

/* cert: and key: of one file */
#define DENY_LINE_BYTES	80

struct deny {
	const struct certauth_deny	*ask;
	const char			*what;
	int64_t				 now;
	size_t				 num;	/* lines changed */
};

static bool
edit(void *context, const struct file_bytes *bytes, struct text *text_r,
    bool *changed_r, struct certauth_error *error_r)
{
	struct deny	*d = context;
	struct denied	*after;

	if (d->ask->allow ? !denied_remove(bytes->data, bytes->data_len, "",
	    d->what, text_r, &d->num, error_r) :
	    !denied_add(bytes->data, bytes->data_len, "", d->what,
	    d->ask->until, d->ask->reason, d->now, text_r, &d->num, error_r))
		return false;
	*changed_r = d->num > 0;
	if (!*changed_r)
		return true;
	/* What no server would take up is not written. */
	after = denied_parse((const unsigned char *)
	    (text_r->data != NULL ? text_r->data : ""), text_r->len, "",
	    error_r);
	denied_free(after);
	return after != NULL;
}

/* One line into or out of one file. */
static bool
edit_one(const struct config *config, size_t live, const struct certauth_deny *ask,
    const char *what, size_t *num_r, struct certauth_error *error_r)
{
	struct deny	 d = { .ask = ask, .what = what };
	const char	*path = config->live[live].ref.path;

	d.now = ask->now;
	if (!edit_file(path, &config->owners, DENIED_MAX_BYTES, edit, &d,
	    error_r)) {
		/* of the file, not of what was typed */
		if (error_r != NULL && error_r->line > 0)
			(void)snprintf(error_r->file, sizeof(error_r->file),
			    "%s", path);
		return false;
	}
	*num_r += d.num;
	return true;
}

/* What is denied of a certificate: itself, and its key in whichever other. */
static bool
cert_lines(const char *file, char lines_r[2][DENY_LINE_BYTES],
    struct certauth_error *error_r)
{
	STACK_OF(X509)	*sent = NULL;
	X509		*leaf = NULL;
	char		 hashes[2][65];
	bool		 ok;

	if (!certauth_read_leaf(file, NULL, &leaf, &sent, error_r))
		return false;
	ok = certauth_cert_hashes(leaf, hashes[0], hashes[1]);
	X509_free(leaf);
	sk_X509_pop_free(sent, X509_free);
	if (!ok) {
		error_set(error_r, file, 0, "the certificate cannot be read");
		return false;
	}
	(void)snprintf(lines_r[0], DENY_LINE_BYTES, "cert:%s", hashes[0]);
	(void)snprintf(lines_r[1], DENY_LINE_BYTES, "key:%s", hashes[1]);
	return true;
}

static bool
named_before(const struct config *config, size_t profile, int live)
{
	size_t	i;

	for (i = 0; i < profile; i++)
		if (config->profiles[i].denied == live)
			return true;
	return false;
}

static bool
edit_profile(const struct config *config, size_t profile,
    const struct certauth_deny *ask, certauth_deny_fn *tell, void *context,
    struct certauth_error *error_r)
{
	const struct config_profile	*p = &config->profiles[profile];
	char				 lines[2][DENY_LINE_BYTES];
	size_t				 num = 0;
	bool				 ok;

	if (p->denied < 0) {
		tell(context, p->name, NULL, 0);
		return true;
	}
	if (ask->profile == NULL && named_before(config, profile, p->denied))
		return true;
	if (denied_is_line(ask->what))
		ok = edit_one(config, (size_t)p->denied, ask, ask->what, &num,
		    error_r);
	else
		ok = cert_lines(ask->what, lines, error_r) &&
		    edit_one(config, (size_t)p->denied, ask, lines[0], &num,
		    error_r) && edit_one(config, (size_t)p->denied, ask,
		    lines[1], &num, error_r);
	if (ok)
		tell(context, p->name, config->live[p->denied].ref.path, num);
	return ok;
}

bool
certauth_deny(const char *conf, const struct certauth_deny *ask,
    certauth_deny_fn *tell, void *context, struct certauth_error *error_r)
{
	struct certauth_deny	 now = *ask;
	struct config		*config = config_load_in_force(conf, error_r);
	struct certauth_error	 later;
	size_t			 i;
	bool			 ok = config != NULL, found = false;

	if (now.now == 0)
		now.now = engine_clock(NULL);
	/* One file with a fault leaves no other door open: the first fault is
	 * told, the rest is done. */
	for (i = 0; config != NULL && i < config->num_profiles; i++) {
		if (ask->profile != NULL &&
		    strcmp(ask->profile, config->profiles[i].name) != 0)
			continue;
		found = true;
		ok = edit_profile(config, i, &now, tell, context,
		    ok ? error_r : &later) && ok;
	}
	if (ok && !found) {
		error_set(error_r, conf, 0, "there is no such profile");
		ok = false;
	}
	config_free(config);
	return ok;
}
