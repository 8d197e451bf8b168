/*
 * mod_certauth.c - client certificates judged by certauth in stock httpd 2.4.
 *
 * Directives, the life of the engine, and the list of hooks. See mod_certauth.h
 * for the other files, docs/apache.md for how to use it.
 */

#include "mod_certauth.h"

#include <ap_mpm.h>
#include <http_main.h>
#include <apr_atomic.h>
#include <apr_strings.h>

APLOG_USE_MODULE(certauth);

/* Set by pre_config of each reading of the configuration, in its pconf. */
certauth_process *certauth_proc;

certauth_server_conf *certauth_server_conf_of(server_rec *s)
{
    return ap_get_module_config(s->module_config, &certauth_module);
}

certauth_use *certauth_use_at(int use)
{
    return &APR_ARRAY_IDX(certauth_proc->uses, use, certauth_use);
}

/* ------------------------------------------------------------------ engine */

void certauth_log_notes(server_rec *s)
{
    struct certauth_note note;
    int level = APLOG_INFO;

    while (certauth_take_note(certauth_proc->engine, &note)) {
        switch (note.severity) {
        case CERTAUTH_NOTE:
            level = APLOG_INFO;
            break;
        case CERTAUTH_WARNING:
            level = APLOG_WARNING;
            break;
        case CERTAUTH_FATAL:
            level = APLOG_ERR;
            break;
        }
        ap_log_error(APLOG_MARK, level, 0, s, "certauth: %s", note.text);
    }
}

void certauth_poll_sometimes(server_rec *s)
{
    apr_uint32_t now = (apr_uint32_t)apr_time_sec(apr_time_now());
    apr_uint32_t last = apr_atomic_read32(&certauth_proc->polled);

    if (now == last
        || apr_atomic_cas32(&certauth_proc->polled, now, last) != last) {
        return;
    }
    certauth_poll_now(s);
}

void certauth_poll_now(server_rec *s)
{
    struct certauth_error error;

    if (certauth_proc->engine == NULL) {
        return;
    }
    /* What failed is among the notes too; the last good data stays. */
    if (certauth_poll(certauth_proc->engine, &error) != CERTAUTH_NEWS_NONE) {
        certauth_log_notes(s);
    }
    certauth_log_rest(s);
}

static int pre_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp)
{
    (void)plog;
    (void)ptemp;
    certauth_proc = apr_pcalloc(p, sizeof(*certauth_proc));
    certauth_proc->uses = apr_array_make(p, 4, sizeof(certauth_use));
    certauth_proc->warnings = apr_array_make(p, 4, sizeof(const char *));
    certauth_ssl_pre_config();
    return OK;
}

/* Once the server has run, a failing hook ends all of it: then our data must
 * not be the cause. */
static int is_restart(void)
{
    int generation = 0;

    return ap_state_query(AP_SQ_MAIN_STATE) != AP_SQ_MS_CREATE_PRE_CONFIG
           && ap_mpm_query(AP_MPMQ_GENERATION, &generation) == APR_SUCCESS
           && generation > 0;
}

static void log_warnings(int flags, server_rec *s)
{
    int i;

    for (i = 0; i < certauth_proc->warnings->nelts; i++) {
        ap_log_error(APLOG_MARK, APLOG_WARNING | flags, 0, s, "certauth: %s",
                     APR_ARRAY_IDX(certauth_proc->warnings, i, const char *));
    }
}

static int check_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *s)
{
    const char *fault = certauth_check(p, s);
    struct certauth_note note;

    (void)plog;
    (void)ptemp;
    if (fault != NULL) {
        certauth_proc->fault = fault;
        if (!is_restart()) {
            ap_log_error(APLOG_MARK, APLOG_EMERG | APLOG_STARTUP, 0, NULL,
                         "certauth: %s", fault);
            return HTTP_INTERNAL_SERVER_ERROR;
        }
        /* post_config tells, when the log is open. The cleanup frees it. */
        certauth_proc->broken = 1;
        return OK;
    }
    if (ap_state_query(AP_SQ_RUN_MODE) == AP_SQ_RM_CONFIG_TEST) {
        log_warnings(APLOG_STARTUP, NULL);
        while (certauth_proc->engine != NULL
               && certauth_take_note(certauth_proc->engine, &note)) {
            ap_log_error(APLOG_MARK, APLOG_NOTICE | APLOG_STARTUP, 0, NULL,
                         "certauth: %s", note.text);
        }
    }
    return OK;
}

