/*
 * waiting.c - what does a host need to know to ask the refresher?
 *
 * Where its socket is, whether it is there, how long to wait. Opens no socket.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "ask/ask.h"
#include "engine.h"

/*
 * Is there a refresher to ask? Where none was ever started a verdict must not
 * wait for one. By the folder that was opened before any chroot; by the name
 * where that folder is new (the refresher's own runtime folder).
 */
void
engine_find_refresher(struct certauth *e)
{
	const struct file_ref	*ref = &e->refresher;
	struct stat		 st;
	bool			 there = false;

	if (ref->folder_fd >= 0)
		there = fstatat(ref->folder_fd, ref->name, &st, 0) == 0 &&
		    S_ISSOCK(st.st_mode);
	if (!there)
		there = stat(ref->path, &st) == 0 && S_ISSOCK(st.st_mode);
	atomic_store(&e->asks, there);
}

const char *
certauth_refresher(const struct certauth *e)
{
	return e != NULL && e->config != NULL ? e->config->refresher : "";
}

unsigned
certauth_profile_deadline(const struct certauth_profile *p)
{
	return p != NULL ? p->deadline : 0;
}

size_t
certauth_frame_length(const unsigned char *data, size_t data_len)
{
	/* A question is no reply. */
	if (data_len >= 3 && data[2] == 'Q')
		return CERTAUTH_FRAME_BAD;
	return ask_frame_length(data, data_len);
}
