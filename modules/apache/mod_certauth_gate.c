/*
 * mod_certauth_gate.c - the request side: may this request pass, under which
 * profile, and what do scripts, logs and authorization get to know?
 *
 * The gate runs before access control, so that neither Require nor Satisfy nor
 * a password can get round it.
 */

#include "mod_certauth.h"

#include <ap_expr.h>
#include <http_protocol.h>
#include <http_request.h>
#include <apr_strings.h>

APLOG_USE_MODULE(certauth);

#define AUTH_TYPE   "CertAuth"

static const char *const attributes[] = {
    "verdict", "reason", "message", "user", "groups", "email", "serial",
    "issuer", "subject", "fingerprint", "policies", "days_left", "profile",
    "id", "renewal", "not_after", "accounts",
};
#define NUM_ATTRIBUTES  (sizeof(attributes) / sizeof(attributes[0]))

/* ------------------------------------------------------------- the verdict */

certauth_request_rec *certauth_request_of(request_rec *r)
{
    return r != NULL ? ap_get_module_config(r->request_config, &certauth_module)
                     : NULL;
}

static certauth_dir_conf *dir_conf_of(const request_rec *r)
{
    return ap_get_module_config(r->per_dir_config, &certauth_module);
}

static apr_status_t free_verdict(void *v)
{
    certauth_verdict_free(v);
    return APR_SUCCESS;
}

/* From here on the request's pool owns the reference. */
struct certauth_verdict *certauth_own(request_rec *r, struct certauth_verdict *v)
{
    if (v != NULL) {
        apr_pool_cleanup_register(r->pool, v, free_verdict,
                                  apr_pool_cleanup_null);
    }
    return v;
}

static int asks_for(const certauth_server_conf *sc, int use)
{
    const certauth_section *section = (certauth_section *)sc->sections->elts;
    const unsigned char *digest = certauth_use_at(use)->digest;
    int i;

    if (sc->use == use || (sc->use >= 0
        && memcmp(certauth_use_at(sc->use)->digest, digest, 32) == 0)) {
        return 1;
    }
    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].use == use || (section[i].use >= 0
            && memcmp(certauth_use_at(section[i].use)->digest, digest,
                      32) == 0)) {
            return 1;
        }
    }
    return 0;
}

/* The connection was made with the settings of one virtual host; a request for
 * another one (Host differs from SNI) is only looked at when that one asks for
 * certificates of this very profile too. */
static struct certauth_verdict *misdirected(request_rec *r, certauth_conn *cc,
                                            int use)
{
    certauth_ctx *ctx = certauth_conn_ctx(cc);
    const char *detail;

    if (ctx != NULL && (ctx->s == r->server || asks_for(ctx->sc, use))) {
        return NULL;
    }
    detail = apr_psprintf(r->pool, "connection made for %s, request for %s",
                          ctx != NULL ? ctx->s->server_hostname : "?",
                          r->server->server_hostname);
    return certauth_refuse(certauth_use_at(use)->profile, CERTAUTH_MISDIRECTED,
                           detail);
}

/* A request waits once for each profile: what it was told then may be too
 * short-lived for the connection to keep. */
static struct certauth_verdict *settled(request_rec *r, certauth_conn *cc,
                                        int use, struct certauth_verdict *v)
{
    const char *key = apr_psprintf(r->pool, "certauth-settled-%d", use);
    void *known = NULL;

    (void)apr_pool_userdata_get(&known, key, r->pool);
    if (known != NULL) {
        certauth_verdict_free(v);
        return known;
    }
    v = certauth_own(r, certauth_settle(r, cc, use, v));
    if (v != NULL) {
        (void)apr_pool_userdata_setn(v, key, NULL, r->pool);
    }
    return v;
}

/* The verdict for this request under one profile; borrowed from r->pool. */
static struct certauth_verdict *verdict_for(request_rec *r, int use)
{
    certauth_conn *cc = certauth_conn_of(r->connection);
    certauth_request_rec *other;
    struct certauth_verdict *v;

