/*
 * show.c - door 2: what does a published index say?
 *
 * One serial for a person, or the whole of it for `certauth check`. Looks at the
 * folder that was named, whoever owns it; judges no freshness.
 */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/text.h"
#include "certauth_data.h"
#include "input.h"
#include "revocation/crl_status.h"
#include "revocation/index_format.h"
#include "trust/read.h"

static bool
open_index(const char *folder, struct publish_map *map_r,
    struct certauth_error *error_r)
{
	struct file_owners	owners;
	struct file_ref		ref;
	struct file_stamp	stamp;
	struct stat		st;
	enum publish_news	news;

	if (!file_ref_open(&ref, NULL, folder, error_r))
		return false;
	file_owners_init(&owners);
	if (stat(folder, &st) == 0 &&
	    owners.num_uids < sizeof(owners.uids) / sizeof(owners.uids[0]))
		owners.uids[owners.num_uids++] = st.st_uid;
	news = publish_open(&ref, &owners, NULL, &stamp, map_r, error_r);
	if (news == PUBLISH_NONE)
		error_set(error_r, ref.path, 0, "there is no published index; "
		    "run `certauth compile`");
	file_ref_close(&ref);
	return news == PUBLISH_TAKEN;
}

/* "0x3A:01", "-5", odd counts; to the form of struct cert. */
static bool
read_serial(const char *hex, unsigned char serial[CERT_MAX_SERIAL],
    size_t *len_r, bool *negative_r, struct certauth_error *error_r)
{
	unsigned char	buf[CERT_MAX_SERIAL + 8];
	char		even[3 * sizeof(buf) + 2];
	size_t		len = 0, digits = 0, skip = 0, i;

	*negative_r = hex[0] == '-';
	hex += *negative_r;
	if (hex[0] == '0' && (hex[1] == 'x' || hex[1] == 'X'))
		hex += 2;
	for (i = 0; hex[i] != '\0'; i++)
		digits += hex[i] != ':' && hex[i] != ' ';
	if (strlen(hex) + 2 > sizeof(even))
		goto bad;
	even[0] = '0';
	memcpy(even + digits % 2, hex, strlen(hex) + 1);
	if (!text_hex_parse(even, buf, sizeof(buf), &len) || len == 0)
		goto bad;
	while (skip + 1 < len && buf[skip] == 0)
		skip++;
	if (len - skip > CERT_MAX_SERIAL)
		goto bad;
	memcpy(serial, buf + skip, len - skip);
	*len_r = len - skip;
	return true;
bad:
	error_set(error_r, NULL, 0, "the serial is not hexadecimal, or longer "
	    "than %d bytes", CERT_MAX_SERIAL);
	return false;
}

/* Of the certificates that are given the worst answer counts. */
static bool
ask_issuer(const struct revocation_data *data, const struct cert *issuer,
    const unsigned char *serial, size_t serial_len, bool negative,
    struct certauth_show *show, struct certauth_error *error_r)
{
	struct index_entry	entry;

	switch (crl_status_serial(data, issuer, serial, serial_len, negative,
	    &entry)) {
	case CRL_STATUS_BROKEN:
		error_set(error_r, NULL, 0, "the index is damaged; run "
		    "`certauth compile`");
		return false;
	case CRL_STATUS_UNKNOWN:
		return true;
	case CRL_STATUS_GOOD:
	case CRL_STATUS_GRACE:
	case CRL_STATUS_STALE:
	case CRL_STATUS_FUTURE:
		if (show->status == CERTAUTH_NOT_COVERED)
			show->status = CERTAUTH_NOT_LISTED;
		return true;
	case CRL_STATUS_HOLD:
	case CRL_STATUS_REVOKED:
		break;
	}
	if (show->status == CERTAUTH_LISTED && show->reason != CRL_HOLD)
		return true;
	show->status = CERTAUTH_LISTED;
	show->date = entry.date;
	show->reason = entry.reason == CRL_NO_REASON ? -1 : (int)entry.reason;
	return true;
}

bool
certauth_show(const char *folder, const char *issuer_file,
    const char *serial_hex, struct certauth_show *show_r,
    struct certauth_error *error_r)
{
	struct read_result	 certs = { 0 };
	struct publish_map	 map = { 0 };
	struct revocation_data	*lists = NULL;
	struct cert		*issuer;
	unsigned char		*data = NULL, serial[CERT_MAX_SERIAL];
	size_t			 data_len, serial_len;
	bool			 negative, ok = false;
	int			 i;

	memset(show_r, 0, sizeof(*show_r));
	show_r->reason = -1;
	ERR_set_mark();
	if (!read_serial(serial_hex, serial, &serial_len, &negative, error_r) ||
	    !input_read(issuer_file, &data, &data_len, error_r) ||
	    !open_index(folder, &map, error_r))
		goto out;
	lists = load_map_in_force(&map);
	if (lists == NULL || !read_certs(data, data_len, NULL, &certs)) {
		error_set(error_r, issuer_file, 0, "out of memory");
		goto out;
	}
	if (sk_X509_num(certs.certs) <= 0) {
		error_set(error_r, issuer_file, 0, "has no certificate in it");
		goto out;
	}
	ok = true;
	for (i = 0; ok && i < sk_X509_num(certs.certs); i++) {
		issuer = cert_new(sk_X509_value(certs.certs, i));
		if (issuer == NULL) {
			error_set(error_r, issuer_file, 0, "out of memory");
			ok = false;
			break;
		}
		ok = ask_issuer(lists, issuer, serial, serial_len,
		    negative, show_r, error_r);
		cert_free(issuer);
	}
out:
	read_result_free(&certs);
	revocation_free(lists);
	free(data);
	ERR_pop_to_mark();
	return ok;
}

unsigned
certauth_index_version(const char *folder)
{
	struct certauth_error	 error;
	struct publish_entry	 entry;
	struct index_header	 header;
	unsigned char		 manifest[PUBLISH_MAX_MANIFEST];
	ssize_t			 len = -1;
	int			 dir, fd = -1;
	unsigned		 version = 0;

	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return 0;
	fd = openat(dir, PUBLISH_MANIFEST, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd >= 0) {
		len = read(fd, manifest, sizeof(manifest));
		(void)close(fd);
	}
	if (len > 0 && publish_manifest_parse(manifest, (size_t)len, &entry,
	    &error) && (fd = openat(dir, entry.name, O_RDONLY | O_CLOEXEC |
	    O_NOFOLLOW | O_NONBLOCK)) >= 0) {
		if (read(fd, &header, sizeof(header)) ==
		    (ssize_t)sizeof(header) && memcmp(header.magic, INDEX_MAGIC,
		    sizeof(header.magic)) == 0)
			version = header.version;
		(void)close(fd);
	}
	(void)close(dir);
	return version;
}

bool
certauth_index_verify(const char *folder, struct certauth_error *error_r)
{
	struct publish_map	map;
	bool			ok;

	if (!open_index(folder, &map, error_r))
		return false;
	ok = publish_verify(&map, error_r);
	publish_unmap(&map);
	return ok;
}
