/*
 * main.c - certauth-refresher: the only part of certauth that uses the network.
 *
 * Options, privileges, signals and one loop. What is fetched when is refresh.c's,
 * how is fetch.c's.
 */

#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/signalfd.h>
#include <sys/stat.h>

#include "directory.h"
#include "get.h"
#include "inquire.h"
#include "log.h"
#include "notify.h"
#include "refresher.h"
#include "schedule.h"
#include "tell.h"

/* As the command: fine; something failed; usage or I/O. */
enum { EXIT_FINE = 0, EXIT_FAILING = 1, EXIT_USAGE = 2 };

#define DEFAULT_CONFIG	"/etc/certauth/certauth.conf"
/* Longest sleep, milliseconds: a clock that was set is noticed so soon. */
#define MAX_SLEEP	60000
/* The status and metrics files are written at most so often, and at least. */
#define STATUS_MS	1000
#define STATUS_MAX_MS	60000

struct options {
	const char	*config, *state, *metrics, *authority, *directory;
	bool		 once, accept;
};

static int
usage(FILE *to)
{
	(void)fputs("usage: certauth-refresher [--config FILE] [--state DIR] "
	    "[--metrics FILE]\n"
	    "                          [--once | --now AUTHORITY | --foreground]\n"
	    "\n"
	    "Fetches CRLs and OCSP answers for the servers that use certauth.\n"
	    "  --once            ask every address once, publish, end (for cron)\n"
	    "  --now AUTHORITY   the same for one authority, or tell the running "
	    "refresher to\n"
	    "  --foreground      stay; log on standard error (the default)\n"
	    "  --metrics FILE    Prometheus text file\n"
	    "  --state DIR       safeguard for scripts: must be the "
	    "policy's `state`\n"
	    "  --directory FILE  people out of LDAP into a table, instead; with "
	    "--once, or stays\n"
	    "  --accept          take it although it lost over a fifth of its "
	    "people\n"
	    "  --fetch URL...    small files to standard output, for certauth pool\n"
	    "\nExit status: 0 fine, 1 some address gave no good answer, 2 usage "
	    "or I/O.\n", to);
	return to == stdout ? EXIT_FINE : EXIT_USAGE;
}

static int
directory(const struct options *o)
{
#ifdef HAVE_LDAP
	return directory_run(o->directory, o->once, o->accept);
#else
	say(LEVEL_ERROR, "--directory %s: built without libldap", o->directory);
	return EXIT_USAGE;
#endif
}

/* -1: go on; else the exit status. */
static int
read_options(struct options *o, int argc, char **argv)
{
	enum { CONFIG = 256, STATE, METRICS, ONCE, NOW, FOREGROUND, FETCH, VERSION,
		DIRECTORY, ACCEPT };
	static const struct option	longs[] = {
		{ "config", required_argument, NULL, CONFIG },
		{ "state", required_argument, NULL, STATE },
		{ "metrics", required_argument, NULL, METRICS },
		{ "once", no_argument, NULL, ONCE },
		{ "now", required_argument, NULL, NOW },
		{ "foreground", no_argument, NULL, FOREGROUND },
		{ "fetch", no_argument, NULL, FETCH },
		{ "directory", required_argument, NULL, DIRECTORY },
		{ "accept", no_argument, NULL, ACCEPT },
		{ "version", no_argument, NULL, VERSION },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int	c;

	memset(o, 0, sizeof(*o));
	o->config = DEFAULT_CONFIG;
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1)
		switch (c) {
		case CONFIG:
			o->config = optarg;
			break;
		case STATE:
			o->state = optarg;
			break;
		case METRICS:
			o->metrics = optarg;
			break;
		case NOW:
			o->authority = optarg;
			o->once = true;
			break;
		case ONCE:
			o->once = true;
			break;
		case FOREGROUND:
			break;
		case FETCH:
			return get_urls(argv + optind, (size_t)(argc - optind));
		case DIRECTORY:
			o->directory = optarg;
			break;
		case ACCEPT:
			o->accept = true;
			break;
		case VERSION:
			(void)printf("%s\n", certauth_version());
			return EXIT_FINE;
		case 'h':
			return usage(stdout);
		default:
			return usage(stderr);
		}
	if (optind != argc)
		return usage(stderr);
	return o->directory != NULL ? directory(o) : -1;
}

/*
 * The state folder's owner is who works here; root has no business on the net.
 * Started as somebody else it stays who it is.
 */
