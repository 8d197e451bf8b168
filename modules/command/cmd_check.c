/*
 * cmd_check.c - opens everything as each server's user would, and says what is
 * wrong before the users do.
 */

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "connect.h"
#include "doctor.h"
#include "json.h"
#include "terminal.h"

/* Who reads the policy on Debian; those who do not exist are passed over. */
static const char *const	default_users[] = { "www-data", "dovenull" };

/* Lines of one user's check kept for the report. */
#define MAX_LINES	1000
#define MAX_GROUPS	64

/* --------------------------------------------------------- the child's side */

static void
child_line(void *context, enum certauth_severity severity, const char *text)
{
	(void)fprintf(context, "%d %s\n", (int)severity, text);
}

/* root's rights are given up as the server gives them up; Dovecot's login user
 * gets the group certauth by extra_groups (INTERFACE 1). */
static bool
become(const char *user)
{
	const struct passwd	*pw = getpwnam(user);
	const struct group	*extra = getgrnam("certauth");
	gid_t			 groups[MAX_GROUPS];
	int			 n = MAX_GROUPS - 1;

	if (pw == NULL || getgrouplist(user, pw->pw_gid, groups, &n) < 0)
		return false;
	if (extra != NULL && strcmp(user, "dovenull") == 0)
		groups[n++] = extra->gr_gid;
	return setgroups((size_t)n, groups) == 0 && setgid(pw->pw_gid) == 0 &&
	    setuid(pw->pw_uid) == 0;
}

/* False: nothing works as this user. */
static bool
child(FILE *out, const char *user, const struct args *args)
{
	struct certauth_error	 error;
	struct certauth_note	 note;
	struct certauth		*engine;

	if (user != NULL && !become(user)) {
		child_line(out, CERTAUTH_FATAL, "cannot become this user");
		return false;
	}
	engine = args_open(args, &error);
	if (engine == NULL) {
		(void)fprintf(out, "%d ", (int)CERTAUTH_FATAL);
		if (error.file[0] != '\0' && error.line > 0)
			(void)fprintf(out, "%s:%u: ", error.file, error.line);
		else if (error.file[0] != '\0')
			(void)fprintf(out, "%s: ", error.file);
		(void)fprintf(out, "%s\n", error.text);
		return false;
	}
	while (certauth_take_note(engine, &note))
		child_line(out, note.severity, note.text);
	certauth_audit(engine, args->now, child_line, out);
	certauth_free(engine);
	return true;
}

/* -------------------------------------------------------- the parent's side */

static void
add_row(struct check_report *r, const char *user, int severity, const char *text,
    json_t *where)
{
	const char	*word = severity == CERTAUTH_FATAL ? "fault" :
			    severity == CERTAUTH_WARNING ? "warning" : "note";

	r->faults += severity == CERTAUTH_FATAL;
	r->warnings += severity == CERTAUTH_WARNING;
	if (json_array_size(r->lines) < MAX_LINES)
		add_json(r->lines, json_pack("{s:s,s:s,s:s,s:o*,s:o*,s:o*}",
		    "severity", word, "user", user, "text", text, "file",
		    json_incref(json_object_get(where, "file")), "line",
		    json_incref(json_object_get(where, "line")), "remedy",
		    json_incref(json_object_get(where, "remedy"))));
}

void
check_add(struct check_report *r, const char *user, int severity, const char *text)
{
	add_row(r, user, severity, text, NULL);
}

/* One child per user: rights once given up do not come back. */
static bool
check_as(struct check_report *r, const char *user, const struct args *args)
{
	const char	*shown = user != NULL ? user : "this user";
	char		*line = NULL;
	size_t		 size = 0, before = r->faults;
	FILE		*in, *out;
	int		 fds[2], status = 0;
	pid_t		 pid;
	ssize_t		 len;
	bool		 opened;

	(void)fflush(NULL);
	if (pipe(fds) != 0 || (pid = fork()) < 0) {
		complain("cannot start a check: %s", strerror(errno));
		return false;
	}
	if (pid == 0) {
		(void)close(fds[0]);
		out = fdopen(fds[1], "w");
		if (out == NULL)
			_exit(EXIT_USAGE);
		opened = child(out, user, args);
		(void)fflush(out);
		_exit(opened ? EXIT_FINE : EXIT_REJECTED);
	}
	(void)close(fds[1]);
	in = fdopen(fds[0], "r");
	while (in != NULL && (len = getline(&line, &size, in)) > 2) {
		line[strcspn(line, "\n")] = '\0';
		check_add(r, shown, line[0] - '0', line + 2);
	}
	free(line);
	if (in != NULL)
		(void)fclose(in);
	(void)waitpid(pid, &status, 0);
	opened = in != NULL && WIFEXITED(status) &&
	    WEXITSTATUS(status) == EXIT_FINE;
	r->unopened += !opened;
	if (in == NULL || !WIFEXITED(status) || (!opened &&
	    (WEXITSTATUS(status) != EXIT_REJECTED || r->faults == before)))
		check_add(r, shown, CERTAUTH_FATAL, "the check ended by itself");
	if (r->faults == before)
		check_add(r, shown, CERTAUTH_NOTE, "can open everything");
	return true;
}

