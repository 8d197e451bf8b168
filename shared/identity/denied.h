/* denied.h - private to identity/: one line of a denied file, and edits of it. */
#ifndef CERTAUTH_IDENTITY_DENIED_H
#define CERTAUTH_IDENTITY_DENIED_H

#include "identity/lines.h"
#include "identity/table.h"

enum denied_kind {
	DENIED_CERT, DENIED_KEY, DENIED_SERIAL, DENIED_USER, DENIED_MAILBOX,
	DENIED_NUM_KINDS
};
extern const char *const denied_kinds[];	/* with colon; ends in NULL */

struct denied_row {
	enum denied_kind kind;
	const char	*data;		/* folded, in the copy of the file */
	size_t		 data_len;
	const char	*reason;
	int64_t		 until;		/* belongs to it */
	unsigned	 line;
	uint32_t	 next;		/* another line of the same */
};

/* What the line that lines_next() gave says. False: error_r. */
bool	denied_read_row(struct lines *, struct denied_row *,
	    struct certauth_error *error_r);

#endif
