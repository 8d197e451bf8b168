/*
 * table_file.c - the same table as a file that all processes map.
 *
 * Head, rows, times, both indexes, data; little-endian as it lies in memory.
 * Written beside the old one and renamed, never changed. A reader holds every
 * number to its bounds; the digest of all is for `certauth check`.
 */

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "base/text.h"
#include "identity/table_inside.h"

#define TABLE_ORDER		UINT32_C(0x01020304)
#define TABLE_NUM_PARTS		5
#define TABLE_MAX_FILE		((size_t)2 * 1024 * 1024 * 1024)

struct table_head {
	char		magic[TABLE_MAGIC_LEN];
	uint32_t	order, row_size;
	uint64_t	size, key_seed, user_seed, data_len;
	uint32_t	num_rows, num_times, key_slots, user_slots;
	unsigned char	sha256[32];	/* of the rest of the file */
	unsigned char	head_sha256[32];	/* of what stands before */
};
_Static_assert(sizeof(struct table_head) % 8 == 0, "parts are aligned");
_Static_assert(sizeof(struct table_row) % 4 == 0, "so are rows");

struct part { const void *data; size_t len; };

static size_t
aligned(size_t n)
{
	return (n + 7) & ~(size_t)7;
}

static bool
sha256(const void *data, size_t len, unsigned char *digest_r)
{
	return EVP_Digest(data, len, digest_r, NULL, EVP_sha256(), NULL) == 1;
}

/* ----------------------------------------------------------------- reading */

static bool
slots_ok(uint32_t slots)
{
	return slots >= 8 && (slots & (slots - 1)) == 0 &&
	    slots <= UINT32_C(1) << 30;
}

/* Where the parts begin, by the numbers of the head; the last is the end. */
static bool
lay_out(const struct table_head *head, size_t at_r[TABLE_NUM_PARTS + 1])
{
	const size_t	lens[TABLE_NUM_PARTS] = {
		head->num_rows * sizeof(struct table_row),
		head->num_times * sizeof(struct table_span),
		head->key_slots * sizeof(struct keyindex_slot),
		head->user_slots * sizeof(struct keyindex_slot),
		(size_t)head->data_len,
	};
	size_t		i, at = sizeof(*head);

	if (head->num_rows > TABLE_MAX_BYTES ||
	    head->num_times > head->num_rows || head->data_len == 0 ||
	    head->data_len > UINT32_MAX)
		return false;
	for (i = 0; i < TABLE_NUM_PARTS; i++) {
		at_r[i] = at;
		at = aligned(at + lens[i]);
	}
	at_r[i] = at;
	return at == head->size;
}

static bool
head_ok(const struct table_head *head, size_t size)
{
	unsigned char	digest[32];

	return memcmp(head->magic, TABLE_MAGIC, TABLE_MAGIC_LEN) == 0 &&
	    head->order == TABLE_ORDER &&
	    head->row_size == sizeof(struct table_row) && head->size == size &&
	    slots_ok(head->key_slots) && slots_ok(head->user_slots) &&
	    sha256(head, offsetof(struct table_head, head_sha256), digest) &&
	    memcmp(digest, head->head_sha256, sizeof(digest)) == 0;
}

struct table *
table_map(int fd, size_t size, const char *path, struct certauth_error *error_r)
{
	const struct table_head	*head;
	struct table		*table = NULL;
	size_t			 at[TABLE_NUM_PARTS + 1];
	char			*map = MAP_FAILED;
	int			 error;

	errno = EINVAL;
	if (size >= sizeof(*head) && size <= TABLE_MAX_FILE)
		map = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	error = errno;
	close(fd);
	if (map == MAP_FAILED && file_look_again(error)) {
		error_set(error_r, path, 0, "cannot be mapped: %s",
		    strerror(error));
		errno = error;
		return NULL;
	}
	head = (const struct table_head *)(const void *)map;
	if (map == MAP_FAILED || !head_ok(head, size) || !lay_out(head, at) ||
	    map[at[4]] != '\0') {
		error_set(error_r, path, 0, "is a compiled table that is damaged "
		    "or of another version; build it again with certauth table "
		    "build");
		if (map != MAP_FAILED)
			(void)munmap(map, size);
		errno = EINVAL;
		return NULL;
	}
	table = calloc(1, sizeof(*table));
	if (table == NULL) {
		error_set(error_r, path, 0, "out of memory");
		(void)munmap(map, size);
		errno = ENOMEM;
		return NULL;
	}
	atomic_init(&table->refs, 1);
	table->map = map;
	table->map_len = size;
	table->rows = (struct table_row *)(void *)(map + at[0]);
	table->num_rows = head->num_rows;
	table->times = (struct table_span *)(void *)(map + at[1]);
	table->num_times = head->num_times;
	table->keys.slots = (struct keyindex_slot *)(void *)(map + at[2]);
	table->keys.mask = head->key_slots - 1;
	table->users.slots = (struct keyindex_slot *)(void *)(map + at[3]);
	table->users.mask = head->user_slots - 1;
	table->keys.seed = head->key_seed;
	table->users.seed = head->user_seed;
	table->data = map + at[4];
	table->data_len = (size_t)head->data_len;
	return table;
}

