/*
 * doctor.h - what the files of `certauth check --server` share: a server's
 * configuration as lines, and what is said of them.
 */
#ifndef CERTAUTH_COMMAND_DOCTOR_H
#define CERTAUTH_COMMAND_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "command.h"

/* ------------------------------------------------------------ doctor_conf.c */

#define NO_LINE		SIZE_MAX

/* One directive, or the head of a block; `words[0]` is its name. */
struct conf_line {
	const char	 *file;		/* the conf's */
	unsigned	  line;
	size_t		  parent;	/* the block it stands in; NO_LINE: none */
	char		**words;
	size_t		  num_words;
	bool		  block, said;
};

/* In the order in which the server reads. Zero it first. */
struct conf {
	struct conf_line *lines;
	size_t		  num_lines;
	char		**texts;	/* what file names and words point into */
	size_t		  num_texts;
	bool		  failed;	/* out of memory, or over a ceiling */
};

void	conf_free(struct conf *);
/* Owned by the conf from here on, also where it fails. NULL: `failed`. */
char   *conf_keep(struct conf *, char *text);
/* `at` becomes the index of a new line. False: `failed`. */
bool	conf_add(struct conf *, const char *file, unsigned line, size_t parent,
	    size_t *at);
bool	conf_word(struct conf *, size_t at, char *word);
/* A whole file, NUL-terminated, caller frees; NULL: cannot be read, or too big. */
char   *conf_file(const char *path);
/* Cuts the next word off *text: quotes as Apache and Dovecot have them. NULL: none. */
char   *conf_cut(char **text);
/* One line (a continued one as one) cut off *text, counted in *line. NULL: the end. */
char   *conf_cut_line(char **text, unsigned *line, bool continued);

/* words[i], or "" */
const char *conf_at(const struct conf_line *, size_t i);
bool	conf_is(const struct conf_line *, const char *name);	/* any case */
bool	conf_has(const struct conf_line *, const char *word);	/* behind the name */
/* Does lines[at] stand inside lines[block], however deep? */
bool	conf_inside(const struct conf *, size_t at, size_t block);
/* The last `name` directly in `block`. NO_LINE: none. */
size_t	conf_in(const struct conf *, size_t block, const char *name);
/* The same of a setting "a_b_c", which may stand as "c" in a block "a_b". */
size_t	conf_setting(const struct conf *, size_t block, const char *name);
/* Of a list, on one line or a block of "WORD = yes": is it in, how many are? */
bool	conf_lists(const struct conf *, size_t at, const char *word);
size_t	conf_num_listed(const struct conf *, size_t at);
/* As conf_in(), looked for outwards from `block` to the top. */
size_t	conf_effective(const struct conf *, size_t block, const char *name);

/* ------------------------------------------------------------- doctor_run.c */

/* What a program said, NUL-terminated; doctor_ran_free(). */
struct ran { char *out, *err; int status; };

/* argv[0] is looked for where servers are installed; no shell, an empty
 * environment, a deadline, a ceiling. False: said. */
bool	doctor_run(const char *const *argv, struct ran *ran_r);
void	doctor_ran_free(struct ran *);

/* ----------------------------------------------------------------- doctor.c */

typedef void doctor_fn(void *context, enum certauth_severity, const char *file,
    unsigned line, const char *text, const char *remedy);

/* words[word] of lines[at] names a profile. Which names of CAs are offered for it? */
struct doctor_use {
	size_t	at, word;
	bool	offers, weigh;		/* some; and the server does not weigh them */
	size_t	names;			/* the line that says which; NO_LINE: none */
};

struct doctor {
	const struct args *args;
	doctor_fn	*say;
	void		*context;
	struct conf	 conf;
	struct conf	 sources;	/* its files, where conf is what they come to */
	char		*policy;	/* that the server names; NULL: none */
	char		*user;		/* who reads it; NULL: unknown */
	bool		 refused;	/* the server does not take it: conf is empty */
	char		*folder;	/* where names of files begin; NULL: nowhere */
	struct doctor_use *uses;	/* of profiles */
	size_t		 num_uses;
};

/* FATAL: a danger. `at` NO_LINE: no line applies. A line is spoken of once. */
void	doctor_say(struct doctor *, enum certauth_severity, size_t at,
	    const char *text, const char *remedy);
/* The same of a place that is in no conf. */
void	doctor_say_at(struct doctor *, enum certauth_severity, const char *file,
	    unsigned line, const char *text, const char *remedy);
/* Both are looked at in the end, when the policy file is known. */
void	doctor_profile(struct doctor *, size_t at, size_t word);
void	doctor_names(struct doctor *, size_t at, size_t word, size_t names, bool weigh);
/* Bytes that they take in a handshake. */
size_t	names_size(const STACK_OF(X509_NAME) *);
/* The server's program: --server-binary, or `name`. */
const char *doctor_binary(const struct doctor *, const char *name);

#define NGINX_MODULE		"ngx_http_certauth_module.so"
#define APACHE_MODULE		"mod_certauth.so"
#define DOVECOT_PLUGIN		"lib50_certauth_plugin.so"
#define DOVECOT_PLUGIN_DIR	"/usr/lib/dovecot/modules/login"

/* Is it a Dovecot that speaks the language of 2.4? */
bool	doctor_dovecot_24(const struct doctor *);
/* Is a profile in force in this server (NO_LINE: the main one), at least somewhere? */
bool	doctor_nginx_guarded(const struct conf *, size_t server);
bool	doctor_apache_guarded(const struct conf *, size_t host);
/* Apache: is NAME_module among what is loaded? */
bool	doctor_apache_loaded(const struct conf *, const char *module);

/* One for each server: fills conf, policy, user, and says what is wrong. False:
 * nothing could be read (said). */
bool	doctor_nginx(struct doctor *);
bool	doctor_apache(struct doctor *);
bool	doctor_dovecot(struct doctor *);

/* For cmd_check.c. False: no such server (said), or nothing could be read. */
bool	doctor_look(struct doctor *);
void	doctor_free(struct doctor *);

#endif
