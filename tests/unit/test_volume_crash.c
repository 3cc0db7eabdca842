/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/volume/absent.c dom0-tools/volume/cache.c dom0-tools/volume/checksum.c dom0-tools/volume/disk.c dom0-tools/volume/extents.c dom0-tools/volume/file.c dom0-tools/volume/inodes.c dom0-tools/volume/journal.c dom0-tools/volume/make.c dom0-tools/volume/recover.c dom0-tools/volume/transaction.c dom0-tools/volume/volume.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include $(ext2fs-includes)
// libs: $(BUILD)/ext2fs/host/libext2fs.a
/*
 * Power cuts. All that a volume writes and flushes is recorded, by sectors; then the disk is made as a cut at some write
 * would have left it: everything before the last flush is there, and of what came after any part (what is lost of two writes
 * to a place may be the later one). Whatever is cut,
 *  - what was synced before, and not changed after, is there to the byte;
 *  - the volume mounts, without a word, and e2fsck finds nothing afterwards;
 *  - e2fsck alone, replaying the journal as Linux does, finds nothing either. This is asked only when parts are blocks of 4 KiB:
 *    of half a superblock e2fsck, and Linux, can make nothing.
 */
#include "unit.h"
#include "volume_host.h"
#include "volume/internal.h"

#define SIZE	   (16ul << 20)
#define FILES	   8
#define FILE_SIZE  200000
#define OPERATIONS 60
#define CUTS	   30

static struct volume *volume;
static char problem[VOLUME_PROBLEM];
static uint64_t seed;

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(seed >> 33) % limit;
}

/* What a file should hold: a size, or -1 for none, and the text that its number, offset and version make. */
struct version {
	long size;
	unsigned char data[FILE_SIZE];
};
static struct version now[FILES];
static bool changed[FILES]; /* since the sync */

/* The last syncs: how many writes were done, and what was there then and not changed up to some write. */
struct sync {
	unsigned int write;
	struct version files[FILES];
	unsigned int changed_at[FILES]; /* before which write; UINT_MAX: it was not */
	/* If that was its removal: the write before which the name was used anew. Until then it is whole or not there. */
	unsigned int removed_until[FILES];
};
static struct sync *syncs;
static unsigned int sync_count;

static void note_change(unsigned int n, bool removed)
{
	struct sync *sync = &syncs[sync_count - 1];

	if (!changed[n]) {
		sync->changed_at[n] = host_disk.write_count;
		sync->removed_until[n] = removed ? UINT32_MAX : 0;
	} else if (sync->removed_until[n] > host_disk.write_count) {
		sync->removed_until[n] = host_disk.write_count;
	}
	changed[n] = true;
}

static void note_sync(void)
{
	struct sync *sync = &syncs[sync_count++];

	sync->write = host_disk.write_count;
	memcpy(sync->files, now, sizeof(now));
	for (unsigned int n = 0; n < FILES; n++) {
		sync->changed_at[n] = UINT32_MAX;
		changed[n] = false;
	}
}

static void path_of(unsigned int n, char path[32])
{
	snprintf(path, 32, n % 2 ? "folder/file%u" : "file%u", n);
}

static void write_file(unsigned int n)
{
	static unsigned char data[FILE_SIZE];
	uint32_t offset = random_below(FILE_SIZE - 1), size = 1 + random_below(FILE_SIZE - offset);
	struct volume_file *file;
	char path[32];

	if (random_below(2))
		size = 1 + size % 9000;
	if (offset + size > FILE_SIZE)
		size = FILE_SIZE - offset;
	for (uint32_t i = 0; i < size; i++)
		data[i] = (unsigned char)(seed >> 40 ^ i * 7 ^ i >> 8);
	path_of(n, path);
	assert_int_equal(volume_open(volume, path, VOLUME_CREATE | VOLUME_WRITE, &file), 0);
	if (now[n].size < 0) {
		now[n].size = 0;
		memset(now[n].data, 0, FILE_SIZE);
	}
	assert_int_equal(volume_write(file, offset, data, size), 0);
	volume_close(file);
	memcpy(now[n].data + offset, data, size);
	if ((long)(offset + size) > now[n].size)
		now[n].size = offset + size;
}

static void resize_file(unsigned int n)
{
	uint32_t size = random_below(FILE_SIZE);
	struct volume_file *file;
	char path[32];

	path_of(n, path);
	assert_int_equal(volume_open(volume, path, VOLUME_WRITE, &file), 0);
	assert_int_equal(volume_resize(file, size), 0);
	if (random_below(2))
		assert_int_equal(volume_allocate(file, 0, size, NULL, NULL), 0);
	volume_close(file);
	if (size < now[n].size)
		memset(now[n].data + size, 0, FILE_SIZE - size);
	now[n].size = size;
}