bool
table_is_compiled(const struct table *table)
{
	return table->map != NULL;
}

bool
table_is_sound(const struct table *table, struct certauth_error *error_r)
{
	const struct table_head	*head = table->map;
	unsigned char		 digest[32];
	uint32_t		 n;

	if (head == NULL)
		return true;
	if (!sha256((const char *)table->map + sizeof(*head),
	    table->map_len - sizeof(*head), digest) ||
	    memcmp(digest, head->sha256, sizeof(digest)) != 0) {
		error_set(error_r, NULL, 0, "the compiled table is damaged: its "
		    "digest is another");
		return false;
	}
	for (n = 0; n < table->num_rows; n++)
		if (table_row_at(table, n) == NULL) {
			error_set(error_r, NULL, 0, "the compiled table is "
			    "damaged: row %u", n);
			return false;
		}
	return true;
}

/* ----------------------------------------------------------------- writing */

static void
parts_of(const struct table *table, struct part parts_r[TABLE_NUM_PARTS])
{
	const struct part	parts[TABLE_NUM_PARTS] = {
		{ table->rows, table->num_rows * sizeof(*table->rows) },
		{ table->times, table->num_times * sizeof(*table->times) },
		{ table->keys.slots, ((size_t)table->keys.mask + 1) *
		    sizeof(*table->keys.slots) },
		{ table->users.slots, ((size_t)table->users.mask + 1) *
		    sizeof(*table->users.slots) },
		{ table->data, table->data_len },
	};

	memcpy(parts_r, parts, sizeof(parts));
}

/* Numbers and digests. */
static bool
make_head(const struct table *table, const struct part *parts,
    struct table_head *head)
{
	static const char	zeros[8];
	EVP_MD_CTX		*ctx = EVP_MD_CTX_new();
	size_t			 i, at = sizeof(*head);
	bool			 ok;

	memset(head, 0, sizeof(*head));
	memcpy(head->magic, TABLE_MAGIC, TABLE_MAGIC_LEN);
	head->order = TABLE_ORDER;
	head->row_size = sizeof(struct table_row);
	head->key_seed = table->keys.seed;
	head->user_seed = table->users.seed;
	head->data_len = table->data_len;
	head->num_rows = (uint32_t)table->num_rows;
	head->num_times = (uint32_t)table->num_times;
	head->key_slots = table->keys.mask + 1;
	head->user_slots = table->users.mask + 1;
	ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
	for (i = 0; ok && i < TABLE_NUM_PARTS; i++) {
		at += parts[i].len;
		ok = (parts[i].len == 0 || EVP_DigestUpdate(ctx, parts[i].data,
		    parts[i].len) == 1) && EVP_DigestUpdate(ctx, zeros,
		    aligned(at) - at) == 1;
		at = aligned(at);
	}
	head->size = at;
	ok = ok && at <= TABLE_MAX_FILE &&
	    EVP_DigestFinal_ex(ctx, head->sha256, NULL) == 1 &&
	    sha256(head, offsetof(struct table_head, head_sha256),
	    head->head_sha256);
	EVP_MD_CTX_free(ctx);
	return ok;
}

static bool
write_parts(int fd, const struct table *table)
{
	static const char	zeros[8];
	struct table_head	head;
	struct part		parts[TABLE_NUM_PARTS];
	size_t			i, at = sizeof(head);

	parts_of(table, parts);
	errno = EFBIG;
	if (!make_head(table, parts, &head) ||
	    !file_write_all(fd, &head, sizeof(head)))
		return false;
	for (i = 0; i < TABLE_NUM_PARTS; i++) {
		at += parts[i].len;
		if (!file_write_all(fd, parts[i].data, parts[i].len) ||
		    !file_write_all(fd, zeros, aligned(at) - at))
			return false;
		at = aligned(at);
	}
	return true;
}

/* Who may read the new one: as with the old, or with what it is made of. */
static bool
set_owner(int fd, int dirfd, const char *name, int like)
{
	struct stat	st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) != 0 ||
	    !S_ISREG(st.st_mode)) {
		if (like < 0)
			return fchmod(fd, 0640) == 0;
		if (fstat(like, &st) != 0)
			return false;
	}
	return (geteuid() != 0 || fchown(fd, st.st_uid, st.st_gid) == 0) &&
	    fchmod(fd, st.st_mode & 0644) == 0;
}

bool
table_write(const struct table *table, const char *path, int like,
    struct certauth_error *error_r)
{
	struct file_part	part = { .open = false };
	struct file_ref		ref;
	int			dirfd;
	bool			ok;

	if (!file_ref_open(&ref, NULL, path, error_r))
		return false;
	dirfd = openat(ref.folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = dirfd >= 0 && file_part_make(&part, dirfd, ref.name) &&
	    set_owner(part.fd, dirfd, ref.name, like) &&
	    write_parts(part.fd, table) && file_part_seal(&part) &&
	    file_part_place(&part);
	if (!ok)
		error_set(error_r, ref.path, 0, part.placed ?
		    "was written, but may not outlive a power cut: %s" :
		    "cannot be written: %s; what was there stays",
		    strerror(errno));
	file_part_drop(&part);
	if (dirfd >= 0)
		close(dirfd);
	file_ref_close(&ref);
	return ok;
}
