/*
 * cmd_compile.c - CRLs into the index that all processes map.
 */

#include <stdio.h>
#include <stdlib.h>

#include "command.h"
#include "json.h"
#include "terminal.h"

static json_t *
report_json(const struct certauth_compile *c)
{
	const struct certauth_crl_report	*crl;
	json_t					*list = json_array(), *one;
	char					 this[32], next[32];
	size_t					 i;

	for (i = 0; i < c->num_crls; i++) {
		crl = &c->crls[i];
		certauth_time_print(this, sizeof(this), crl->this_update);
		certauth_time_print(next, sizeof(next), crl->next_update);
		one = json_pack("{s:s,s:s,s:s,s:s,s:s,s:I,s:s}",
		    "file", crl->file,
		    "issuer", crl->issuer, "number", crl->number,
		    "thisUpdate", crl->this_update != 0 ? this : "",
		    "nextUpdate", crl->next_update != 0 ? next : "",
		    "entries", (json_int_t)crl->entries, "error", crl->error);
		if (crl->base[0] != '\0')
			json_object_set_new(one, "base", json_string(crl->base));
		if (crl->indirect)
			json_object_set_new(one, "indirect", json_true());
		add_json(list, one);
	}
	return json_pack("{s:I,s:I,s:f,s:o}", "entries", (json_int_t)c->entries,
	    "bytes", (json_int_t)c->bytes, "seconds", c->seconds, "crls", list);
}

static void
print_text(const struct certauth_compile *c)
{
	const struct certauth_crl_report	*crl;
	char					 next[32];
	size_t					 i;

	for (i = 0; i < c->num_crls; i++) {
		crl = &c->crls[i];
		if (crl->error[0] != '\0') {
			print_toned(TONE_BAD, "REFUSED");
			(void)printf(" %s: %s\n", crl->file, crl->error);
			continue;
		}
		certauth_time_print(next, sizeof(next), crl->next_update);
		print_toned(TONE_GOOD, "taken  ");
		(void)printf(" %s: %s, %snumber %s, %zu entries, next %s\n",
		    crl->file, crl->issuer, crl->base[0] != '\0' ? "delta CRL, " :
		    crl->indirect ? "indirect, " : "",
		    crl->number[0] != '\0' ? crl->number : "none", crl->entries,
		    crl->next_update != 0 ? next : "not given");
	}
	(void)printf("%zu entries, %zu bytes, %.3f s\n", c->entries, c->bytes,
	    c->seconds);
}

int
cmd_compile(struct args *args)
{
	struct certauth_compile	 report = { .crls = NULL };
	struct certauth_error	 error = { .line = 0 };
	size_t			 i;
	int			 status = EXIT_FINE;
	bool			 ok;

	progress_begin("compile");
	if (args->issuers.num_items > 0 || args->output != NULL) {
		if (args->config != NULL)
			return complain("--issuers and --output cannot be mixed "
			    "with --config");
		if (args->issuers.num_items == 0 || args->output == NULL ||
		    args->rest.num_items == 0)
			return complain("expected compile --issuers FILE... "
			    "--output DIR CRL...");
		ok = certauth_compile(args->issuers.items,
		    args->issuers.num_items, args->rest.items,
		    args->rest.num_items, args->output, &progress_core,
		    &report, &error);
	} else {
		if (args->rest.num_items > 0)
			return complain("with a policy file the CRLs are those "
			    "it names");
		ok = certauth_compile_conf(args_conf(args), &progress_core,
		    &report, &error);
	}
	progress_end();
	if (!ok) {
		certauth_compile_free(&report);
		return complain_error(&error);
	}
	for (i = 0; i < report.num_crls; i++)
		if (report.crls[i].error[0] != '\0')
			status = EXIT_REJECTED;
	if (args->json) {
		status = print_json(report_json(&report), status);
	} else {
		print_text(&report);
	}
	certauth_compile_free(&report);
	return status;
}
