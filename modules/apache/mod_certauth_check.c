/*
 * mod_certauth_check.c - is the configuration sound, and does it say what it
 * seems to say?
 *
 * Opens the engine, resolves the profile names, and walks the tree of all
 * directives for those of mod_ssl and mod_cache that would not bite, or would
 * get round the gate. Runs in check_config, so that configtest tells.
 */

#include "mod_certauth.h"

#include <apr_strings.h>
#include <util_cfgtree.h>
#include <openssl/err.h>

APLOG_USE_MODULE(certauth);

int certauth_asks(const certauth_server_conf *sc)
{
    const certauth_section *section = (certauth_section *)sc->sections->elts;
    int i;

    if (sc->use >= 0) {
        return 1;
    }
    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].use >= 0) {
            return 1;
        }
    }
    return 0;
}

int certauth_handshake_use(const certauth_server_conf *sc)
{
    const certauth_section *section = (certauth_section *)sc->sections->elts;
    int i, use = sc->use;

    if (use >= 0) {
        return use;
    }
    use = CERTAUTH_USE_UNSET;
    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].use < 0 || section[i].use == use) {
            continue;
        }
        if (use >= 0) {
            return CERTAUTH_USE_UNSET;
        }
        use = section[i].use;
    }
    return use;
}

/* May a request of this server be served with a certificate that
 * nobody vouches for? */
static int is_lax(const certauth_server_conf *sc)
{
    const certauth_section *section = (certauth_section *)sc->sections->elts;
    int i;

    if (sc->use < 0 || sc->optional) {
        return certauth_asks(sc);
    }
    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].use < 0 || section[i].optional) {
            return 1;
        }
    }
    return 0;
}

/* Has this server a profile in sections that a forward proxy's URL does not
 * meet, and nowhere else? */
static int is_partial(const certauth_server_conf *sc)
{
    const certauth_section *section = (certauth_section *)sc->sections->elts;
    int i;

    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].proxy && section[i].use >= 0) {
            return 0;
        }
    }
    return sc->use < 0 && certauth_asks(sc);
}

/* ---------------------------------------------------- the directives' tree */

typedef struct {
    apr_pool_t *p;
    server_rec *main_server;
    const char *fault;
    apr_array_header_t *cache;      /* placed: CacheEnable */
    apr_array_header_t *quick;      /* placed: CacheQuickHandler */
} walk;

/* A directive and the virtual host around it, NULL: the main server. */
typedef struct {
    server_rec *host;
    const ap_directive_t *d;
} placed;

/* Does a directive of this virtual host (NULL: of the main server, inherited by
 * all) concern a server for which `test` is true? */
static int concerns(walk *w, server_rec *host,
                    int (*test)(const certauth_server_conf *))
{
    server_rec *s;

    if (host != NULL) {
        return test(certauth_server_conf_of(host));
    }
    for (s = w->main_server; s != NULL; s = s->next) {
        if (test(certauth_server_conf_of(s))) {
            return 1;
        }
    }
    return 0;
}

static server_rec *host_of(walk *w, const ap_directive_t *d)
{
    server_rec *s;

    for (s = w->main_server->next; s != NULL; s = s->next) {
        if (s->defn_name != NULL && strcmp(s->defn_name, d->filename) == 0
            && s->defn_line_number == (unsigned)d->line_num) {
            return s;
        }
    }
    return NULL;
}

static void fault(walk *w, const ap_directive_t *d, const char *text)
{
    if (w->fault == NULL) {
        w->fault = apr_psprintf(w->p, "%s:%d: %s %s: %s", d->filename,
                                d->line_num, d->directive, d->args, text);
    }
}

static void warning(walk *w, const ap_directive_t *d, const char *text)
{
    *(const char **)apr_array_push(certauth_proc->warnings) =
        apr_psprintf(w->p, "%s:%d: %s %s: %s", d->filename, d->line_num,
                     d->directive, d->args, text);
}

/* Is `word` among the arguments, in any case, + allowed before it? */
static int has_word(walk *w, const ap_directive_t *d, const char *word)
{
    const char *args = d->args, *arg;

    while (*(arg = ap_getword_conf(w->p, &args))) {
        if (ap_cstr_casecmp(arg[0] == '+' ? arg + 1 : arg, word) == 0) {
            return 1;
        }
    }
    return 0;
}

