/*
 * certauth_data.h - public door 2: make data, and ask without a policy file.
 *
 * For the command (and later the refresher) only; never for a server module.
 */
#ifndef CERTAUTH_DATA_H
#define CERTAUTH_DATA_H

#include <sys/types.h>

#include "certauth.h"

/*
 * An engine without policy file: what `certauth verify --roots` needs. Every
 * certificate in `roots` is an anchor. Arrays of file names, borrowed for the
 * call; the files may be PEM, DER, PKCS#7 or PKCS#12 with one or many objects,
 * owned by anyone. Words as in INTERFACE 3. NULL after filling error_r.
 * The engine's only profile is called "command".
 */
struct certauth_setup {
	const char *const *roots;		size_t num_roots;
	const char *const *intermediates;	size_t num_intermediates;
	const char *const *crls;		size_t num_crls;
	const char *const *ocsp_responses;	size_t num_ocsp_responses;	/* DER */
	const char	*purpose;	/* NULL: "client" */
	const char *const *policies;		size_t num_policies;
	bool		 explicit_policy, inhibit_any_policy, inhibit_policy_mapping;
	unsigned	 max_depth;
	const char	*email;		/* NULL: none */
	const char	*revocation;	/* "none", "leaf", "chain"; NULL: none */
};
struct certauth *certauth_open_setup(const struct certauth_setup *,
    struct certauth_error *error_r);

/*
 * The certificate a person has: PEM, DER, PKCS#7 or PKCS#12 bytes of one file.
 * *leaf_r is the first, or the one that belongs to the .pfx's key; all others go
 * to *sent_r. Both are the caller's. `password` NULL: none. False: error_r, also
 * for a .pfx that wants another password.
 * Unreadable members beside a readable leaf are not fatal.
 */
bool	certauth_read_leaf(const char *file, const char *password, X509 **leaf_r,
	    STACK_OF(X509) **sent_r, struct certauth_error *error_r);
/* Adds every certificate of the file to `sent` (created when NULL). */
bool	certauth_read_sent(const char *file, STACK_OF(X509) **sent,
	    struct certauth_error *error_r);

/* RFC 3339 (fractions are cut), a date, or @seconds. False: not a time. */
bool	certauth_time_parse(const char *, int64_t *seconds_r);
/* RFC 3339 in UTC into a buffer of 32 bytes or more. Returns it. */
char   *certauth_time_print(char *buf, size_t buf_len, int64_t seconds);

/* Somebody else's text made safe for a terminal: control characters and what is no
 * UTF-8 become \xHH. `size`: 4 times its length and 1 holds all. Returns buf. */
char   *certauth_printable(char *buf, size_t size, const char *text);

/* Has the profile rules that lead to users? */
bool	certauth_profile_maps(const struct certauth_profile *);

/* A distinguished name in the order of RFC 4514, printable. The caller frees with
 * free(). NULL: out of memory. */
char   *certauth_name_print(const X509_NAME *);

/* All of it, however the kernel cuts it up. False: errno. */
bool	certauth_write(int fd, const void *data, size_t data_len);
/* A file in the folder `dirfd` (not O_PATH), whole or as it was: a
 * reader sees the old or the new. False: error_r and errno. */
bool	certauth_replace(int dirfd, const char *name, const void *data,
	    size_t data_len, mode_t mode, struct certauth_error *error_r);

/* ------------------------------------------------------------ compile, show */

struct certauth_crl_report {
	char	 file[256];
	char	 issuer[256];		/* RFC 4514, printable */
	char	 number[48];		/* hex, "" none */
	int64_t	 this_update, next_update;	/* 0: none */
	size_t	 entries;
	char	 base[48];		/* of a delta CRL, hex; "" none */
	bool	 indirect;
	char	 error[256];		/* "" fine */
};
struct certauth_compile {
	size_t	 entries, bytes;	/* of the published index */
	double	 seconds;
	struct certauth_crl_report *crls;	size_t num_crls;
};
/* Told at each step of what may take long: `done` of `total` files (more may be found
 * on the way), which one comes now. NULL instead of one: nobody asks. */
struct certauth_progress {
	void	(*fn)(void *context, size_t done, size_t total, const char *name);
	void	 *context;
};
/* Reads the CRLs, checks each against the issuers, publishes one index in
 * `folder` (created 0755 when missing). A bad CRL keeps its last good rows. False: nothing
 * could be published (error_r). Free the report with certauth_compile_free(). */