/* Before mod_ssl's, which calls our init_server. */
static int post_config(apr_pool_t *p, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    (void)p;
    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG) {
        return OK;      /* httpd comes a second time; say things once */
    }
    if (certauth_proc->broken) {
        ap_log_error(APLOG_MARK, APLOG_EMERG, 0, s,
                     "certauth: %s; until this is "
                     "mended and the server reloaded, every request under a "
                     "CertAuthProfile is refused (503, data-missing)",
                     certauth_proc->fault);
    }
    log_warnings(0, s);
    certauth_status_open(s);
    if (certauth_is_test_build() && certauth_proc->uses->nelts > 0) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "certauth: this is a "
                     "build for tests, whose clock can be set; never use it "
                     "for anything else");
    }
    if (certauth_proc->engine != NULL) {
        certauth_log_notes(s);
    }
    return OK;
}

/* -------------------------------------------------------------- directives */

static void *create_server(apr_pool_t *p, server_rec *s)
{
    certauth_server_conf *sc = apr_pcalloc(p, sizeof(*sc));

    (void)s;
    sc->use = CERTAUTH_USE_UNSET;
    sc->sections = apr_array_make(p, 2, sizeof(certauth_section));
    return sc;
}

static void *merge_server(apr_pool_t *p, void *base_, void *add_)
{
    certauth_server_conf *base = base_, *add = add_, *sc;

    sc = apr_pmemdup(p, add, sizeof(*add));
    if (add->use == CERTAUTH_USE_UNSET) {
        sc->use = base->use;
        sc->optional = base->optional;
    }
    if (add->refuse == CERTAUTH_REFUSE_UNSET) {
        sc->refuse = base->refuse;
    }
    if (add->inbound == CERTAUTH_INBOUND_UNSET) {
        sc->inbound = base->inbound;
    }
    if (add->names == NULL) {
        sc->names = base->names;
    }
    sc->sections = apr_array_append(p, base->sections, add->sections);
    sc->alternatives = base->alternatives || add->alternatives;
    return sc;
}

static void *create_dir(apr_pool_t *p, char *path)
{
    certauth_dir_conf *dc = apr_pcalloc(p, sizeof(*dc));

    (void)path;
    dc->use = CERTAUTH_USE_UNSET;
    dc->alternative = -1;
    dc->preflight = -1;
    dc->report = CERTAUTH_USE_UNSET;
    return dc;
}

static void *merge_dir(apr_pool_t *p, void *base_, void *add_)
{
    certauth_dir_conf *base = base_, *add = add_, *dc;

    dc = apr_pmemdup(p, add, sizeof(*add));
    if (add->use == CERTAUTH_USE_UNSET) {
        dc->use = base->use;
        dc->optional = base->optional;
    }
    if (add->alternative == -1) {
        dc->alternative = base->alternative;
    }
    if (add->preflight == -1) {
        dc->preflight = base->preflight;
    }
    if (add->report == CERTAUTH_USE_UNSET) {
        dc->report = base->report;
    }
    if (!add->account_set) {
        dc->account = base->account;
        dc->account_set = base->account_set;
    }
    return dc;
}

static int use_new(cmd_parms *cmd, const char *name)
{
    certauth_use *use = apr_array_push(certauth_proc->uses);

    memset(use, 0, sizeof(*use));
    use->name = apr_pstrdup(cmd->pool, name);
    use->file = cmd->directive->filename;
    use->line = cmd->directive->line_num;
    return certauth_proc->uses->nelts - 1;
}