/* Blocks in the middle become a hole. */
static void punch_file(unsigned int n)
{
	uint64_t blocks = FILE_SIZE / 4096, start = random_below((uint32_t)blocks), first = start,
		 end = start + 1 + random_below((uint32_t)(blocks - start));
	struct volume_file *file;
	char path[32];

	path_of(n, path);
	assert_int_equal(volume_open(volume, path, VOLUME_WRITE, &file), 0);
	mutex_lock(&volume->lock);
	while (first < end)
		assert_int_equal(file_punch(file, &first, end), 0);
	mutex_unlock(&volume->lock);
	volume_close(file);
	memset(now[n].data + start * 4096, 0, (end - start) * 4096);
}

static void operate(void)
{
	unsigned int n = random_below(FILES), m;
	char path[32], other[32];

	path_of(n, path);
	switch (random_below(12)) {
	case 0:
		if (now[n].size < 0)
			return;
		note_change(n, true);
		assert_int_equal(volume_remove(volume, path), 0);
		now[n].size = -1;
		memset(now[n].data, 0, FILE_SIZE);
		return;
	case 1:
		m = random_below(FILES);
		if (now[n].size < 0 || n == m)
			return;
		note_change(n, false);
		note_change(m, false);
		path_of(m, other);
		assert_int_equal(volume_rename(volume, path, other), 0);
		now[m] = now[n];
		now[n].size = -1;
		memset(now[n].data, 0, FILE_SIZE);
		return;
	case 2:
		if (now[n].size < 0)
			return;
		note_change(n, false);
		resize_file(n);
		return;
	case 3:
		assert_int_equal(volume_sync(volume), 0);
		note_sync();
		return;
	case 4:
		volume_tick(volume);
		return;
	case 5:
	case 6:
		if (now[n].size < 0)
			return;
		note_change(n, false);
		punch_file(n);
		return;
	default:
		note_change(n, false);
		write_file(n);
	}
}

static void check_file(unsigned int n, const struct version *version)
{
	static unsigned char data[FILE_SIZE];
	struct volume_status status;
	struct volume_file *file;
	char path[32];

	path_of(n, path);
	if (version->size < 0) {
		assert_int_equal(volume_find(volume, path, &status), -ENOENT);
		return;
	}
	assert_int_equal(volume_open(volume, path, 0, &file), 0);
	assert_int_equal(volume_read(file, 0, data, FILE_SIZE), version->size);
	assert_memory_equal(data, version->data, (size_t)version->size);
	volume_close(file);
}

static void check_removed(unsigned int n, const struct version *version)
{
	struct volume_status status;
	char path[32];

	path_of(n, path);
	if (volume_find(volume, path, &status) != -ENOENT)
		check_file(n, version);
}

/* What was synced before the last write that the disk got. */
static void check_synced(unsigned int cut)
{
	for (unsigned int s = sync_count; s--;) {
		if (syncs[s].write >= cut)
			continue;
		for (unsigned int n = 0; n < FILES; n++)
			if (syncs[s].changed_at[n] >= cut)
				check_file(n, &syncs[s].files[n]);
			else if (syncs[s].removed_until[n] >= cut)
				check_removed(n, &syncs[s].files[n]);
		return;
	}
}

static void check_cut(const unsigned char *before, unsigned int cut, bool whole)
{
	struct fake_disk disk;
	long error;

	/* The moment is between blocks then. */
	while (whole && cut < host_disk.write_count && host_disk.writes[cut].sector % 8)
		cut++;
	fake_disk_open(&disk, SIZE);
	fake_disk_cut(&disk, before, &host_disk, cut, whole, random_below);
	if (whole) {
		fake_disk_save(&disk, host_path("image"));
		assert_int_equal(host_run("(e2fsck -E journal_only -y @ || test $? -eq 1)"), 0);
		assert_int_equal(host_run("e2fsck -fn @"), 0);
	}
	error = volume_mount(&disk.device, false, &volume, problem);
	if (error || problem[0])
		print_message("cut before write %u of %u: mount: %ld %s\n", cut,
			      host_disk.write_count, error, problem);
	assert_int_equal(error, 0);
	assert_string_equal(problem, "");
	check_synced(cut);
	assert_int_equal(volume_unmount(volume), 0);
	fake_disk_save(&disk, host_path("image"));
	assert_int_equal(host_run("e2fsck -fn @"), 0);
	fake_disk_close(&disk);
}

static void cut_power(void)
{
	unsigned char *before = malloc(SIZE);

	fake_disk_open(&host_disk, SIZE);
	assert_int_equal(volume_format(&host_disk.device, "cerne", problem), 0);
	memcpy(before, host_disk.data, SIZE);
	for (unsigned int n = 0; n < FILES; n++) {
		now[n].size = -1;
		changed[n] = false;
	}
	sync_count = 0;
	host_disk.recording = true;
	assert_int_equal(volume_mount(&host_disk.device, false, &volume, problem), 0);
	assert_int_equal(volume_mkdir(volume, "folder"), 0);
	assert_int_equal(volume_sync(volume), 0);
	note_sync();
	for (unsigned int i = 0; i < OPERATIONS; i++)
		operate();
	assert_int_equal(volume_unmount(volume), 0);
	for (unsigned int i = 0; i < CUTS; i++)
		check_cut(before, fake_disk_moment(&host_disk, random_below), i % 2);
	fake_disk_close(&host_disk);
	free(before);
}

