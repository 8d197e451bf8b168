/*
 * describe.c - what of the certificate is shown, whatever the verdict?
 *
 * Fills the attributes that logs and variables carry. Decides nothing.
 */

#include <stdio.h>

#include "base/text.h"
#include "engine.h"
#include "trust/renewal.h"

static void
set_hex(struct certauth_verdict *v, enum verdict_attr attr,
    const unsigned char *data, size_t data_len)
{
	struct text	t = { 0 };

	text_add_hex(&t, data, data_len);
	verdict_set(v, attr, t.data);
	text_free(&t);
}

static void
set_serial(struct certauth_verdict *v, const struct cert *c)
{
	struct text	t = { 0 };
	char		*p;

	if (c->serial_negative)
		text_add(&t, "-");
	text_add_hex(&t, c->serial, c->serial_len);
	for (p = t.data; p != NULL && *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'f')
			*p = (char)(*p - 'a' + 'A');
	verdict_set(v, VERDICT_SERIAL, t.data);
	text_free(&t);
}

/* Mailboxes as text for people, and as names the client may ask for. */
static void
set_mailboxes(struct certauth_verdict *v, const struct cert *c)
{
	struct text		 t = { 0 };
	unsigned char		*data;
	size_t			 i, data_len;

	for (i = 0; i < c->num_sans; i++) {
		if (c->sans[i].kind != CERT_SAN_EMAIL &&
		    c->sans[i].kind != CERT_SAN_SMTP_UTF8)
			continue;
		if (t.len == 0)
			text_add_printable(&t, c->sans[i].data,
			    c->sans[i].data_len, 320);
		if (cert_mailbox_plain(c->sans[i].data, c->sans[i].data_len))
			verdict_add_mailbox(v, (const char *)c->sans[i].data,
			    c->sans[i].data_len);
	}
	if (t.len == 0 && cert_subject_attr(c, "emailAddress", 0, &data,
	    &data_len)) {
		text_add_printable(&t, data, data_len, 320);
		OPENSSL_free(data);
	}
	verdict_set(v, VERDICT_EMAIL, t.data);
	text_free(&t);
}

void
describe_leaf(struct certauth_verdict *v, const struct cert *c,
    const struct policy_options *policy, int64_t now)
{
	char	days[24], when[32];

	set_serial(v, c);
	set_hex(v, VERDICT_FINGERPRINT, c->sha256, 32);
	verdict_set_leaf(v, c->x509);
	set_mailboxes(v, c);
	(void)snprintf(days, sizeof(days), "%lld",
	    (long long)((c->not_after - now) / 86400));
	verdict_set(v, VERDICT_DAYS_LEFT, days);
	verdict_set(v, VERDICT_NOT_AFTER, text_time_print(when, sizeof(when),
	    c->not_after));
	verdict_set(v, VERDICT_RENEWAL, renewal_word(renewal_state(policy, c,
	    now)));
}

/* Whom the client may ask to be instead: those who are not denied themselves. */
void
describe_accounts(struct certauth_verdict *v, const struct rules_answer *answer,
    const struct denied *denied, const struct cert *leaf, int64_t now)
{
	const struct rules_account	*a;
	const char			*detail = "";
	size_t				 i;

	for (i = 0; i < answer->num_also; i++) {
		a = &answer->also[i];
		if (denied != NULL && (denied_match(denied, leaf, a->user, now,
		    verdict_arena(v), &detail) || denied_match(denied, leaf,
		    a->found, now, verdict_arena(v), &detail))) {
			verdict_tell(v, "    not as \"%s\": %s", a->user, detail);
			continue;
		}
		verdict_tell(v, "    or as \"%s\", if asked for", a->user);
		verdict_add_account(v, a->user);
	}
}