static void
running_line(void *context, enum certauth_severity severity, const char *text)
{
	check_add(context, "running", (int)severity, text);
}

/* What is the same for everybody: the refresher, old code in memory. */
static void
check_running(struct check_report *r, const struct args *args)
{
	struct certauth_error	 error;
	struct certauth		*engine;

	engine = args_open(args, &error);
	if (engine != NULL)
		check_refresher(engine, running_line, r);
	check_processes(engine != NULL ? certauth_index_version(
	    certauth_state(engine)) : 0, running_line, r);
	certauth_free(engine);
}

/* One thing that the server's configuration does. */
static void
server_line(void *context, enum certauth_severity severity, const char *file,
    unsigned line, const char *text, const char *remedy)
{
	struct check_report	*r = context;
	json_t		*where = json_pack("{s:s,s:I,s:s}", "file", file, "line",
			    (json_int_t)line, "remedy", remedy);

	add_row(r, r->server, (int)severity, text, where);
	json_decref(where);
}

/* "fault   nginx: FILE:LINE: TEXT; REMEDY" */
static void
print_line(const json_t *line)
{
	const char	*file = text_of(line, "file"), *remedy = text_of(line,
			    "remedy");
	const char	*severity = text_of(line, "severity");
	json_int_t	 number = json_integer_value(json_object_get(line, "line"));

	print_toned(tone_of(severity, strlen(severity)), "%-7s", severity);
	(void)printf(" %s: ", text_of(line, "user"));
	if (number > 0)
		(void)printf("%s:%" JSON_INTEGER_FORMAT ": ", file, number);
	else if (file[0] != '\0')
		(void)printf("%s: ", file);
	(void)printf("%s%s%s\n", text_of(line, "text"), remedy[0] != '\0' ?
	    "; " : "", remedy);
}

void
check_print(const struct check_report *r)
{
	json_t	*line;
	size_t	 i;

	json_array_foreach(r->lines, i, line)
		print_line(line);
	print_toned(r->faults > 0 ? TONE_BAD : TONE_GOOD, "%zu fault%s",
	    r->faults, r->faults == 1 ? "" : "s");
	(void)printf(", ");
	print_toned(r->warnings > 0 ? TONE_WARN : TONE_NONE,
	    "%zu warning%s", r->warnings, r->warnings == 1 ? "" : "s");
	(void)putchar('\n');
}

static int
print_report(const struct check_report *r, int status, bool as_json)
{
	if (!as_json) {
		check_print(r);
		return status;
	}
	return print_json(json_pack("{s:s,s:I,s:I,s:O,s:O*}", "result",
	    r->faults == 0 ? "fine" : "faults", "faults",
	    (json_int_t)r->faults, "warnings", (json_int_t)r->warnings,
	    "lines", r->lines, "visits", r->seen), status);
}

/* As whoever asks, since root opens before nginx, Apache and Dovecot drop; then as
 * each of the users. */
static bool
check_users(struct check_report *r, const struct args *args, const char *const *users,
    size_t n)
{
	bool	ok = check_as(r, NULL, args), root = geteuid() == 0;
	size_t	i;

	for (i = 0; ok && root && i < n; i++) {
		if (getpwnam(users[i]) == NULL) {
			r->unopened += args->users.num_items > 0;
			check_add(r, users[i], args->users.num_items > 0 ?
			    CERTAUTH_FATAL : CERTAUTH_NOTE,
			    "there is no such user here");
			continue;
		}
		ok = check_as(r, users[i], args);
	}
	if (!root)
		check_add(r, "this user", CERTAUTH_NOTE, "run as root to check "
		    "as www-data and dovenull too");
	return ok;
}