    /* A sub-request or redirect has the verdict of the request it serves. */
    other = certauth_request_of(r->main != NULL ? r->main : r->prev);
    if (other != NULL && other->use == use
        && other->state == CERTAUTH_STATE_PASSED) {
        return other->verdict;
    }
    certauth_poll_sometimes(r->server);
    if (cc == NULL || SSL_is_init_finished(cc->ssl) != 1) {
        return certauth_own(r, certauth_refuse(certauth_use_at(use)->profile,
                                      CERTAUTH_NO_TLS, NULL));
    }
    v = misdirected(r, cc, use);
    if (v != NULL) {
        return certauth_own(r, v);
    }
    v = certauth_conn_verdict(cc, use);
    return certauth_verdict_decision(v) == CERTAUTH_UNDECIDED
           ? settled(r, cc, use, v) : certauth_own(r, v);
}

const struct certauth_verdict *certauth_request_verdict(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);
    certauth_dir_conf *dc;

    if (rec != NULL) {
        return rec->verdict;
    }
    /* Before the gate (an <If>, mod_rewrite of a server): what holds so far. */
    dc = dir_conf_of(r);
    if (dc == NULL || dc->use < 0) {
        return NULL;
    }
    return verdict_for(r, dc->use);
}

/* --------------------------------------------------------- what others see */

static const char *env_name(apr_pool_t *p, const char *attribute)
{
    char *name = apr_pstrcat(p, "CERTAUTH_", attribute, NULL);

    ap_str_toupper(name);
    return name;
}

/* Unset without a profile; otherwise all of them, empty when without value, so
 * that a proxied header never holds the "(null)" of mod_headers. */
static void set_env(request_rec *r, const struct certauth_verdict *v, int known)
{
    const char *name, *value;
    size_t i;

    for (i = 0; i < NUM_ATTRIBUTES; i++) {
        name = env_name(r->pool, attributes[i]);
        if (!known) {
            apr_table_unset(r->subprocess_env, name);
            continue;
        }
        value = certauth_verdict_get(v, attributes[i]);
        apr_table_set(r->subprocess_env, name, value ? value : "");
    }
    value = apr_table_get(r->notes, CERTAUTH_NOTE_WAITED);
    if (known) {
        apr_table_set(r->subprocess_env, "CERTAUTH_WAITED", value ? value : "0");
    }
    else {
        apr_table_unset(r->subprocess_env, "CERTAUTH_WAITED");
    }
}

static int refuse(request_rec *r, const struct certauth_verdict *v)
{
    enum certauth_reason reason = certauth_verdict_reason(v);
    const char *id = certauth_verdict_get(v, "id");
    int status = certauth_reason_http(reason);

    r->user = NULL;     /* not on the error page either */
    /* Shown in httpd's own page; the rest of the message is for the log. */
    apr_table_setn(r->notes, "error-notes",
                   apr_psprintf(r->pool, "Reason: %s (%s, %s).<br />\n",
                                ap_escape_html(r->pool,
                                               certauth_reason_text(reason)),
                                certauth_reason_slug(reason),
                                ap_escape_html(r->pool, id ? id : "")));
    return status >= 400 ? status : HTTP_FORBIDDEN;
}

/* ---------------------------------------------------------------- the gate */

static void keep(request_rec *r, certauth_state_e state, int use,
                 struct certauth_verdict *v)
{
    certauth_request_rec *rec = certauth_request_of(r);

    if (rec == NULL) {
        rec = apr_pcalloc(r->pool, sizeof(*rec));
        ap_set_module_config(r->request_config, &certauth_module, rec);
    }
    rec->state = state;
    rec->preflight = 0;
    rec->use = use;
    rec->verdict = v;
    set_env(r, v, 1);
}

/* May a .htaccess have named the error page of this request? Its author could
 * name any document of the server, to be shown to people without certificate.
 * One with sections of its own may hide the ErrorDocument in them. */
static int named_by_htaccess(const request_rec *r)
{
    const struct htaccess_result *ht;
    core_dir_config *core;

    for (ht = r->htaccess; ht != NULL; ht = ht->next) {
        /* NULL: there is none in this folder, or it says nothing to core */
        core = ht->htaccess ? ap_get_core_module_config(ht->htaccess) : NULL;
        if (core != NULL && (core->response_code_exprs != NULL
            || (core->sec_file != NULL && core->sec_file->nelts > 0)
            || (core->sec_if != NULL && core->sec_if->nelts > 0))) {
            return 1;
        }
    }
    return 0;
}

