/*
 * hsload.c - full TLS handshakes with client certificates, one after another.
 *
 *   hsload [-i] [-x STATUS] -p PORT -n COUNT [-s FIRST] [-l LEAVES.pem -k KEY.pem
 *          -c CA.pem]
 *
 * TLS 1.3, X25519, each connection new, nothing resumed. The i-th connection
 * shows the certificate FIRST + i of LEAVES.pem (round again at the end) with
 * CA.pem behind it; without -l none. Then one request, and its answer is read:
 * in TLS 1.3 a client is done before the server has judged it. -i: IMAP, greeting
 * and LOGOUT. Anything but STATUS (default 200) ends the program.
 * Prints one line a connection: microseconds from connect to answer.
 */

#include "bench.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

static X509	*leaves[65536], *ca;
static size_t	 num_leaves;
static EVP_PKEY	*key;
static int	 wanted = 200;
static bool	 imap;

static int
dial(unsigned port)
{
	struct sockaddr_in	to = { .sin_family = AF_INET,
				    .sin_port = htons((uint16_t)port) };
	struct timeval		limit = { .tv_sec = 60 };
	struct linger		reset = { .l_onoff = 1 };
	int			fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	must(fd >= 0);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	/* no TIME_WAIT: thousands of connections to one port */
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	must(inet_pton(AF_INET, "127.0.0.1", &to.sin_addr) == 1);
	must(connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0);
	return fd;
}

static int
receive(SSL *ssl, char *buf, size_t len)
{
	int	n = SSL_read(ssl, buf, (int)len - 1);

	if (n <= 0)
		ERR_print_errors_fp(stderr);
	must(n > 0);
	buf[n] = '\0';
	return n;
}

static void
talk_http(SSL *ssl)
{
	static const char	request[] = "GET / HTTP/1.1\r\nHost: localhost\r\n"
				    "Connection: close\r\n\r\n";
	char			buf[16384];

	must(SSL_write(ssl, request, sizeof(request) - 1) > 0);
	receive(ssl, buf, sizeof(buf));
	if (atoi(buf + 9) != wanted)
		fprintf(stderr, "%.300s\n", buf);
	must(atoi(buf + 9) == wanted);
}

static void
talk_imap(SSL *ssl)
{
	char	buf[16384];

	receive(ssl, buf, sizeof(buf));
	must(strncmp(buf, "* OK", 4) == 0);
	must(SSL_write(ssl, "a LOGOUT\r\n", 10) == 10);
	receive(ssl, buf, sizeof(buf));
}

static void
one(SSL_CTX *ctx, unsigned port, size_t i)
{
	SSL	*ssl = SSL_new(ctx);
	double	 begin = wall_us();
	int	 fd = dial(port);

	must(ssl != NULL && SSL_set_fd(ssl, fd) == 1);
	if (num_leaves > 0) {
		must(SSL_use_certificate(ssl, leaves[i % num_leaves]) == 1);
		must(SSL_use_PrivateKey(ssl, key) == 1);
		must(ca == NULL || SSL_add1_chain_cert(ssl, ca) == 1);
	}
	if (SSL_connect(ssl) != 1) {
		ERR_print_errors_fp(stderr);
		exit(1);
	}
	if (imap)
		talk_imap(ssl);
	else
		talk_http(ssl);
	printf("%.1f\n", wall_us() - begin);
	SSL_free(ssl);
	close(fd);
}

static void
read_leaves(const char *file)
{
	FILE	*f = fopen(file, "r");

	must(f != NULL);
	while (num_leaves < 65536 && (leaves[num_leaves] =
	    PEM_read_X509(f, NULL, NULL, NULL)) != NULL)
		num_leaves++;
	ERR_clear_error();
	fclose(f);
	must(num_leaves > 0);
}

int
main(int argc, char **argv)
{
	SSL_CTX		*ctx = SSL_CTX_new(TLS_client_method());
	FILE		*f;
	unsigned	 port = 0;
	size_t		 n = 1, first = 0, i;
	int		 c;

	signal(SIGPIPE, SIG_IGN);
	while ((c = getopt(argc, argv, "ix:p:n:s:l:k:c:")) != -1)
		switch (c) {
		case 'i': imap = true; break;
		case 'x': wanted = atoi(optarg); break;
		case 'p': port = (unsigned)atoi(optarg); break;
		case 'n': n = strtoul(optarg, NULL, 10); break;
		case 's': first = strtoul(optarg, NULL, 10); break;
		case 'l': read_leaves(optarg); break;
		case 'k':
			must((f = fopen(optarg, "r")) != NULL);
			key = PEM_read_PrivateKey(f, NULL, NULL, NULL);
			must(key != NULL);
			fclose(f);
			break;
		case 'c':
			must((f = fopen(optarg, "r")) != NULL);
			ca = PEM_read_X509(f, NULL, NULL, NULL);
			must(ca != NULL);
			fclose(f);
			break;
		default: return 2;
		}
	must(ctx != NULL && port != 0);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
	must(SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) == 1);
	must(SSL_CTX_set1_groups_list(ctx, "X25519") == 1);
	for (i = 0; i < n; i++)
		one(ctx, port, first + i);
	SSL_CTX_free(ctx);
	return 0;
}