bool	certauth_compile(const char *const *issuers, size_t num_issuers,
	    const char *const *crls, size_t num_crls, const char *folder,
	    const struct certauth_progress *, struct certauth_compile *report_r,
	    struct certauth_error *error_r);
/* All CRLs of all authorities of a policy file, and those that the refresher
 * keeps in this folder of its `state`, into its `state`. */
#define CERTAUTH_SPOOL	"spool/crl"
/* Lists in it, fetched and pushed. */
#define CERTAUTH_SPOOL_MAX	16384

bool	certauth_compile_conf(const char *conf, const struct certauth_progress *,
	    struct certauth_compile *report_r, struct certauth_error *error_r);
void	certauth_compile_free(struct certauth_compile *);

/* -------------------------------------------------------------------- OCSP */

/* DER of a request about `cert`, malloc'ed; `nonce` NULL: without one. NULL: out
 * of memory. */
#define CERTAUTH_OCSP_NONCE	32	/* RFC 9654 2.1 */
unsigned char *certauth_ocsp_request(X509 *cert, X509 *issuer,
    const unsigned char nonce[CERTAUTH_OCSP_NONCE], size_t *len_r);

enum certauth_ocsp {
	CERTAUTH_OCSP_NOTHING,	/* no answer: error text says why */
	CERTAUTH_OCSP_UNKNOWN, CERTAUTH_OCSP_GOOD, CERTAUTH_OCSP_REVOKED
};
struct certauth_ocsp_report {
	enum certauth_ocsp status;
	int64_t	 this_update, next_update;
	int64_t	 until;		/* a new one should be there by then */
	char	 error[256];
};
/*
 * A response from outside: signed by whoever may speak for the issuer, about the
 * certificate, in force at `now` (0: the clock)? `proof` is what certauth_prove()
 * gave: the certificate, its issuer ... the anchor. Stale and future ones are
 * NOTHING; so is one that does not bring back `nonce` (NULL: none was sent).
 */
enum certauth_ocsp certauth_ocsp_check(struct certauth *, size_t authority,
    STACK_OF(X509) *proof, const struct certauth_bytes *response,
    const unsigned char nonce[CERTAUTH_OCSP_NONCE], int64_t now,
    struct certauth_ocsp_report *report_r);

/* One response for the answers index, as certauth_ocsp_check() takes it. */
struct certauth_answer {
	size_t		 authority;
	STACK_OF(X509)	*proof;
	struct certauth_bytes response;
};
/*
 * Puts the answers index of `state` in force with these on top of what is there
 * and still counts; each is checked again. "Unknown" is not stored, it removes what
 * was. Running servers take it up at their next poll. *num_r: how many were
 * taken. False: nothing was published (error_r).
 */
bool	certauth_answers_publish(struct certauth *, const struct certauth_answer *,
	    size_t num_answers, int64_t now, size_t *num_r,
	    struct certauth_error *error_r);
/* The answers index an engine has: how many, how many of them say revoked. */
void	certauth_answers_count(struct certauth *, size_t *num_r,
	    size_t *num_revoked_r);

enum certauth_listed { CERTAUTH_NOT_COVERED, CERTAUTH_NOT_LISTED, CERTAUTH_LISTED };
struct certauth_show {
	enum certauth_listed status;
	int64_t	 date;		/* of the revocation */
	int	 reason;	/* CRLReason, RFC 5280 5.3.1; -1: not given */
};
bool	certauth_show(const char *folder, const char *issuer_file,
	    const char *serial_hex, struct certauth_show *show_r,
	    struct certauth_error *error_r);

/* The CRLs an engine holds, for `certauth check`; false past the end. */
struct certauth_revocation_row {
	char	 source[256], issuer[256];
	int64_t	 this_update, next_update;
	size_t	 entries;
	bool	 published;
};
bool	certauth_revocation_at(struct certauth *, size_t i,
	    struct certauth_revocation_row *row_r);
/* Whom the policy file trusts, for `certauth show authorities`; false past the end.
 * Strings are the engine's; the subject is printable. */
struct certauth_ca {
	const char	*authority, *role, *source;
	char		 subject[512], sha256[65];	/* "": cannot be decoded */
	int64_t		 not_after;
};
bool	certauth_ca_at(struct certauth *, size_t i, struct certauth_ca *ca_r);
/*
 * What an administrator should know about an engine's data at `now` (0: the
 * clock): one line each, printable. FATAL: somebody will be refused because of
 * it; WARNING: soon, or softened.
 */