/* Is this the page that tells of our own refusal? One step only: what such a
 * page redirects to is a request like any other. Its sub-requests (includes,
 * negotiation) pass when they stay in the page's own folder (not the root). */
static certauth_request_rec *error_page_of(request_rec *r)
{
    certauth_request_rec *before;
    const char *slash;

    if (r->main != NULL) {
        before = certauth_request_of(r->main);
        slash = r->main->uri != NULL ? strrchr(r->main->uri, '/') : NULL;
        if (before != NULL && before->state == CERTAUTH_STATE_ERROR_PAGE
            && slash != NULL && slash != r->main->uri && r->uri != NULL
            && strncmp(r->uri, r->main->uri,
                       (size_t)(slash + 1 - r->main->uri)) == 0) {
            return before;
        }
        return NULL;
    }
    before = certauth_request_of(r->prev);
    return before != NULL && before->state == CERTAUTH_STATE_REFUSED
           && !named_by_htaccess(r->prev) ? before : NULL;
}

/* Where there is no certificate, may the section's own AuthType do instead? */
static int has_alternative(request_rec *r, const certauth_dir_conf *dc,
                           const struct certauth_verdict *v)
{
    const char *type = ap_auth_type(r);

    return certauth_verdict_reason(v) == CERTAUTH_NO_CERTIFICATE
           && dc->alternative == 1 && type != NULL
           && ap_cstr_casecmp(type, AUTH_TYPE) != 0;
}

static int gate(request_rec *r)
{
    certauth_dir_conf *dc = dir_conf_of(r);
    certauth_request_rec *before = error_page_of(r);
    struct certauth_verdict *v;

    if (before != NULL) {
        keep(r, CERTAUTH_STATE_ERROR_PAGE, before->use, before->verdict);
        return DECLINED;
    }
    if (dc == NULL || dc->use < 0) {
        ap_set_module_config(r->request_config, &certauth_module, NULL);
        set_env(r, NULL, 0);
        return DECLINED;
    }
    v = certauth_account(r, dc, verdict_for(r, dc->use));
    certauth_log_verdict(r, dc->use, v);
    certauth_report(r, dc, v);
    /* Optional lets a bad certificate in as nobody, but not a request that came
     * on the connection of another host: asked again, it may have a name. */
    if (certauth_verdict_decision(v) == CERTAUTH_ACCEPT || (dc->optional
        && certauth_verdict_reason(v) != CERTAUTH_MISDIRECTED)) {
        keep(r, CERTAUTH_STATE_PASSED, dc->use, v);
        return DECLINED;
    }
    if (dc->preflight == 1 && certauth_is_preflight(r)
        && certauth_verdict_reason(v) == CERTAUTH_NO_CERTIFICATE) {
        keep(r, CERTAUTH_STATE_PASSED, dc->use, v);
        certauth_request_of(r)->preflight = 1;
        return DECLINED;
    }
    if (has_alternative(r, dc, v)) {
        keep(r, CERTAUTH_STATE_ALTERNATIVE, dc->use, v);
        return DECLINED;
    }
    keep(r, CERTAUTH_STATE_REFUSED, dc->use, v);
    return refuse(r, v);
}

/* A Redirect or a RewriteRule of the server answers while names are translated,
 * before the files are walked. Where no section but Locations could still
 * change the profile (one that repeats the server's does not), the answer is
 * known here. */
static int early_gate(request_rec *r)
{
    certauth_server_conf *sc = certauth_server_conf_of(r->server);
    certauth_section *section = (certauth_section *)sc->sections->elts;
    int i;

    if (sc->alternatives) {
        return DECLINED;    /* the AuthType may come with a Directory */
    }
    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].late && (section[i].use != sc->use
                                || section[i].optional != sc->optional)) {
            return DECLINED;
        }
    }
    return gate(r);
}

/* ----------------------------------------------------- user, authorization */

static void set_user(request_rec *r, const struct certauth_verdict *v)
{
    r->user = apr_pstrdup(r->pool, certauth_verdict_user(v));
    r->ap_auth_type = (char *)AUTH_TYPE;
}