static bool
become_owner(const char *state)
{
	const struct passwd	*pw;
	struct stat		 st;

	if (geteuid() != 0)
		return true;
	if (stat(state, &st) != 0 || st.st_uid == 0) {
		say(LEVEL_WARNING, "%s belongs to root, so the refresher works "
		    "as root; better make it certauth's", state);
		return true;
	}
	pw = getpwuid(st.st_uid);
	if (pw != NULL ? initgroups(pw->pw_name, pw->pw_gid) != 0 ||
	    setgid(pw->pw_gid) != 0 : setgroups(0, NULL) != 0 ||
	    setgid(st.st_gid) != 0) {
		say(LEVEL_ERROR, "cannot become group of %s: %s", state,
		    strerror(errno));
		return false;
	}
	if (setuid(st.st_uid) != 0 || setuid(0) == 0) {
		say(LEVEL_ERROR, "cannot become the owner of %s", state);
		return false;
	}
	return true;
}

static void
say_error(const struct certauth_error *error)
{
	if (error->file[0] != '\0' && error->line > 0)
		say(LEVEL_ERROR, "%s:%u: %s", error->file, error->line,
		    error->text);
	else
		say(LEVEL_ERROR, "%s%s%s", error->file,
		    error->file[0] != '\0' ? ": " : "", error->text);
}

static void
say_notes(struct certauth *engine)
{
	struct certauth_note	note;

	while (certauth_take_note(engine, &note))
		say(note.severity == CERTAUTH_FATAL ? LEVEL_ERROR :
		    note.severity == CERTAUTH_WARNING ? LEVEL_WARNING :
		    LEVEL_INFO, "%s", note.text);
}

/* -------------------------------------------------------------------- loop */

struct loop {
	struct refresher	*r;
	int			 signals;
	struct inquiries	*inquiries;
	struct server		*server;
	int			 wants;		/* inquire_tick()'s word */
	int64_t			 status_ticks;
	bool			 stop;
};

static void
take_signals(struct loop *l)
{
	struct signalfd_siginfo	info;

	while (read(l->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP)
			l->r->reload = true;
		else
			l->stop = true;
	}
}

/* A policy that is wrong changes nothing. Waits until no thread reads the old. */
static void
reload(struct loop *l)
{
	struct refresher	*r = l->r;
	struct certauth_error	 error;
	struct certauth		*engine;

	/* Transfers go on; who comes back finds the new list of addresses. */
	if (!publisher_still(r->publisher))
		return;
	r->reload = false;
	notify_reloading();
	engine = certauth_open(r->conf, &error);
	if (engine == NULL) {
		say_error(&error);
		say(LEVEL_ERROR, "the old policy stays");
	} else {
		say_notes(engine);
		publish_forget(r->publisher);
		certauth_free(r->engine);
		r->engine = engine;
		refresh_list(r);
		inquire_reload(l->inquiries);
		publish_force(r->publisher);
		say(LEVEL_NOTICE, "reloaded");
	}
	notify_ready();
}

static void
write_files(struct loop *l, int64_t now)
{
	int64_t	ticks = schedule_ticks(), since = ticks - l->status_ticks;
	char	line[200];

	if (since < STATUS_MS || (!l->r->changed && since < STATUS_MAX_MS))
		return;
	l->status_ticks = ticks;
	status_write(l->r, now);
	metrics_write(l->r, now);
	(void)snprintf(line, sizeof(line), "%zu addresses, %zu failing",
	    l->r->store.num_sources, refresh_failing(l->r, NULL));
	notify_status(line);
}

static int
sleep_for(const struct loop *l, int64_t now)
{
	int64_t	next = refresh_next(l->r), ms = MAX_SLEEP;
	int	alive = notify_alive(schedule_ticks());

	/* Before a new policy is read nothing is started. */
	if (l->r->reload)
		next = INT64_MAX;
	if (next <= now)
		ms = 0;
	else if (next - now < MAX_SLEEP / 1000)
		ms = (next - now) * 1000;
	if (alive >= 0 && ms > alive)
		ms = alive;
	if (ms > l->wants)
		ms = l->wants;
	if ((l->r->changed || l->r->reload) && ms > STATUS_MS)
		ms = STATUS_MS;
	return (int)ms;
}

static void
turn(struct loop *l, int timeout)
{
	struct pollfd	fds[2 + SERVE_MAX_CONNECTIONS] = { { l->signals, POLLIN,
			    0 } };
	size_t		n = 1;

	if (l->server != NULL)
		n += serve_fds(l->server, fds + 1, SERVE_MAX_CONNECTIONS + 1);
	fetcher_run(l->r->fetcher, fds, n, timeout);
	if (fds[0].revents != 0)
		take_signals(l);
	if (l->server != NULL)
		serve_run(l->server, fds + 1, n - 1, schedule_ticks());
	refresh_publish(l->r, schedule_now());
	l->wants = inquire_tick(l->inquiries, schedule_ticks(), schedule_now());
}