static void look_at_ssl(walk *w, server_rec *host, const ap_directive_t *d)
{
    static const char *const blunt[] = {
        "SSLCARevocationCheck", "SSLCARevocationFile", "SSLCARevocationPath",
        "SSLOCSPEnable", "SSLVerifyDepth", "SSLCADNRequestFile",
        "SSLCADNRequestPath",
    };
    size_t i;

    if (!concerns(w, host, certauth_asks)) {
        return;
    }
    for (i = 0; i < sizeof(blunt) / sizeof(blunt[0]); i++) {
        if (ap_cstr_casecmp(d->directive, blunt[i]) == 0
            && !has_word(w, d, "off") && !has_word(w, d, "none")) {
            warning(w, d, i < 5 ? "does not bite for clients where "
                    "CertAuthProfile is in force; set it in the policy file"
                    : "does not bite where CertAuthProfile is in force; use "
                    "CertAuthNames");
        }
    }
    if (ap_cstr_casecmp(d->directive, "SSLVerifyClient") == 0
        && (has_word(w, d, "require") || has_word(w, d, "optional"))) {
        fault(w, d, "mod_ssl would judge the certificate by itself; remove "
              "this line, CertAuthProfile makes the server ask");
    }
    if (ap_cstr_casecmp(d->directive, "SSLSessionTicketKeyFile") == 0) {
        warning(w, d, "with OpenSSL 3 mod_ssl takes the key that proves a "
                "ticket from memory it has given back (ssl_init_ticket_key); "
                "a ticket carries the client's certificate, so leave it out");
    }
    if (ap_cstr_casecmp(d->directive, "SSLOptions") == 0
        && has_word(w, d, "OptRenegotiate")) {
        warning(w, d, "has no effect under CertAuthProfile, which never "
                "renegotiates");
    }
    if (!concerns(w, host, is_lax)) {
        return;
    }
    if (ap_cstr_casecmp(d->directive, "SSLUserName") == 0
        || (ap_cstr_casecmp(d->directive, "SSLOptions") == 0
            && has_word(w, d, "FakeBasicAuth"))) {
        fault(w, d, "takes the name from any certificate, also from a refused "
              "one where CertAuthProfile is off or optional; use AuthType "
              "CertAuth");
    }
    if (ap_cstr_casecmp(d->directive, "SSLRequire") == 0
        && ap_strcasestr(d->args, "SSL_CLIENT_VERIFY") != NULL) {
        fault(w, d, "sees SUCCESS for every certificate in TLS 1.2 where "
              "CertAuthProfile is off or optional; use Require expr");
    }
}

static void place(apr_array_header_t *list, server_rec *host,
                  const ap_directive_t *d)
{
    placed *p = apr_array_push(list);

    p->host = host;
    p->d = d;
}

/* The last one that counts in this server: its own, or else the main server's
 * (which is its own when `s` is the main server). */
static const ap_directive_t *in_force(const walk *w,
                                      const apr_array_header_t *list,
                                      const server_rec *s)
{
    const ap_directive_t *own = NULL, *inherited = NULL;
    const placed *p = (const placed *)list->elts;
    int i;

    for (i = 0; i < list->nelts; i++) {
        if (p[i].host == NULL) {
            inherited = p[i].d;
        }
        else if (p[i].host == s) {
            own = p[i].d;
        }
    }
    return own != NULL && s != w->main_server ? own : inherited;
}

/* CacheQuickHandler is on by default, and each virtual host has its own. */
static void check_cache(walk *w)
{
    const ap_directive_t *cache, *quick;
    server_rec *s;

    for (s = w->main_server; s != NULL; s = s->next) {
        cache = in_force(w, w->cache, s);
        quick = in_force(w, w->quick, s);
        if (certauth_asks(certauth_server_conf_of(s)) && cache != NULL
            && (quick == NULL || !has_word(w, quick, "off"))) {
            fault(w, cache, "the quick handler of mod_cache answers before any "
                  "access control; add CacheQuickHandler off to this virtual "
                  "host");
        }
    }
}

static void look_at(walk *w, server_rec *host, const ap_directive_t *d)
{
    if (ap_cstr_casecmpn(d->directive, "SSL", 3) == 0) {
        look_at_ssl(w, host, d);
    }
    else if (ap_cstr_casecmp(d->directive, "ProxyRequests") == 0
             && has_word(w, d, "on") && concerns(w, host, is_partial)) {
        warning(w, d, "what a forward proxy is asked (whole URLs, CONNECT) "
                "meets no Location: give the CertAuthProfile to the virtual "
                "host or to <Proxy *>");
    }
    else if (ap_cstr_casecmp(d->directive, "CacheEnable") == 0) {
        place(w->cache, host, d);
    }
    else if (ap_cstr_casecmp(d->directive, "CacheQuickHandler") == 0) {
        place(w->quick, host, d);
    }
}

static void visit(walk *w, server_rec *host, const ap_directive_t *d)
{
    server_rec *inner;

    for (; d != NULL; d = d->next) {
        look_at(w, host, d);
        if (d->first_child != NULL) {
            inner = host;
            if (ap_cstr_casecmp(d->directive, "<VirtualHost") == 0) {
                inner = host_of(w, d);
            }
            visit(w, inner, d->first_child);
        }
    }
}