static int use_of(cmd_parms *cmd, const char *name)
{
    int i;

    for (i = 0; i < certauth_proc->uses->nelts; i++) {
        if (strcmp(certauth_use_at(i)->name, name) == 0) {
            return i;
        }
    }
    return use_new(cmd, name);
}

static const char *set_config(cmd_parms *cmd, void *dummy, const char *arg)
{
    const char *error = ap_check_cmd_context(cmd, GLOBAL_ONLY);

    (void)dummy;
    if (error != NULL) {
        return error;
    }
    certauth_proc->conf = ap_server_root_relative(cmd->pool, arg);
    return certauth_proc->conf ? NULL : "is not a path";
}

static const char *set_profile(cmd_parms *cmd, void *dir, const char *name,
                               const char *optional)
{
    certauth_server_conf *sc = certauth_server_conf_of(cmd->server);
    certauth_dir_conf *dc = dir;
    certauth_section *section;
    const ap_directive_t *around = cmd->directive->parent;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_LIMIT
                                                  | NOT_IN_HTACCESS);

    if (error != NULL) {
        return error;
    }
    if (optional != NULL && (ap_cstr_casecmp(optional, "optional") != 0
                             || ap_cstr_casecmp(name, "off") == 0)) {
        return "takes NAME [optional] or off";
    }
    dc->use = ap_cstr_casecmp(name, "off") == 0 ? CERTAUTH_USE_OFF
                                                : use_of(cmd, name);
    dc->optional = optional != NULL;
    if (cmd->path == NULL) {
        sc->use = dc->use;
        sc->optional = dc->optional;
        return NULL;
    }
    section = apr_array_push(sc->sections);
    section->use = dc->use;
    section->optional = dc->optional;
    section->late = around == NULL
                    || (ap_cstr_casecmp(around->directive, "<Location") != 0
                        && ap_cstr_casecmp(around->directive,
                                           "<LocationMatch") != 0);
    section->proxy = around != NULL
                     && ap_cstr_casecmpn(around->directive, "<Proxy", 6) == 0;
    section->file = cmd->directive->filename;
    section->line = cmd->directive->line_num;
    return NULL;
}

static const char *set_refuse(cmd_parms *cmd, void *dummy, const char *arg)
{
    certauth_server_conf *sc = certauth_server_conf_of(cmd->server);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)dummy;
    if (error != NULL) {
        return error;
    }
    if (ap_cstr_casecmp(arg, "request") == 0) {
        sc->refuse = CERTAUTH_REFUSE_REQUEST;
    }
    else if (ap_cstr_casecmp(arg, "handshake") == 0) {
        sc->refuse = CERTAUTH_REFUSE_HANDSHAKE;
    }
    else {
        return "must be request or handshake";
    }
    return NULL;
}

static const char *set_names(cmd_parms *cmd, void *dummy, const char *arg)
{
    static const char *const words[] = { "issuers", "anchors", "none" };
    certauth_server_conf *sc = certauth_server_conf_of(cmd->server);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);
    size_t i;

    (void)dummy;
    if (error != NULL) {
        return error;
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (ap_cstr_casecmp(arg, words[i]) == 0) {
            sc->names = words[i];
            return NULL;
        }
    }
    sc->names = ap_server_root_relative(cmd->pool, arg);
    return sc->names ? NULL : "must be issuers, anchors, none or a file";
}

static const char *set_alternative(cmd_parms *cmd, void *dir, int on)
{
    certauth_dir_conf *dc = dir;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_LIMIT
                                                  | NOT_IN_HTACCESS);

    if (error != NULL) {
        return error;
    }
    dc->alternative = on != 0;
    if (on) {
        certauth_server_conf_of(cmd->server)->alternatives = 1;
    }
    return NULL;
}

static const char *set_inbound(cmd_parms *cmd, void *dummy, const char *arg)
{
    certauth_server_conf *sc = certauth_server_conf_of(cmd->server);
    const char *error = ap_check_cmd_context(cmd, NOT_IN_DIR_CONTEXT);

    (void)dummy;
    if (error != NULL) {
        return error;
    }
    if (ap_cstr_casecmp(arg, "strip") == 0) {
        sc->inbound = CERTAUTH_INBOUND_STRIP;
    }
    else if (ap_cstr_casecmp(arg, "keep") == 0) {
        sc->inbound = CERTAUTH_INBOUND_KEEP;
    }
    else {
        return "must be strip or keep";
    }
    return NULL;
}

