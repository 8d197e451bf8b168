/*
 * mod_certauth_status.c - how often was what decided, in all children?
 *
 * Shared memory in which every child counts, SetHandler certauth-status that prints
 * it, and a section in mod_status's page. The memory is the parent's: it goes on
 * over a graceful restart. The words are the core's; who may read them is up to
 * Require.
 */

#include "mod_certauth.h"

#include <http_protocol.h>
#include <mod_status.h>
#include <util_script.h>
#include <apr_shm.h>
#include <apr_strings.h>

#include <stdlib.h>
#include <string.h>

APLOG_USE_MODULE(certauth);

#define HANDLER "certauth-status"

/* A newer module that counts more takes memory of its own: children of before may
 * still count in the old one. */
static void *memory_of(process_rec *process, server_rec *s)
{
    char key[64];
    void *memory = NULL;
    apr_shm_t *shm;
    apr_status_t rc;

    apr_snprintf(key, sizeof(key), "certauth-status-%" APR_SIZE_T_FMT,
                 certauth_counters_size());
    (void)apr_pool_userdata_get(&memory, key, process->pool);
    if (memory != NULL) {
        return memory;
    }
    rc = apr_shm_create(&shm, certauth_counters_size(), NULL, process->pool);
    if (rc != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, rc, s, "certauth: no shared "
                     "memory: nothing is counted for certauth-status");
        return NULL;
    }
    memory = apr_shm_baseaddr_get(shm);
    memset(memory, 0, certauth_counters_size());
    (void)apr_pool_userdata_set(memory, key, NULL, process->pool);
    return memory;
}

void certauth_status_open(server_rec *s)
{
    void *memory = memory_of(s->process, s);

    if (memory == NULL) {
        return;
    }
    certauth_proc->counters = certauth_counters_open(memory,
                                                     certauth_proc->engine);
    if (certauth_proc->counters == NULL) {
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, s, "certauth: nothing is "
                     "counted for certauth-status until Apache is restarted: "
                     "the counters are of another module");
    }
}

static int wants_json(request_rec *r)
{
    apr_table_t *args;
    const char *format;

    ap_args_to_table(r, &args);
    format = apr_table_get(args, "format");
    return format != NULL && strcmp(format, "json") == 0;
}

static int handler(request_rec *r)
{
    int json;
    char *text;

    if (r->handler == NULL || strcmp(r->handler, HANDLER) != 0) {
        return DECLINED;
    }
    r->allowed = AP_METHOD_BIT << M_GET;
    if (r->method_number != M_GET) {
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (certauth_proc->counters == NULL) {
        return HTTP_SERVICE_UNAVAILABLE;
    }
    json = wants_json(r);
    text = json ? certauth_counters_json(certauth_proc->counters, "apache")
                : certauth_counters_text(certauth_proc->counters, "apache");
    if (text == NULL) {
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    ap_set_content_type(r, json ? "application/json" : CERTAUTH_METRICS_TYPE);
    ap_set_content_length(r, (apr_off_t)strlen(text));
    ap_rputs(text, r);
    free(text);
    return OK;
}

/* mod_status calls it in the middle of its page, `flags` say of which form. */
static int section(request_rec *r, int flags)
{
    struct certauth_count count;
    size_t cursor = 0;
    const char *profile, *slug;

    if (certauth_proc->counters == NULL) {
        return DECLINED;
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs("<hr />\n<h2>Client certificates (certauth)</h2>\n"
                 "<table border=\"0\"><tr><th>Profile</th><th>Reason</th>"
                 "<th>Decisions</th></tr>\n", r);
    }
    while (certauth_counters_next(certauth_proc->counters, &cursor, &count)) {
        profile = count.profile[0] != '\0' ? count.profile : "-";
        slug = certauth_reason_slug(count.reason);
        if (flags & AP_STATUS_SHORT) {
            ap_rprintf(r, "CertAuth %s %s: %" APR_UINT64_T_FMT "\n", profile,
                       slug, (apr_uint64_t)count.count);
            continue;
        }
        ap_rprintf(r, "<tr><td>%s</td><td>%s</td><td>%" APR_UINT64_T_FMT
                   "</td></tr>\n", ap_escape_html(r->pool, profile), slug,
                   (apr_uint64_t)count.count);
    }
    if (!(flags & AP_STATUS_SHORT)) {
        ap_rputs("</table>\n", r);
    }
    return OK;
}

void certauth_status_register_hooks(void)
{
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
    /* nobody calls it where mod_status is not loaded */
    APR_OPTIONAL_HOOK(ap, status_hook, section, NULL, NULL, APR_HOOK_MIDDLE);
}