typedef void certauth_audit_fn(void *context, enum certauth_severity,
    const char *text);
void	certauth_audit(struct certauth *, int64_t now, certauth_audit_fn *,
	    void *context);
/*
 * What every program with the core in it carries, as an ELF note: `certauth check`
 * reads it out of the modules that processes have mapped, also when their file is
 * gone. Never changes its shape; what comes is put behind.
 */
#define CERTAUTH_STAMP_NAME	"certauth"
#define CERTAUTH_STAMP_TYPE	1u
struct certauth_stamp {
	uint32_t index_version;		/* that it reads */
	char	 version[16];
};
/* The format version of the index in force in `folder`; 0: there is none. */
unsigned certauth_index_version(const char *folder);
/* Full check of a published index (digests, order, bounds). */
bool	certauth_index_verify(const char *folder, struct certauth_error *error_r);

/*
 * The long weekend: stale data of an authority counts until a time, by somebody's
 * word; a listed serial refuses all the same. Ends by itself. False past the end.
 */
struct certauth_override {
	char	 authority[256], by[72], reason[256];
	int64_t	 until, written;
};
bool	certauth_override_at(struct certauth *, size_t i,
	    struct certauth_override *override_r);
/* At most 30 days; until 0: ends it. `by` without blanks, `reason` one line.
 * Running servers take it up at their next poll. */
bool	certauth_override_write(struct certauth *, const char *authority,
	    int64_t until, const char *by, const char *reason,
	    struct certauth_error *error_r);

/* errno EINVAL after a "false" of the doors that say so: what was handed in could be
 * read, and is at fault; any other: it could not be read, or nothing be written. */

/* Hands in the CRLs of a file (DER or PEM): looked at for each authority, kept in
 * the spool, published. False: nobody's, or refused, or not published; error_r.
 * *authority_r: whose it is. errno as above. */
bool	certauth_push(const char *conf, const char *file, size_t *authority_r,
	    struct certauth_crl_report *report_r, struct certauth_error *error_r);

/* ------------------------------------------------------------------ people */

/*
 * The first time from `now` to `until` at which the certificate is refused for
 * something that is known today, with the verdicts of now and of then. `then`
 * NULL: a remark, it will probably lose its purpose when it is renewed. Not called
 * when nothing ends. The request's `now` is not 0; its `service` NULL means any of
 * those that the rules' `users` name. False: out of memory.
 */
typedef void certauth_forecast_fn(void *context, int64_t when,
    const struct certauth_verdict *now, const struct certauth_verdict *then);
bool	certauth_forecast(struct certauth *, const struct certauth_request *,
	    int64_t until, certauth_forecast_fn *, void *context);

/*
 * What a log tells of a certificate that was accepted. Does `profile` refuse it
 * whatever else it holds? The reason, and why (printable); OK: it is not known.
 */
struct certauth_logged {
	const char	*profile;	/* that judged */
	const char	*issuer;	/* RFC 4514; "": not told */
	const char	*key;		/* rsa-2048, P-256, Ed25519, ...; "" */
	const char *const *policies;	/* under which it was valid; NULL: not told */
	size_t		 num_policies;
	int64_t		 lifetime;	/* seconds; -1: not told */
};
enum certauth_reason certauth_forecast_logged(struct certauth *,
    const struct certauth_profile *profile, const struct certauth_logged *,
    char *why, size_t size);

/*
 * A line for a certificate in the map that its rule looks in, with the name that a
 * renewal keeps, issuer and end beside it. Only for one that a login refuses
 * because it is unknown, and only when the login would then be `user`'s.
 */
struct certauth_enroll {
	const struct certauth_profile *profile;
	X509		*leaf;
	STACK_OF(X509)	*sent;
	const char	*user;
	const char	*groups;	/* NULL or "": none */
	const char	*file;		/* of a folder of maps; NULL: enrolled.map */
	const char	*service;	/* "http", "imap", ...; NULL: any of them */
	int64_t		 now;		/* 0: the clock */
	bool		 dry;		/* all but the writing */
};
struct certauth_enrolled {
	bool	already;	/* it is that user's; nothing was to be done */
	char	file[512], line[2048];	/* cut when longer */
	char	reason[32];	/* why a login would be refused; "" other causes */
};
/* False: error_r, nothing was written; for a compiled table the line all the same. */
bool	certauth_enroll(struct certauth *, const struct certauth_enroll *,
	    struct certauth_enrolled *result_r, struct certauth_error *error_r);

