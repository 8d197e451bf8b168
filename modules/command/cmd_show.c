/*
 * cmd_show.c - what does the index say of one certificate?
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "json.h"

/* RFC 5280 5.3.1; 7 is not used. */
static const char *const	reasons[] = { "unspecified", "keyCompromise",
	"cACompromise", "affiliationChanged", "superseded",
	"cessationOfOperation", "certificateHold", NULL, "removeFromCRL",
	"privilegeWithdrawn", "aACompromise" };

static const char *
reason_word(int reason)
{
	if (reason < 0 || (size_t)reason >= sizeof(reasons) / sizeof(reasons[0]) ||
	    reasons[reason] == NULL)
		return "";
	return reasons[reason];
}

int
cmd_show(struct args *args)
{
	struct certauth_show	 show;
	struct certauth_error	 error = { .line = 0 };
	const char		*status;
	char			 date[32] = "";

	if (args->index == NULL || args->serial == NULL ||
	    args->issuers.num_items != 1 || args->rest.num_items > 0)
		return complain("expected show revocation, or show --index DIR "
		    "--issuer FILE --serial HEX");
	if (!certauth_show(args->index, args->issuers.items[0], args->serial,
	    &show, &error))
		return complain_error(&error);
	status = show.status == CERTAUTH_LISTED ? "revoked" :
	    show.status == CERTAUTH_NOT_LISTED ? "not-listed" : "not-covered";
	if (show.status == CERTAUTH_LISTED)
		certauth_time_print(date, sizeof(date), show.date);
	if (!args->json) {
		(void)printf("%s%s%s%s%s\n", status, date[0] != '\0' ?
		    " since " : "", date, reason_word(show.status ==
		    CERTAUTH_LISTED ? show.reason : -1)[0] != '\0' ? ", " : "",
		    show.status == CERTAUTH_LISTED ?
		    reason_word(show.reason) : "");
		return EXIT_FINE;
	}
	return print_json(json_pack("{s:s,s:s,s:s}", "status", status, "date", date,
	    "reason", show.status == CERTAUTH_LISTED ?
	    reason_word(show.reason) : ""), EXIT_FINE);
}