static const char *set_preflight(cmd_parms *cmd, void *dir, const char *arg)
{
    certauth_dir_conf *dc = dir;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_LIMIT
                                                  | NOT_IN_HTACCESS);

    if (error != NULL) {
        return error;
    }
    if (ap_cstr_casecmp(arg, "allow") != 0
        && ap_cstr_casecmp(arg, "refuse") != 0) {
        return "must be allow or refuse";
    }
    dc->preflight = ap_cstr_casecmp(arg, "allow") == 0;
    return NULL;
}

/* A use of its own: what is logged of the profile elsewhere is another thing. */
static const char *set_report(cmd_parms *cmd, void *dir, const char *name)
{
    certauth_dir_conf *dc = dir;
    const char *error = ap_check_cmd_context(cmd, NOT_IN_LIMIT
                                                  | NOT_IN_HTACCESS);

    if (error != NULL) {
        return error;
    }
    dc->report = ap_cstr_casecmp(name, "off") == 0 ? CERTAUTH_USE_OFF
                                                   : use_new(cmd, name);
    return NULL;
}

static const command_rec commands[] = {
    AP_INIT_TAKE1("CertAuthConfig", set_config, NULL, RSRC_CONF,
                  "the policy file (default " CERTAUTH_CONF_DEFAULT ")"),
    AP_INIT_TAKE12("CertAuthProfile", set_profile, NULL,
                   RSRC_CONF | ACCESS_CONF,
                   "the profile of the policy file that decides here, with "
                   "'optional' to judge only; or off"),
    AP_INIT_TAKE1("CertAuthRefuse", set_refuse, NULL, RSRC_CONF,
                  "request (an answer that says why) or handshake (an alert)"),
    AP_INIT_TAKE1("CertAuthNames", set_names, NULL, RSRC_CONF,
                  "CA names sent to clients: issuers, anchors, none, or a PEM "
                  "file"),
    AP_INIT_TAKE1("CertAuthInbound", set_inbound, NULL, RSRC_CONF,
                  "strip (default): headers in which proxies tell who somebody "
                  "is are taken out of requests; or keep"),
    AP_INIT_TAKE1("CertAuthPreflight", set_preflight, NULL,
                  RSRC_CONF | ACCESS_CONF,
                  "allow: a CORS preflight may come without certificate"),
    AP_INIT_TAKE1("CertAuthReport", set_report, NULL, RSRC_CONF | ACCESS_CONF,
                  "a second profile whose answer is logged where it differs; "
                  "or off"),
    AP_INIT_TAKE1("CertAuthAccount", certauth_set_account, NULL, RSRC_CONF | ACCESS_CONF,
                  "an expression: which of the accounts of the certificate's "
                  "map line the request is for; or off"),
    AP_INIT_FLAG("CertAuthAlternative", set_alternative, NULL,
                 RSRC_CONF | ACCESS_CONF,
                 "on: where there is no certificate the AuthType here may do"),
    { NULL, { NULL }, NULL, 0, RAW_ARGS, NULL }
};

static void register_hooks(apr_pool_t *p)
{
    static const char *const before_ssl[] = { "mod_ssl.c", NULL };

    ap_hook_pre_config(pre_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, before_ssl, APR_HOOK_FIRST);
    certauth_ssl_register_hooks();
    certauth_ask_register_hooks();
    certauth_gate_register_hooks();
    certauth_headers_register_hooks();
    certauth_authz_register(p);
    certauth_status_register_hooks();
}

module AP_MODULE_DECLARE_DATA certauth_module = {
    STANDARD20_MODULE_STUFF,
    create_dir,
    merge_dir,
    create_server,
    merge_server,
    commands,
    register_hooks,
    0
};