/* One line of a map. authority, same, issuer "" and ends INT64_MAX: no mark; from
 * INT64_MIN and until INT64_MAX: no such date. */
struct certauth_map_line {
	const char	*file;
	unsigned	 line;
	const char	*key, *user, *groups, *authority, *same, *issuer;
	int64_t		 ends, from, until;
	const char	*also;		/* other accounts, comma; "" */
};
typedef void certauth_enrolled_fn(void *context,
    const struct certauth_map_line *);
/* The maps that the profile's rules look in. */
bool	certauth_map_list(struct certauth *, const struct certauth_profile *,
	    certauth_enrolled_fn *, void *context, struct certauth_error *error_r);
/* `what`: a key, or user:NAME. */
struct certauth_removed {
	size_t	num;		/* lines taken out of texts */
	size_t	left;		/* in compiled tables: they still let somebody in */
	char	where[512];	/* the first of these */
};
bool	certauth_map_remove(struct certauth *, const struct certauth_profile *,
	    const char *what, struct certauth_removed *removed_r,
	    struct certauth_error *error_r);

/*
 * What the profile's rules make of a certificate under each of its authorities:
 * `fn` once for each, valid during the call. False: error_r, the profile has no
 * rules or the certificate cannot be read.
 */
struct certauth_map_ask {
	X509		*leaf;
	const char	*service;	/* "http", "imap", ... or NULL */
	int64_t		 now;		/* 0: the clock */
};
struct certauth_map_try {
	const char	*authority;
	enum certauth_reason reason;	/* OK: `user` */
	const char	*user, *groups, *rule, *strength, *detail;
	const char *const *lines;	/* one for each rule asked, printable */
	size_t		 num_lines;
};
typedef void certauth_map_try_fn(void *context, const struct certauth_map_try *);
bool	certauth_map_explain(struct certauth *, const struct certauth_profile *,
	    const struct certauth_map_ask *, certauth_map_try_fn *, void *context,
	    struct certauth_error *error_r);
bool	certauth_cert_hashes(X509 *, char cert_r[65], char spki_r[65]);

/*
 * Keeps somebody out, or lets them in again: edits the denied files of the profiles.
 * `what`: user:NAME, mailbox:ADDR, serial:HEX, cert:SHA256, key:SHA256, or the
 * file of a certificate, whose certificate and key are meant.
 */
struct certauth_deny {
	const char	*profile;	/* NULL: all */
	const char	*what;
	const char	*until;		/* as in the file; NULL: without end */
	const char	*reason;	/* NULL with allow */
	bool		 allow;
	int64_t		 now;		/* 0: the clock */
};
/* Once for each file: lines added or taken out; 0: nothing was to be done. And
 * for each profile that has no such file: `file` NULL. */
typedef void certauth_deny_fn(void *context, const char *profile,
    const char *file, size_t num);
/* False: error_r; files told of before stay changed. */
bool	certauth_deny(const char *conf, const struct certauth_deny *,
	    certauth_deny_fn *, void *context, struct certauth_error *error_r);

/* Texts (files or folders) into one compiled table, which every process maps. errno
 * as above, as of the next one. */
struct certauth_table_report {
	size_t	 rows, bytes;
	bool	 compiled;
};
bool	certauth_table_build(const char *const *inputs, size_t num_inputs,
	    const char *output, const struct certauth_progress *,
	    struct certauth_table_report *report_r, struct certauth_error *error_r);
/* Is all of a map good: a text, a folder, a compiled table with its digest? */
bool	certauth_table_check(const char *file,
	    struct certauth_table_report *report_r,
	    struct certauth_error *error_r);
/* What a map says of one key at `now` (0: the clock); *found_r. False: error_r. */
bool	certauth_table_lookup(const char *file, const char *key, int64_t now,
	    char *user_r, size_t user_len, char *groups_r, size_t groups_len,
	    bool *found_r, struct certauth_error *error_r);

/* The same from text in memory; refuses when it has fewer than `least` lines. `name`:
 * where it comes from, for messages. A new file has mode 0640. */
bool	certauth_table_make(const struct certauth_bytes *text, const char *name,
	    size_t least, const char *output,
	    struct certauth_table_report *report_r,
	    struct certauth_error *error_r);
/* One altSecurityIdentities as the keys of `certauth table import --format ad` are
 * spelled, in place. False: a kind that has no equal. */
