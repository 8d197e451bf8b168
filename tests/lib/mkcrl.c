/*
 * mkcrl.c - writes a signed CRL of any length fast (a million entries in under a
 * second): for benchmarks, large tests and the demo.
 *
 *   mkcrl [options] ISSUER.pem KEY.pem COUNT OUT
 *
 *   --number HEX      cRLNumber (default 1000)
 *   --this, --next T  @epoch; default an hour ago, in ten years; --next none
 *   --serial HEX      one more entry, revoked; may be given often
 *   --hold HEX        one more entry, on hold
 *   --reason          a reasonCode in every entry (49 octets instead of 35)
 *   --seed N          other serials; the same N gives the same ones
 *   --print K         prints the first K serials, hex, a line each
 *   --pem
 *
 * Serials have 16 octets and are positive; OUT is replaced by rename.
 */

#include <getopt.h>
#include <time.h>

#include "revocation/make.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define SERIAL_LEN	16

static uint64_t seed[2] = { 0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u };

static uint64_t
random64(void)
{
	uint64_t	a = seed[0], b = seed[1];

	seed[0] = b;
	a ^= a << 23;
	seed[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return seed[1] + b;
}

static void
utc(char out[16], int64_t seconds)
{
	time_t		t = (time_t)seconds;
	struct tm	tm;

	/* UTCTime ends with 2049 (RFC 5280 4.1.2.5) */
	must(gmtime_r(&t, &tm) != NULL && tm.tm_year >= 50 && tm.tm_year < 150);
	snprintf(out, 16, "%02u%02u%02u%02u%02u%02uZ",
	    (unsigned)tm.tm_year % 100, (unsigned)tm.tm_mon % 12 + 1,
	    (unsigned)tm.tm_mday % 32, (unsigned)tm.tm_hour % 24,
	    (unsigned)tm.tm_min % 60, (unsigned)tm.tm_sec % 60);
}

/* COUNT random entries and the extra ones. */
static void
add_entries(struct buf *out, size_t count, bool reason, size_t print,
    const struct buf *extra)
{
	static const unsigned char code[14] = {
		0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04,
		0x03, 0x0a, 0x01, 0x01
	};
	size_t		len = 35 + (reason ? sizeof(code) : 0), i, j;
	unsigned char	*p;
	char		date[32];

	out->size = count * len + extra->len + 1;
	out->data = malloc(out->size);
	must(out->data != NULL);
	for (i = 0, p = out->data; i < count; i++, p += len) {
		uint64_t a = random64(), b = random64();

		memcpy(p, "\x30\x00\x02\x10", 4);
		p[1] = (unsigned char)(len - 2);
		memcpy(p + 4, &a, 8);
		memcpy(p + 12, &b, 8);
		p[4] = (unsigned char)(0x40 | (p[4] & 0x3f));
		snprintf(date, sizeof(date), "25%02u%02u%02u%02u00Z",
		    (unsigned)(1 + i % 12), (unsigned)(1 + i % 28),
		    (unsigned)(i % 24), (unsigned)(i % 60));
		p[20] = 0x17;
		p[21] = 13;
		memcpy(p + 22, date, 13);
		if (reason)
			memcpy(p + 35, code, sizeof(code));
		for (j = 0; i < print && j < SERIAL_LEN; j++)
			printf("%02X%s", p[4 + j], j == SERIAL_LEN - 1 ? "\n" : "");
	}
	memcpy(p, extra->data != NULL ? extra->data :
	    (const unsigned char *)"", extra->len);
	out->len = count * len + extra->len;
}

static unsigned
nibble(char c)
{
	static const char	 hex[] = "0123456789abcdef";
	const char		*at = strchr(hex, c >= 'A' ? c | 0x20 : c);

	must(c != '\0' && at != NULL);
	return (unsigned)(at - hex);
}

static void
add_extra(struct buf *extra, const char *hex, int reason)
{
	unsigned char	serial[24] = { 0 };
	size_t		n = strlen(hex), i, at;
	char		date[16];

	must(n > 0 && n <= 40);
	for (i = 0; i < n; i++) {
		at = n % 2 + i;
		serial[1 + at / 2] |= (unsigned char)(nibble(hex[i]) <<
		    (at % 2 == 0 ? 4 : 0));
	}
	/* minimal: no zero in front but the one that a top bit needs */
	n = (n + 1) / 2;
	for (i = 1; i < n && serial[i] == 0; i++)
		;
	if ((serial[i] & 0x80) != 0)
		i--;
	utc(date, (int64_t)time(NULL) - 7200);
	buf_entry(extra, serial + i, n + 1 - i, date, reason);
}

static size_t
header(unsigned char out[6], unsigned tag, size_t len)
{
	size_t	n, i;

	out[0] = (unsigned char)tag;
	if (len < 0x80) {
		out[1] = (unsigned char)len;
		return 2;
	}
	for (n = 1; n < 4 && len >> (8 * n) != 0; n++)
		;
	out[1] = (unsigned char)(0x80 | n);
	for (i = 0; i < n; i++)
		out[2 + i] = (unsigned char)(len >> (8 * (n - 1 - i)));
	return 2 + n;
}

/* Signs and writes in pieces: one copy of the entries is enough. */
static void
write_crl(BIO *bio, EVP_PKEY *key, const struct buf *pre,
    const struct buf *entries, const struct buf *post)
{
	EVP_MD_CTX	*ctx = EVP_MD_CTX_new();
	unsigned char	 list[6], tbs[6], outer[6], sig[2049] = { 0 };
	size_t		 list_len = 0, tbs_len, len, sig_len = sizeof(sig) - 1;
	struct buf	 tail = { 0 };

	if (entries->len > 0)
		list_len = header(list, 0x30, entries->len);
	len = pre->len + list_len + entries->len + post->len;
	tbs_len = header(tbs, 0x30, len);
	must(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1);
	must(EVP_DigestSignUpdate(ctx, tbs, tbs_len) == 1);
	must(EVP_DigestSignUpdate(ctx, pre->data, pre->len) == 1);
	must(EVP_DigestSignUpdate(ctx, list, list_len) == 1);
	must(EVP_DigestSignUpdate(ctx, entries->data, entries->len) == 1);
	must(EVP_DigestSignUpdate(ctx, post->data, post->len) == 1);
	must(EVP_DigestSignFinal(ctx, sig + 1, &sig_len) == 1);
	EVP_MD_CTX_free(ctx);
	add_algorithm(&tail, key, EVP_sha256());
	buf_tlv(&tail, 0x03, sig, sig_len + 1);
	must(BIO_write(bio, outer, (int)header(outer, 0x30,
	    tbs_len + len + tail.len)) > 0);
	must(BIO_write(bio, tbs, (int)tbs_len) > 0);
	must(BIO_write(bio, pre->data, (int)pre->len) > 0);
	if (entries->len > 0) {
		must(BIO_write(bio, list, (int)list_len) > 0);
		must(BIO_write(bio, entries->data, (int)entries->len) > 0);
	}
	must(BIO_write(bio, post->data, (int)post->len) > 0);
	must(BIO_write(bio, tail.data, (int)tail.len) > 0);
	must(BIO_flush(bio) == 1);
	buf_free(&tail);
}

static void
build_pre(struct buf *pre, X509 *ca, EVP_PKEY *key, int64_t from, int64_t to)
{
	unsigned char	*name = NULL;
	char		 date[16];
	int		 len;

	buf_integer(pre, 1);
	add_algorithm(pre, key, EVP_sha256());
	len = i2d_X509_NAME(X509_get_subject_name(ca), &name);
	must(len > 0);
	buf_add(pre, name, (size_t)len);
	OPENSSL_free(name);
	utc(date, from);
	buf_tlv(pre, 0x17, date, 13);
	if (to == 0)
		return;
	utc(date, to);
	buf_tlv(pre, 0x17, date, 13);
}

static void
build_post(struct buf *post, X509 *ca, const char *number)
{
	const ASN1_OCTET_STRING	*ski = X509_get0_subject_key_id(ca);
	struct buf		 value = { 0 };

	if (ski != NULL) {
		buf_tlv(&value, 0x80, ASN1_STRING_get0_data(ski),
		    (size_t)ASN1_STRING_length(ski));
		buf_wrap(&value, 0x30);
		buf_extension(post, 35, false, value.data, value.len);
		buf_free(&value);
	}
	add_hex_integer(&value, number);
	buf_extension(post, 20, false, value.data, value.len);
	buf_free(&value);
	buf_wrap(post, 0x30);
	buf_wrap(post, 0xa0);
}

static int64_t
read_time(const char *text)
{
	must(text[0] == '@');
	return strtoll(text + 1, NULL, 10);
}

static void
read_issuer(const char *cert, const char *key_file, X509 **ca_r, EVP_PKEY **key_r)
{
	FILE	*f = fopen(cert, "r");

	must(f != NULL && (*ca_r = PEM_read_X509(f, NULL, NULL, NULL)) != NULL);
	fclose(f);
	f = fopen(key_file, "r");
	must(f != NULL &&
	    (*key_r = PEM_read_PrivateKey(f, NULL, NULL, NULL)) != NULL);
	fclose(f);
}

static void
to_pem(const char *file)
{
	unsigned char	*data;
	struct buf	 der = { 0 }, pem = { 0 };
	FILE		*f = fopen(file, "rb");
	long		 len;

	must(f != NULL && fseek(f, 0, SEEK_END) == 0 && (len = ftell(f)) > 0);
	rewind(f);
	data = malloc((size_t)len);
	must(data != NULL && fread(data, 1, (size_t)len, f) == (size_t)len);
	fclose(f);
	der.data = data;
	der.len = (size_t)len;
	buf_pem(&pem, &der, "X509 CRL");
	f = fopen(file, "wb");
	must(f != NULL && fwrite(pem.data, 1, pem.len, f) == pem.len);
	must(fclose(f) == 0);
	buf_free(&der);
	buf_free(&pem);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "number", required_argument, NULL, 'n' },
		{ "this", required_argument, NULL, 't' },
		{ "next", required_argument, NULL, 'x' },
		{ "serial", required_argument, NULL, 's' },
		{ "hold", required_argument, NULL, 'h' },
		{ "reason", no_argument, NULL, 'r' },
		{ "seed", required_argument, NULL, 'e' },
		{ "print", required_argument, NULL, 'p' },
		{ "pem", no_argument, NULL, 'm' },
		{ NULL, 0, NULL, 0 }
	};
	struct buf	 extra = { 0 }, entries = { 0 }, pre = { 0 }, post = { 0 };
	const char	*number = "1000";
	int64_t		 from = (int64_t)time(NULL) - 3600;
	int64_t		 to = from + (int64_t)3650 * DAY;
	bool		 reason = false, pem = false;
	size_t		 print = 0;
	char		 part[4096];
	X509		*ca;
	EVP_PKEY	*key;
	BIO		*bio;
	int		 c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1)
		switch (c) {
		case 'n': number = optarg; break;
		case 't': from = read_time(optarg); break;
		case 'x': to = strcmp(optarg, "none") == 0 ? 0 :
			    read_time(optarg); break;
		case 's': add_extra(&extra, optarg, -1); break;
		case 'h': add_extra(&extra, optarg, 6); break;
		case 'r': reason = true; break;
		case 'e': seed[0] ^= strtoull(optarg, NULL, 0) *
			    0xff51afd7ed558ccdu; break;
		case 'p': print = strtoull(optarg, NULL, 0); break;
		case 'm': pem = true; break;
		default: return 2;
		}
	if (argc - optind != 4) {
		fprintf(stderr, "mkcrl [options] ISSUER.pem KEY.pem COUNT OUT\n");
		return 2;
	}
	argv += optind;
	read_issuer(argv[0], argv[1], &ca, &key);
	add_entries(&entries, strtoull(argv[2], NULL, 0), reason, print, &extra);
	build_pre(&pre, ca, key, from, to);
	build_post(&post, ca, number);
	snprintf(part, sizeof(part), "%s.part", argv[3]);
	bio = BIO_new_file(part, "wb");
	must(bio != NULL);
	write_crl(bio, key, &pre, &entries, &post);
	BIO_free(bio);
	if (pem)
		to_pem(part);
	must(rename(part, argv[3]) == 0);
	buf_free(&extra);
	buf_free(&entries);
	buf_free(&pre);
	buf_free(&post);
	X509_free(ca);
	EVP_PKEY_free(key);
	return 0;
}