static void test_power_cuts(void **state)
{
	const char *factor = getenv("UNIT_ROUNDS");
	unsigned int rounds = 2 * (factor ? (unsigned int)atoi(factor) : 1);

	syncs = calloc(OPERATIONS + 1, sizeof(*syncs));
	for (unsigned int i = 0; i < rounds; i++) {
		seed = i + 1;
		print_message("seed %u\n", i + 1);
		cut_power();
	}
	free(syncs);
}

/* ---- what random cuts seldom meet ---- */

static unsigned char *begin_recording(void)
{
	unsigned char *before = malloc(SIZE);

	fake_disk_open(&host_disk, SIZE);
	assert_int_equal(volume_format(&host_disk.device, "cerne", problem), 0);
	memcpy(before, host_disk.data, SIZE);
	host_disk.recording = true;
	assert_int_equal(volume_mount(&host_disk.device, false, &volume, problem), 0);
	return before;
}

/* The power goes now, and all that was written is there. */
static void mount_after_cut(void)
{
	static struct fake_disk disk;
	struct volume *gone = volume;

	fake_disk_open(&disk, SIZE);
	memcpy(disk.data, host_disk.data, SIZE);
	assert_int_equal(volume_mount(&disk.device, false, &volume, problem), 0);
	assert_string_equal(problem, "");
	assert_int_equal(volume_unmount(gone), 0);
	fake_disk_close(&host_disk);
	host_disk = disk;
	host_disk.device.driver = &host_disk;
}

static void write_bytes(const char *path, uint64_t offset, size_t size, int byte)
{
	unsigned char *data = malloc(size);
	struct volume_file *file;

	memset(data, byte, size);
	assert_int_equal(volume_open(volume, path, VOLUME_CREATE | VOLUME_WRITE, &file), 0);
	assert_int_equal(volume_write(file, offset, data, size), 0);
	volume_close(file);
	free(data);
}

static void check_bytes(const char *path, uint64_t offset, size_t size, int byte)
{
	unsigned char *data = malloc(2 * size);
	struct volume_file *file;

	memset(data + size, byte, size);
	assert_int_equal(volume_open(volume, path, 0, &file), 0);
	assert_int_equal(volume_read(file, offset, data, size), size);
	assert_memory_equal(data, data + size, size);
	volume_close(file);
	free(data);
}

/* A file is removed, its blocks are used at once, and the power goes before the removal counts: the file is whole. */
static void test_blocks_are_held_back(void **state)
{
	unsigned char *before = begin_recording();

	write_bytes("old", 0, 9 << 20, 1);
	assert_int_equal(volume_sync(volume), 0);
	assert_int_equal(volume_remove(volume, "old"), 0);
	write_bytes("new", 0, 9 << 20, 2);
	for (unsigned int cut = 1; cut <= host_disk.write_count;
	     cut += host_disk.write_count / 12) {
		struct volume_status status;
		struct volume *kept = volume;
		struct fake_disk disk;

		fake_disk_open(&disk, SIZE);
		seed = cut;
		fake_disk_cut(&disk, before, &host_disk, cut, true, random_below);
		assert_int_equal(volume_mount(&disk.device, false, &volume, problem), 0);
		if (!volume_find(volume, "old", &status) && status.size == 9 << 20 &&
		    cut > host_disk.write_count / 2)
			check_bytes("old", 0, 9 << 20, 1);
		assert_int_equal(volume_unmount(volume), 0);
		fake_disk_close(&disk);
		volume = kept;
	}
	assert_int_equal(volume_unmount(volume), 0);
	fake_disk_close(&host_disk);
	free(before);
}

/* A block of metadata becomes one of data: what the log has of it must not come back. */
static void test_log_has_no_old_metadata(void **state)
{
	unsigned char *before = begin_recording();

	for (unsigned int i = 0; i < 40; i++)
		write_bytes("scattered", i * 2ul << 16, 4096, 1);
	assert_int_equal(volume_sync(volume), 0);
	assert_int_equal(volume_remove(volume, "scattered"), 0);
	assert_int_equal(volume_sync(volume), 0);
	write_bytes("full", 0, 10 << 20, 2);
	assert_int_equal(volume_sync(volume), 0);
	mount_after_cut();
	check_bytes("full", 0, 10 << 20, 2);
	assert_int_equal(volume_unmount(volume), 0);
	fake_disk_close(&host_disk);
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_blocks_are_held_back),
	    cmocka_unit_test(test_log_has_no_old_metadata),
	    cmocka_unit_test(test_power_cuts),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_clean();
	return failed;
}
