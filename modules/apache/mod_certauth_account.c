/* mod_certauth_account.c - as which of the certificate's accounts?
 *
 * Asks the core with the name that an expression takes from the request. Who may be
 * who is in the policy's maps: no name from outside makes anybody else. */

#include "mod_certauth.h"

#include <http_config.h>
#include <http_log.h>
#include <apr_strings.h>

APLOG_USE_MODULE(certauth);

/* An expression, so that a header or a parameter may name the account. */
const char *certauth_set_account(cmd_parms *cmd, void *dir, const char *text)
{
    certauth_dir_conf *dc = dir;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_LIMIT
                                                  | NOT_IN_HTACCESS);

    if (error != NULL) {
        return error;
    }
    dc->account_set = 1;
    if (ap_cstr_casecmp(text, "off") == 0) {
        dc->account = NULL;
        return NULL;
    }
    dc->account = ap_expr_parse_cmd(cmd, text, AP_EXPR_FLAG_STRING_RESULT,
                                    &error, NULL);
    return error != NULL ? apr_psprintf(cmd->pool, "CertAuthAccount \"%s\": "
                                        "%s", text, error) : NULL;
}

struct certauth_verdict *certauth_account(request_rec *r,
                                          const certauth_dir_conf *dc,
                                          struct certauth_verdict *v)
{
    const char *error = NULL, *name;

    if (dc->account == NULL
        || certauth_verdict_decision(v) != CERTAUTH_ACCEPT) {
        return v;
    }
    name = ap_expr_str_exec(r, dc->account, &error);
    if (error != NULL || name == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "certauth: CertAuthAccount: "
                      "%s", error != NULL ? error : "no value");
        return certauth_own(r, certauth_refuse(certauth_use_at(dc->use)->profile,
                                               CERTAUTH_INTERNAL,
                                               "CertAuthAccount has no value"));
    }
    return certauth_own(r, certauth_verdict_as(v, name, strlen(name)));
}