/* --connect: a server is asked, and nothing else. */
static int
check_connection(struct check_report *r, const struct args *args)
{
	int	status = EXIT_USAGE;
	bool	ok;

	r->server = args->connect;
	progress_begin("check");
	progress_at(0, 0, args->connect);
	ok = connect_look(args, server_line, r, &r->seen);
	progress_end();
	if (ok)
		status = print_report(r, r->faults > 0 ? EXIT_REJECTED : EXIT_FINE,
		    args->json);
	json_decref(r->seen);
	json_decref(r->lines);
	return status;
}

/* Options that go with another one. False: said. */
static bool
go_together(const struct args *args)
{
	if (args->rest.num_items > 0)
		(void)complain("check takes no file; the policy file is --config");
	else if (args->server == NULL && (args->server_config != NULL ||
	    args->server_binary != NULL))
		(void)complain("--server-config and --server-binary want --server");
	else if (args->connect == NULL && (args->cert != NULL || args->key != NULL ||
	    args->starttls != NULL || args->password_file != NULL))
		(void)complain("--cert, --key, --password-file and --starttls want "
		    "--connect");
	else if (args->cert == NULL && (args->key != NULL ||
	    args->password_file != NULL))
		(void)complain("--key and --password-file want --cert");
	else if (args->connect != NULL && (args->server != NULL ||
	    args->users.num_items > 0))
		(void)complain("--connect asks a server that runs; --server and "
		    "--user are other questions");
	else
		return true;
	return false;
}

bool
check_as_servers(struct check_report *r, const struct args *args)
{
	return args->users.num_items > 0 ?
	    check_users(r, args, args->users.items, args->users.num_items) :
	    check_users(r, args, default_users, sizeof(default_users) /
	    sizeof(default_users[0]));
}

/* Which of the two was looked at, and what that means for the other. */
static void
check_which(struct check_report *r, const struct args *args)
{
	struct certauth_error	 error;
	char			 text[1024];
	unsigned		 number;
	bool			 file = args->config != NULL && !args->in_force;

	if (!certauth_generations(args_conf(args), NULL, NULL, &number, &error) ||
	    number == 0)
		return;		/* it is told of as each user, or there is none */
	if (file)
		(void)snprintf(text, sizeof(text), "%.500s was looked at; the "
		    "servers read generation %u of it, as long as certauth apply "
		    "makes no other", args_conf(args), number);
	else if (certauth_applied_differs(args_conf(args), &error) ==
	    CERTAUTH_DIFFERENCE_NONE)
		(void)snprintf(text, sizeof(text), "generation %u is in force, "
		    "and %.500s is the same", number, args_conf(args));
	else
		(void)snprintf(text, sizeof(text), "generation %u is in force and "
		    "was looked at; %.500s differs from it: certauth diff says "
		    "what that would change, certauth apply puts it in force",
		    number, args_conf(args));
	check_add(r, "policy", file || strstr(text, " differs ") == NULL ?
	    CERTAUTH_NOTE : CERTAUTH_WARNING, text);
}

int
cmd_check(struct args *args)
{
	struct check_report	r = { .server = args->server };
	struct doctor	d = { .args = args, .say = server_line, .context = &r };
	struct args	mine = *args;
	bool		ok = true;
	int		status = EXIT_USAGE;

	if (!go_together(args))
		return EXIT_USAGE;
	r.lines = json_array();
	if (r.lines == NULL)
		return complain("out of memory");
	if (args->connect != NULL)
		return check_connection(&r, args);
	if (args->server != NULL) {
		ok = doctor_look(&d);
		if (d.policy != NULL && args->config == NULL) {
			mine.config = d.policy;
			mine.in_force = true;
		}
	}
	if (args->server != NULL && args->users.num_items == 0)
		ok = ok && check_users(&r, &mine, (const char *const *)&d.user,
		    d.user != NULL ? 1 : 0);
	else
		ok = ok && check_as_servers(&r, &mine);
	if (ok) {
		check_which(&r, &mine);
		check_running(&r, &mine);
	}
	if (ok)
		status = print_report(&r, r.faults > 0 ? EXIT_REJECTED :
		    EXIT_FINE, args->json);
	doctor_free(&d);
	json_decref(r.lines);
	return status;
}