static const char *check_tree(apr_pool_t *p, server_rec *main_server)
{
    walk w = { p, main_server, NULL, NULL, NULL };

    w.cache = apr_array_make(p, 2, sizeof(placed));
    w.quick = apr_array_make(p, 2, sizeof(placed));
    visit(&w, NULL, ap_conftree);
    check_cache(&w);
    return w.fault;
}

/* ----------------------------------------------------------------- servers */

/* In the handshake the path of the request is not known: one rule for all. */
static const char *check_server(apr_pool_t *p, server_rec *s)
{
    const certauth_server_conf *sc = certauth_server_conf_of(s);
    const certauth_section *section = (certauth_section *)sc->sections->elts;
    int i;

    if (sc->refuse != CERTAUTH_REFUSE_HANDSHAKE) {
        return NULL;
    }
    if (sc->use < 0 || sc->optional) {
        if (!certauth_asks(sc)) {
            return NULL;
        }
        return apr_psprintf(p, "%s:%u: CertAuthRefuse handshake needs a "
                            "CertAuthProfile of the same server that is not "
                            "optional; use CertAuthRefuse request",
                            s->defn_name ? s->defn_name : "main server",
                            s->defn_line_number);
    }
    if (sc->alternatives) {
        return apr_psprintf(p, "%s:%u: CertAuthAlternative on has no effect "
                            "where CertAuthRefuse handshake ends a connection "
                            "without certificate; use CertAuthRefuse request",
                            s->defn_name ? s->defn_name : "main server",
                            s->defn_line_number);
    }
    for (i = 0; i < sc->sections->nelts; i++) {
        if (section[i].use != sc->use || section[i].optional) {
            return apr_psprintf(p, "%s:%d: this section differs from the "
                                "profile of its server, which refuses in the "
                                "handshake; use CertAuthRefuse request",
                                section[i].file, section[i].line);
        }
    }
    return NULL;
}

static apr_status_t free_names(void *names)
{
    sk_X509_NAME_pop_free(names, X509_NAME_free);
    return APR_SUCCESS;
}

static const char *load_names(apr_pool_t *p, server_rec *s)
{
    certauth_server_conf *sc = certauth_server_conf_of(s);

    if (sc->names == NULL || sc->names[0] != '/' || sc->name_list != NULL) {
        return NULL;
    }
    sc->name_list = SSL_load_client_CA_file(sc->names);
    ERR_clear_error();
    if (sc->name_list == NULL || sk_X509_NAME_num(sc->name_list) == 0) {
        sc->name_list = NULL;
        return apr_psprintf(p, "CertAuthNames %s: no certificate could be read "
                            "there (PEM is expected)", sc->names);
    }
    apr_pool_cleanup_register(p, sc->name_list, free_names,
                              apr_pool_cleanup_null);
    return NULL;
}

/* ------------------------------------------------------------------ engine */

static apr_status_t free_engine(void *data)
{
    certauth_process *proc = data;

    certauth_free(proc->engine);
    proc->engine = NULL;
    return APR_SUCCESS;
}

static const char *open_engine(apr_pool_t *p)
{
    const char *conf = certauth_proc->conf ? certauth_proc->conf
                                           : CERTAUTH_CONF_DEFAULT;
    struct certauth_error error = { 0 };
    certauth_use *use;
    int i;

    certauth_proc->engine = certauth_open(conf, &error);
    if (certauth_proc->engine == NULL) {
        if (error.line != 0) {
            return apr_psprintf(p, "%s:%u: %s", error.file, error.line,
                                error.text);
        }
        return apr_psprintf(p, "%s: %s", error.file[0] ? error.file : conf,
                            error.text);
    }
    apr_pool_cleanup_register(p, certauth_proc, free_engine,
                              apr_pool_cleanup_null);
    for (i = 0; i < certauth_proc->uses->nelts; i++) {
        use = certauth_use_at(i);
        use->profile = certauth_profile_find(certauth_proc->engine, use->name);
        if (use->profile == NULL) {
            return apr_psprintf(p, "%s:%d: CertAuthProfile %s: there is no "
                                "such profile in %s", use->file, use->line,
                                use->name, conf);
        }
        certauth_profile_digest(use->profile, use->digest);
    }
    return NULL;
}

const char *certauth_check(apr_pool_t *p, server_rec *main_server)
{
    const char *error;
    server_rec *s;

    if (certauth_proc->uses->nelts == 0 && certauth_proc->conf == NULL) {
        return NULL;    /* loaded, but not used */
    }
    error = check_tree(p, main_server);
    for (s = main_server; error == NULL && s != NULL; s = s->next) {
        error = check_server(p, s);
        if (error == NULL) {
            error = load_names(p, s);
        }
    }
    if (error == NULL) {
        error = open_engine(p);
    }
    return error;
}