/*
 * After mod_ssl's own access hook: in TLS 1.2 that one resets the result of the
 * verification with every request. The user is set this early so that a
 * `Require user` that fails answers 403: there is no password to ask for.
 */
static int access_checker(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);
    certauth_dir_conf *dc = dir_conf_of(r);
    certauth_conn *cc = certauth_conn_of(r->connection);
    certauth_ctx *ctx = cc != NULL ? certauth_conn_ctx(cc) : NULL;
    struct certauth_verdict *v = NULL;
    const char *type = ap_auth_type(r);

    if (ctx != NULL) {
        /* One state for all streams of HTTP/2: that of the server's profile. */
        if (r->connection->master != NULL || rec == NULL) {
            v = certauth_conn_verdict(cc, ctx->handshake_use);
            certauth_conn_mark(cc, v);
            certauth_verdict_free(v);
        }
        else {
            certauth_conn_mark(cc, rec->verdict);
        }
    }
    if (rec == NULL || rec->state != CERTAUTH_STATE_PASSED || type == NULL
        || certauth_verdict_user(rec->verdict)[0] == '\0') {
        return DECLINED;
    }
    if (ap_cstr_casecmp(type, AUTH_TYPE) == 0 || dc->alternative == 1) {
        set_user(r, rec->verdict);
    }
    return DECLINED;
}

/* The page of our own refusal is shown although its folder wants a user, and a
 * preflight passes as nobody. */
int certauth_passes_as_nobody(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);
    const char *type = ap_auth_type(r);

    return rec != NULL && type != NULL
           && (rec->preflight || rec->state == CERTAUTH_STATE_ERROR_PAGE)
           && ap_cstr_casecmp(type, AUTH_TYPE) == 0;
}

/* Asked behind mod_authz_core, when all that was left of Require is that it wants
 * a user; what it denies to everybody (an address, "all denied") is denied. */
static int access_checker_ex(request_rec *r)
{
    return certauth_passes_as_nobody(r) ? OK : DECLINED;
}

/* Even `Require all granted` needs the other proof. */
static int force_authn(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);

    return rec != NULL && rec->state == CERTAUTH_STATE_ALTERNATIVE ? OK
                                                                   : DECLINED;
}

static int check_authn(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);
    const certauth_conn *cc = certauth_conn_of(r->connection);
    const char *type = ap_auth_type(r);
    struct certauth_verdict *v;

    if (type == NULL || ap_cstr_casecmp(type, AUTH_TYPE) != 0) {
        return DECLINED;
    }
    r->user = NULL;
    r->ap_auth_type = (char *)AUTH_TYPE;
    if (rec == NULL) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r, "certauth: AuthType "
                      "CertAuth without CertAuthProfile for %s", r->uri);
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    if (certauth_verdict_decision(rec->verdict) != CERTAUTH_ACCEPT) {
        rec->state = CERTAUTH_STATE_REFUSED;
        return refuse(r, rec->verdict);
    }
    if (certauth_verdict_user(rec->verdict)[0] == '\0') {
        v = certauth_own(r, certauth_refuse(certauth_use_at(rec->use)->profile,
                                   CERTAUTH_NO_USER,
                                   "the profile has no identity rules"));
        keep(r, CERTAUTH_STATE_REFUSED, rec->use, v);
        certauth_log_verdict(r, CERTAUTH_SLOT_AUTHN(cc, rec->use), v);
        return refuse(r, v);
    }
    set_user(r, rec->verdict);
    return OK;
}

/* The last look before a handler runs: whatever way a request came here, it
 * has passed the gate, and an alternative has really named a user. */
static int fixups(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);
    certauth_dir_conf *dc = dir_conf_of(r);

    if (rec == NULL) {
        return dc == NULL || dc->use < 0 ? DECLINED : gate(r);
    }
    switch (rec->state) {
    case CERTAUTH_STATE_PASSED:
    case CERTAUTH_STATE_ERROR_PAGE:
        return DECLINED;
    case CERTAUTH_STATE_ALTERNATIVE:
        if (r->user != NULL && r->ap_auth_type != NULL
            && ap_cstr_casecmp(r->ap_auth_type, AUTH_TYPE) != 0) {
            return DECLINED;
        }
        rec->state = CERTAUTH_STATE_REFUSED;
        break;
    case CERTAUTH_STATE_REFUSED:
        break;
    }
    return refuse(r, rec->verdict);
}

