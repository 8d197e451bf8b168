/*
 * mod_ssl_hooks.h - our own declaration of two hooks of mod_ssl.
 *
 * Why: the SSL_CTX of a virtual host and the SSL of a connection are handed out
 * only by the hooks init_server and pre_handshake. They are in every mod_ssl.so
 * of 2.4, and upstream declares them in mod_ssl_openssl.h, but Debian's
 * apache2-dev does not ship that header, and mod_ssl.so exports no symbol but
 * ssl_module, so the external-hook call ssl_hook_init_server() cannot be
 * linked. An optional hook needs only the type of the function, by this name.
 * Loaded before, after or without mod_ssl it does no harm.
 *
 * Nothing else may be added here.
 */
#ifndef MOD_SSL_HOOKS_H
#define MOD_SSL_HOOKS_H

#include <httpd.h>
#include <apr_optional_hooks.h>
#include <openssl/ssl.h>

/* Once per virtual host with SSLEngine (is_proxy 0), and once more where
 * SSLProxyEngine is on (is_proxy 1); from mod_ssl's own post_config, so twice
 * per start-up, because httpd reads its configuration twice. */
typedef int ssl_HOOK_init_server_t(server_rec *s, apr_pool_t *p, int is_proxy,
                                   SSL_CTX *ctx);

/* Once per connection, after SSL_new() and before the handshake. */
typedef int ssl_HOOK_pre_handshake_t(conn_rec *c, SSL *ssl, int is_proxy);

#endif
