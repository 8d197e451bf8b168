/*
 * account.c - one certificate, several accounts: which one is meant?
 *
 * The mapped user, unless another is asked for that the map allows beside it. Taken
 * after the verdict, so that one verdict serves all of them; never outside of it.
 */

#include <string.h>

#include "verdict/inside.h"

#define ACCOUNT_MAX_DETAIL	512

void
verdict_add_account(struct certauth_verdict *v, const char *name)
{
	struct text	list = { 0 };

	if (v->num_accounts == VERDICT_MAX_ACCOUNTS)
		return;		/* one too many may be nobody's */
	v->accounts[v->num_accounts] = arena_string(v->arena, name);
	if (v->accounts[v->num_accounts] == NULL) {
		v->no_memory = true;
		return;
	}
	v->num_accounts++;
	text_add(&list, v->attrs[VERDICT_ACCOUNTS] != NULL ?
	    v->attrs[VERDICT_ACCOUNTS] : "");
	text_add(&list, list.len > 0 ? "," : "");
	text_add(&list, name);
	if (list.failed)
		v->no_memory = true;
	else
		verdict_set(v, VERDICT_ACCOUNTS, list.data);
	text_free(&list);
}

static bool
same(const char *text, const char *name, size_t name_len)
{
	return text[0] != '\0' && strlen(text) == name_len &&
	    memcmp(text, name, name_len) == 0;
}

/* The name as the verdict has it; NULL: it is none of its users. */
static const char *
find(const struct certauth_verdict *v, const char *name, size_t name_len)
{
	const char	*user = certauth_verdict_user(v);
	size_t		 i;

	if (user[0] == '\0' || name == NULL)
		return NULL;
	if (same(user, name, name_len))
		return user;
	for (i = 0; i < v->num_accounts; i++)
		if (same(v->accounts[i], name, name_len))
			return v->accounts[i];
	return NULL;
}

bool
certauth_verdict_is_user(const struct certauth_verdict *v, const char *name,
    size_t name_len)
{
	return find(v, name, name_len) != NULL;
}

const char *
certauth_verdict_account(const struct certauth_verdict *v, const char *name,
    size_t name_len)
{
	const char	*user = certauth_verdict_user(v), *found;
	size_t		 i;

	if (user[0] == '\0')
		return NULL;
	if (name_len == 0 || name == NULL)
		return user;
	found = find(v, name, name_len);
	for (i = 0; found == NULL && i < v->num_mailboxes; i++)
		if (v->mailboxes[i].data_len == name_len &&
		    memcmp(v->mailboxes[i].data, name, name_len) == 0)
			found = user;
	return found;
}

bool
certauth_verdict_may_act_as(const struct certauth_verdict *v, const char *name,
    size_t name_len)
{
	return certauth_verdict_account(v, name, name_len) != NULL;
}

/* All that an ACCEPT says, with another of its users in front. */
static struct certauth_verdict *
copy(const struct certauth_verdict *from, const char *user)
{
	struct certauth_verdict	*v;
	size_t			 i;
	int			 path = -1;

	v = verdict_new(from->profile, "", from->now, from->flags);
	if (v == NULL)
		return NULL;
	text_add(&v->story, verdict_story(from));
	for (i = 0; i < VERDICT_NUM_ATTRS; i++)
		if (i != VERDICT_ACCOUNTS)
			verdict_set(v, (enum verdict_attr)i, from->attrs[i]);
	verdict_set(v, VERDICT_USER, user);
	if (from->leaf != NULL)
		verdict_set_leaf(v, from->leaf);
	if (from->num_paths > 0)
		path = verdict_path_begin(v, from->paths[0].certs,
		    from->paths[0].authority);
	for (i = 0; i < from->num_findings; i++)
		if (from->findings[i].path <= 0)
			verdict_add(v, from->findings[i].reason,
			    from->findings[i].severity, from->findings[i].path,
			    from->findings[i].depth, "%s",
			    from->findings[i].detail);
	for (i = 0; i < from->num_mailboxes; i++)
		verdict_add_mailbox(v, from->mailboxes[i].data,
		    from->mailboxes[i].data_len);
	/* still his: the name he has when none is asked for, and the others */
	verdict_add_account(v, from->attrs[VERDICT_USER]);
	for (i = 0; i < from->num_accounts; i++)
		if (strcmp(from->accounts[i], user) != 0)
			verdict_add_account(v, from->accounts[i]);
	verdict_holds(v, from->from, from->until);
	verdict_set_generation(v, from->engine, from->generation);
	if (from->transient)
		verdict_transient(v);
	verdict_close(v, path);
	return v;
}

struct certauth_verdict *
verdict_refuse_as(const struct certauth_verdict *from,
    enum certauth_reason reason, const char *detail)
{
	/* Who was refused stays visible; as whom he would have entered does not. */
	static const enum verdict_attr	kept[] = {
		VERDICT_EMAIL, VERDICT_SERIAL, VERDICT_FINGERPRINT,
		VERDICT_POLICIES, VERDICT_DAYS_LEFT, VERDICT_PROFILE,
		VERDICT_AUTHORITY, VERDICT_ID,
	};
	struct certauth_verdict		*v;
	STACK_OF(X509)			*path;
	char				 shown[ACCOUNT_MAX_DETAIL] = "";
	size_t				 i;
	int				 number = -1;

	v = verdict_new(certauth_verdict_profile(from), "",
	    from != NULL ? verdict_now(from) : 0, 0);
	if (v == NULL)
		return NULL;
	for (i = 0; from != NULL && i < sizeof(kept) / sizeof(kept[0]); i++)
		verdict_set(v, kept[i], verdict_attr(from, kept[i]));
	path = certauth_verdict_get0_path(from);
	if (path != NULL && sk_X509_num(path) > 0) {
		verdict_set_leaf(v, sk_X509_value(path, 0));
		number = verdict_path_begin(v, path,
		    verdict_attr(from, VERDICT_AUTHORITY));
	}
	if (detail != NULL)
		text_printable(shown, sizeof(shown), detail, strlen(detail));
	verdict_fault(v, reason, number, number < 0 ? -1 : 0,
	    "%s", shown);
	verdict_close(v, -1);
	return v;
}

struct certauth_verdict *
certauth_verdict_as(struct certauth_verdict *v, const char *name,
    size_t name_len)
{
	const char	*user;
	char		 shown[256];
	struct text	 detail = { 0 };

	if (certauth_verdict_decision(v) != CERTAUTH_ACCEPT || name == NULL ||
	    name_len == 0)
		return certauth_verdict_ref(v);
	user = certauth_verdict_account(v, name, name_len);
	if (user != NULL)
		return same(user, v->attrs[VERDICT_USER],
		    strlen(v->attrs[VERDICT_USER])) ? certauth_verdict_ref(v) :
		    copy(v, user);
	text_printf(&detail, "asked for \"%s\", the certificate is for \"%s\"",
	    text_printable(shown, sizeof(shown), name, name_len),
	    v->attrs[VERDICT_USER]);
	v = verdict_refuse_as(v, CERTAUTH_WRONG_USER,
	    detail.data != NULL ? detail.data : "");
	text_free(&detail);
	return v;
}
