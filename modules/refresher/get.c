/*
 * get.c - small files, fetched once for somebody who reads our standard output.
 *
 * `certauth pool` has no network of its own: it names addresses that it has from
 * its administrator's manifest, and believes nothing of what comes.
 */

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fetch.h"
#include "get.h"
#include "log.h"

struct get { const char *url; bool failed; };

/* root has no business on the net. */
static bool
become_nobody(void)
{
	const struct passwd	*pw;

	if (geteuid() != 0)
		return true;
	pw = getpwnam("certauth");
	if (pw == NULL)
		pw = getpwnam("nobody");
	if (pw != NULL && pw->pw_uid != 0 && setgroups(0, NULL) == 0 &&
	    setgid(pw->pw_gid) == 0 && setuid(pw->pw_uid) == 0 && setuid(0) != 0)
		return true;
	say(LEVEL_ERROR, "cannot become certauth or nobody");
	return false;
}

static void
done(void *context, const struct fetch_result *result)
{
	struct get	*get = context;

	if (!result->ok || result->data_len == 0) {
		say(LEVEL_INFO, "%s: %s", get->url,
		    result->error[0] != '\0' ? result->error : "nothing there");
		return;
	}
	if (printf("%zu %s\n", result->data_len, get->url) < 0 ||
	    fwrite(result->data, 1, result->data_len, stdout) !=
	    result->data_len)
		get->failed = true;
}

int
get_urls(char *const *urls, size_t num_urls)
{
	struct get		 gets[GET_MAX_URLS];
	struct fetch_request	 request;
	struct fetcher		*fetcher;
	size_t			 i;
	bool			 failed = false;

	if (num_urls == 0 || num_urls > GET_MAX_URLS || !become_nobody() ||
	    (fetcher = fetcher_new()) == NULL)
		return 2;
	for (i = 0; i < num_urls; i++) {
		memset(&request, 0, sizeof(request));
		request.url = gets[i].url = urls[i];
		gets[i].failed = false;
		/* the administrator's: a mirror in his own network will do, a
		 * file of this machine is read by `pool import` */
		request.own = strncmp(urls[i], "http", 4) == 0;
		request.max = FETCH_MAX_CERT;
		request.seconds = FETCH_SMALL_SECONDS;
		if (!fetch_start(fetcher, &request, done, &gets[i]))
			failed = true;
	}
	while (fetcher_busy(fetcher) > 0)
		fetcher_run(fetcher, NULL, 0, 1000);
	fetcher_free(fetcher);
	for (i = 0; i < num_urls; i++)
		failed |= gets[i].failed;
	return fflush(stdout) == 0 && !failed ? 0 : 2;
}