static int
run_daemon(struct loop *l)
{
	int64_t	now;

	l->server = serve_open(certauth_refresher(l->r->engine),
	    inquire_question, l->inquiries);
	if (l->server == NULL)
		return EXIT_USAGE;
	inquire_serve(l->inquiries, l->server);
	notify_ready();
	while (!l->stop) {
		now = schedule_now();
		if (l->r->reload)
			reload(l);
		else
			refresh_start(l->r, now, false, NULL);
		refresh_publish(l->r, now);
		refresh_alerts(l->r, now);
		write_files(l, now);
		turn(l, sleep_for(l, now));
	}
	notify_stopping();
	serve_close(l->server);
	inquire_serve(l->inquiries, NULL);
	return EXIT_FINE;
}

static bool
has_authority(const struct certauth *engine, const char *name)
{
	struct certauth_authority	a;
	size_t				i;

	for (i = 0; certauth_authority_at(engine, i, &a); i++)
		if (strcmp(a.name, name) == 0)
			return true;
	return false;
}

static int
run_once(struct loop *l, const char *authority)
{
	struct refresher	*r = l->r;
	int64_t			 now = schedule_now();

	refresh_start(r, now, true, authority);
	publish_start(r->publisher, r->engine, schedule_ticks());
	while (!l->stop && !refresh_idle(r))
		turn(l, STATUS_MS);
	now = schedule_now();
	refresh_alerts(r, now);
	status_write(r, now);
	metrics_write(r, now);
	if (l->stop)
		return EXIT_USAGE;
	return refresh_failing(r, authority) > 0 ||
	    r->publish_error[0] != '\0' || r->publish_fault[0] != '\0' ? EXIT_FAILING : EXIT_FINE;
}

static int
run(struct refresher *r, struct inquiries *inquiries, const struct options *o)
{
	struct loop	l = { .r = r, .inquiries = inquiries };
	sigset_t	set;
	int		status;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	/* Before any thread: they inherit it. */
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0 ||
	    (l.signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC)) < 0)
		return EXIT_USAGE;
	refresh_list(r);
	/* A refresher that was killed between keeping and publishing. */
	if (store_has_objects(&r->store))
		publish_force(r->publisher);
	status = o->once ? run_once(&l, o->authority) : run_daemon(&l);
	(void)close(l.signals);
	return status;
}

int
main(int argc, char **argv)
{
	struct refresher	r = { .conf = NULL };
	struct certauth_error	error;
	struct inquiries	*inquiries = NULL;
	struct options		o;
	int			status = read_options(&o, argc, argv);

	if (status >= 0)
		return status;
	(void)signal(SIGPIPE, SIG_IGN);
	(void)umask(022);
	status = EXIT_USAGE;
	r.store.state_fd = r.store.crl_fd = r.store.url_fd = r.store.lock_fd = -1;
	r.conf = o.config;
	r.metrics = o.metrics;
	r.started = schedule_now();
	r.engine = certauth_open(o.config, &error);
	if (r.engine == NULL) {
		say_error(&error);
		return EXIT_USAGE;
	}
	say_notes(r.engine);
	if (certauth_state(r.engine)[0] == '\0') {
		say(LEVEL_ERROR, "the folder that `state` is in does not exist");
		goto out;
	}
	if (o.state != NULL && strcmp(o.state, certauth_state(r.engine)) != 0) {
		say(LEVEL_ERROR, "--state %s is not the `state` of %s, %s: no "
		    "server would look there", o.state, o.config,
		    certauth_state(r.engine));
		goto out;
	}
	if (o.authority != NULL && !has_authority(r.engine, o.authority)) {
		say(LEVEL_ERROR, "%s has no authority \"%s\"", o.config,
		    o.authority);
		goto out;
	}
	if (!become_owner(certauth_state(r.engine)))
		goto out;
	switch (store_open(&r.store, certauth_state(r.engine), &error)) {
	case STORE_OPEN:
		break;
	case STORE_LOCKED:
		if (o.authority != NULL) {
			status = tell_now(certauth_refresher(r.engine),
			    o.authority) ? EXIT_FINE : EXIT_USAGE;
			goto out;
		}
		say_error(&error);
		goto out;
	case STORE_FAILED:
		say_error(&error);
		goto out;
	}
	r.fetcher = fetcher_new();
	r.publisher = r.fetcher != NULL ?
	    publisher_new(r.conf, &r.store, r.fetcher) : NULL;
	inquiries = r.publisher != NULL ? inquire_new(&r) : NULL;
	if (inquiries == NULL)
		say(LEVEL_ERROR, "out of memory");
	else
		status = run(&r, inquiries, &o);
out:
	publisher_wait(r.publisher);
	fetcher_free(r.fetcher);
	inquire_free(inquiries);
	publisher_free(r.publisher);
	hosts_clear(&r.hosts);
	store_close(&r.store);
	certauth_free(r.engine);
	return status;
}