bool	certauth_ad_key(char *value);
/*
 * Lists of other programs: "grid-mapfile", "pg_ident", "ad" (altSecurityIdentities
 * in LDIF) to and from a map, "sssd" to and from identity rules: a policy file's of
 * `profile` (NULL: the only one), or a file that has them alone. `map`: the name of the
 * map in pg_ident.conf (NULL: the only one), SSSD's domain. *text_r: free(). What has no
 * equal is refused: error_r has its line; errno as above.
 */
bool	certauth_map_import(const char *format, const char *file,
	    const char *map, char **text_r, struct certauth_error *error_r);
bool	certauth_map_export(const char *format, const char *file,
	    const char *map, const char *profile, char **text_r,
	    struct certauth_error *error_r);

/* --------------------------------------------------------------- refresher */

/* What a policy file says of fetching for one authority; borrowed from the
 * engine. False past the end. */
struct certauth_authority {
	const char	*name;
	const char *const *crl_urls;	size_t num_crl_urls;
	const char	*ocsp_url;	/* NULL: the certificates' own */
	const char	*ca_file;	/* NULL: the system's */
	int64_t		 refresh, grace;	/* seconds */
	bool		 private_addresses;
	bool		 ldap;		/* may ldap: be fetched? */
	bool		 ocsp_nonce;	/* asked for, and wanted back */
	bool		 checked;	/* revocation is asked for at all */
	bool		 crl, ocsp;	/* among its sources */
	bool		 ocsp_first;
};
bool	certauth_authority_at(const struct certauth *, size_t i,
	    struct certauth_authority *authority_r);
/* What the engine takes for now: the clock, but for tests. */
int64_t	certauth_now(const struct certauth *);
/* The state folder; "": its parent does not exist, or no policy file. */
const char *certauth_state(const struct certauth *);

enum certauth_url_kind { CERTAUTH_URL_CRL, CERTAUTH_URL_OCSP, CERTAUTH_URL_ISSUER };
/* Printable ASCII without blanks; any scheme or none: a stranger's words. */
typedef void certauth_url_fn(void *context, enum certauth_url_kind,
    const char *url);
/* The URLs that this certificate names. Nothing is proven here. */
void	certauth_cert_urls(const X509 *, certauth_url_fn *, void *context);
/* Those where delta CRLs are, by the lists themselves (RFC 5280 5.2.6): of an
 * object that certauth_crl_examine() took. */
void	certauth_crl_urls(const struct certauth_bytes *, certauth_url_fn *,
	    void *context);
/* The URLs of every certificate of an authority's pool to which signatures lead
 * from an anchor and that has not ended. False: out of memory, no such one. */
bool	certauth_proven_urls(struct certauth *, size_t authority, int64_t now,
	    certauth_url_fn *, void *context);
/*
 * Do signatures lead from an anchor of the named authority (the last of `path`)
 * to path[0]? Then the path, the caller's, and the authority's number. NULL:
 * error_r; then nobody may be asked about that certificate. At least two.
 */
STACK_OF(X509) *certauth_prove(struct certauth *, const char *name,
    size_t name_len, const struct certauth_bytes *path, size_t num_path,
    size_t *authority_r, struct certauth_error *error_r);

/*
 * An issuing CA's certificate that came from outside (one, in DER): when it is a CA
 * of today to which signatures lead from an anchor of that authority, it joins the
 * fetched intermediates in the state folder (servers take them up at their next
 * poll). KNOWN: the pool or that file has it. REFUSED: error_r.
 */
enum certauth_issuer_news { CERTAUTH_ISSUER_REFUSED, CERTAUTH_ISSUER_KNOWN,
	CERTAUTH_ISSUER_TAKEN };
enum certauth_issuer_news certauth_issuer_publish(struct certauth *,
    size_t authority, const struct certauth_bytes *der, int64_t now,
    struct certauth_error *error_r);

/*
 * An object that came from outside (DER or PEM, one list or more): signed by a CA
 * of that authority, of a kind we take, not from the future, not older than
 * what `last` (NULL: nothing) has of it? REFUSED: error_r. SAME: as good as
 * `last`. The report is of the last list, its entries of all.
 */
enum certauth_crl_news { CERTAUTH_CRL_REFUSED, CERTAUTH_CRL_SAME, CERTAUTH_CRL_NEWER };
enum certauth_crl_news certauth_crl_examine(struct certauth *, size_t authority,
    const struct certauth_bytes *object, const struct certauth_bytes *last,
    int64_t now, struct certauth_crl_report *report_r,
    struct certauth_error *error_r);

#endif