/* After mod_ssl's fixups: its StdEnvVars tell of the connection, the verdict is
 * of the request (a directory's profile, parallel streams). */
static int late_fixups(request_rec *r)
{
    certauth_request_rec *rec = certauth_request_of(r);

    if (rec != NULL
        && certauth_verdict_decision(rec->verdict) != CERTAUTH_ACCEPT
        && certauth_verdict_reason(rec->verdict) != CERTAUTH_NO_CERTIFICATE
        && apr_table_get(r->subprocess_env, "SSL_CLIENT_VERIFY") != NULL) {
        apr_table_setn(r->subprocess_env, "SSL_CLIENT_VERIFY",
            apr_pstrcat(r->pool, "FAILED:", certauth_reason_slug(
                            certauth_verdict_reason(rec->verdict)), NULL));
    }
    return DECLINED;
}

/* ------------------------------------------------------------- expressions */

static const char *expr_value(ap_expr_eval_ctx_t *ctx, const void *data)
{
    const struct certauth_verdict *v = NULL;
    const char *value = NULL;

    if (ctx->r != NULL) {
        v = certauth_request_verdict(ctx->r);
    }
    if (v != NULL) {
        value = certauth_verdict_get(v, data);
    }
    return value != NULL ? apr_pstrdup(ctx->p, value) : "";
}

/* RFC 9440. In expressions only: some KB that few applications want. */
static const char *expr_forward(ap_expr_eval_ctx_t *ctx, const void *data)
{
    const struct certauth_verdict *v = NULL;
    char *field;
    const char *value = "";

    if (ctx->r != NULL) {
        v = certauth_request_verdict(ctx->r);
    }
    field = certauth_verdict_forward(v, strcmp(data, "CLIENT_CERT") != 0);
    if (field != NULL) {
        value = apr_pstrdup(ctx->p, field);
    }
    free(field);
    return value;
}

static int expr_lookup(ap_expr_lookup_parms *parms)
{
    static const char *const fields[] = { "CLIENT_CERT", "CLIENT_CERT_CHAIN" };
    size_t i;

    if (parms->type != AP_EXPR_FUNC_VAR
        || ap_cstr_casecmpn(parms->name, "CERTAUTH_", 9) != 0) {
        return DECLINED;
    }
    for (i = 0; i < 2; i++) {
        if (ap_cstr_casecmp(parms->name + 9, fields[i]) == 0) {
            *parms->func = __extension__ (void *)expr_forward;
            *parms->data = fields[i];
            return OK;
        }
    }
    for (i = 0; i < NUM_ATTRIBUTES; i++) {
        if (ap_cstr_casecmp(parms->name + 9, attributes[i]) == 0) {
            /* the interface of ap_expr: a function in a void pointer */
            *parms->func = __extension__ (void *)expr_value;
            *parms->data = attributes[i];
            return OK;
        }
    }
    return DECLINED;
}

void certauth_gate_register_hooks(void)
{
    static const char *const after_ssl[] = { "mod_ssl.c", NULL };
    static const char *const after_authz[] = { "mod_authz_core.c", NULL };

    ap_hook_translate_name(early_gate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_post_perdir_config(gate, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_check_access(access_checker, after_ssl, NULL, APR_HOOK_MIDDLE,
                         AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_check_access_ex(access_checker_ex, after_authz, NULL,
                            APR_HOOK_REALLY_LAST, AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_force_authn(force_authn, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_check_authn(check_authn, NULL, NULL, APR_HOOK_MIDDLE,
                        AP_AUTH_INTERNAL_PER_CONF);
    ap_hook_fixups(fixups, NULL, NULL, APR_HOOK_REALLY_FIRST);
    ap_hook_fixups(late_fixups, after_ssl, NULL, APR_HOOK_LAST);
    ap_hook_expr_lookup(expr_lookup, NULL, NULL, APR_HOOK_MIDDLE);
}
