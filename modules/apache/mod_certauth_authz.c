/*
 * mod_certauth_authz.c - Require cert-policy, -issuer, -san, -group.
 *
 * Each asks one thing of an accepted certificate and needs no user. Where no
 * profile applies, and where the certificate is not accepted (an optional
 * profile), each denies.
 */

#include "mod_certauth.h"

#include <ap_expr.h>
#include <ap_provider.h>
#include <http_request.h>
#include <mod_auth.h>
#include <apr_strings.h>

APLOG_USE_MODULE(certauth);

typedef int (*match_fn)(const struct certauth_verdict *v, const char *word);

static int match_policy(const struct certauth_verdict *v, const char *word)
{
    return certauth_verdict_has(v, "policies", word);
}

static int match_group(const struct certauth_verdict *v, const char *word)
{
    return certauth_verdict_has(v, "groups", word);
}

static int match_issuer(const struct certauth_verdict *v, const char *word)
{
    return certauth_verdict_has(v, "authority", word);
}

static int match_san(const struct certauth_verdict *v, const char *word)
{
    char type[8];
    const char *colon = strchr(word, ':');

    if (colon == NULL || (size_t)(colon - word) >= sizeof(type)) {
        return 0;
    }
    apr_cpystrn(type, word, (apr_size_t)(colon - word) + 1);
    return certauth_verdict_has_san(v, type, colon + 1);
}

static authz_status check(request_rec *r, const char *line, const void *parsed,
                          match_fn match)
{
    const struct certauth_verdict *v = certauth_request_verdict(r);
    const char *error = NULL, *words, *word;

    if (v == NULL || certauth_verdict_decision(v) != CERTAUTH_ACCEPT) {
        /* As `Require user` says it: there is nobody yet of whom to ask. */
        return certauth_passes_as_nobody(r) ? AUTHZ_DENIED_NO_USER
                                            : AUTHZ_DENIED;
    }
    words = ap_expr_str_exec(r, parsed, &error);
    if (error != NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "Require: cannot evaluate \"%s\": %s", line, error);
        return AUTHZ_DENIED;
    }
    while (*(word = ap_getword_conf(r->pool, &words))) {
        if (match(v, word)) {
            return AUTHZ_GRANTED;
        }
    }
    return AUTHZ_DENIED;
}

static authz_status check_policy(request_rec *r, const char *line,
                                 const void *parsed)
{
    return check(r, line, parsed, match_policy);
}

static authz_status check_issuer(request_rec *r, const char *line,
                                 const void *parsed)
{
    return check(r, line, parsed, match_issuer);
}

static authz_status check_san(request_rec *r, const char *line,
                              const void *parsed)
{
    return check(r, line, parsed, match_san);
}

static authz_status check_group(request_rec *r, const char *line,
                                const void *parsed)
{
    return check(r, line, parsed, match_group);
}

/* The words may hold expressions, as in Require user and Require group. */
static const char *parse(cmd_parms *cmd, const char *line, const void **parsed)
{
    const char *error = NULL;

    if (line == NULL || line[strspn(line, " \t")] == '\0') {
        return "needs at least one name";
    }
    *parsed = ap_expr_parse_cmd(cmd, line, AP_EXPR_FLAG_STRING_RESULT, &error,
                                NULL);
    if (error != NULL) {
        return apr_pstrcat(cmd->pool, "cannot parse \"", line, "\": ", error,
                           NULL);
    }
    return NULL;
}

static const char *parse_san(cmd_parms *cmd, const char *line,
                             const void **parsed)
{
    static const char *const types[] = { "email:", "upn:", "uri:", "dns:" };
    const char *words = line ? line : "", *word;
    size_t i;

    while (*(word = ap_getword_conf(cmd->temp_pool, &words))) {
        if (word[0] == '%') {   /* an expression: known only later */
            continue;
        }
        for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
            if (strncmp(word, types[i], strlen(types[i])) == 0
                && word[strlen(types[i])]) {
                break;
            }
        }
        if (i == sizeof(types) / sizeof(types[0])) {
            return apr_psprintf(cmd->pool, "cert-san: \"%s\" is not TYPE:VALUE;"
                                " the types are email, upn, uri, dns", word);
        }
    }
    return parse(cmd, line, parsed);
}

static const authz_provider provider_policy = { check_policy, parse };
static const authz_provider provider_issuer = { check_issuer, parse };
static const authz_provider provider_san = { check_san, parse_san };
static const authz_provider provider_group = { check_group, parse };

void certauth_authz_register(apr_pool_t *p)
{
    static const struct {
        const char *name;
        const authz_provider *provider;
    } all[] = {
        { "cert-policy", &provider_policy },
        { "cert-issuer", &provider_issuer },
        { "cert-san", &provider_san },
        { "cert-group", &provider_group },
    };
    size_t i;

    for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        ap_register_auth_provider(p, AUTHZ_PROVIDER_GROUP, all[i].name,
                                  AUTHZ_PROVIDER_VERSION, all[i].provider,
                                  AP_AUTH_INTERNAL_PER_CONF);
    }
}
