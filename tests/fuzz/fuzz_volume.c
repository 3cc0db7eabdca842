/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/volume/absent.c dom0-tools/volume/cache.c dom0-tools/volume/disk.c dom0-tools/volume/extents.c dom0-tools/volume/file.c dom0-tools/volume/image.c dom0-tools/volume/inodes.c dom0-tools/volume/journal.c dom0-tools/volume/make.c dom0-tools/volume/recover.c dom0-tools/volume/source.c dom0-tools/volume/transaction.c dom0-tools/volume/volume.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include $(ext2fs-includes)
// libs: $(BUILD)/ext2fs/host/libext2fs.a
// runs: 1500
/*
 * A volume that someone has tampered with: bytes of a good one are changed, then it is mounted and everything is done with it
 * that dom0 does. Errors are right, crashes and endless loops are not. Checksums are all 0 here, so that none of them keeps a
 * change from being believed.
 */
#include "fake_disk.h"
#include "volume/checksum.h"
#include "volume/image.h"
#include "volume/source.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SIZE	(16ul << 20)
#define BLOCK	4096
#define TARGETS 256 /* blocks that are worth changing */

static struct fake_disk disk;
static struct volume *volume, *template; /* the one that made the good disk stays as it was */
static struct block_device *device;
static uint32_t targets[TARGETS];
static unsigned int target_count, budget;

uint32_t ext2fs_crc32c_le(uint32_t crc, const unsigned char *bytes, size_t size)
{
	return 0;
}

uint16_t ext2fs_crc16(uint16_t crc, const void *data, unsigned int size)
{
	return 0;
}

static bool go_on(void)
{
	return device && volume_source_step(device);
}
bool (*host_wait)(void) = go_on;

/* ---- the good one ---- */

static void put(const char *path, uint64_t offset, size_t size)
{
	static const char text[70000];
	struct volume_file *file;

	if (volume_open(volume, path, VOLUME_CREATE | VOLUME_WRITE, &file) ||
	    volume_write(file, offset, text, size))
		abort();
	volume_close(file);
}

static void make_template(void)
{
	char problem[VOLUME_PROBLEM];
	const char *why;

	fake_disk_open(&disk, SIZE);
	if (volume_format(&disk.device, "cerne", problem) ||
	    volume_mount(&disk.device, false, &volume, problem))
		abort();
	volume_mkdir(volume, "folder");
	put("folder/file", 0, 70000);
	for (unsigned int i = 0; i < 12; i++)
		put("scattered", i * 200000ul, 100);
	if (image_create(volume, "base", 1 << 20, false, NULL, &why) ||
	    image_snapshot(volume, "base", "over", &why))
		abort();
	/* As a power cut leaves it: the journal has to be replayed. */
	volume_sync(volume);
	template = volume;
}

/* Blocks that are not zeros, of tables rather than of files, which come last. */
static void find_targets(void)
{
	static const unsigned char zeros[BLOCK];

	for (uint32_t block = 0; block < SIZE / BLOCK && target_count < TARGETS; block++)
		if (memcmp(disk.data + (size_t)block * BLOCK, zeros, BLOCK))
			targets[target_count++] = block;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	/* What is said about damage is not wanted. */
	if (!freopen("/dev/null", "w", stdout))
		abort();
	make_template();
	find_targets();
	disk.recording = true;
	return 0;
}

/* ---- what is done with it ---- */

static void use_file(const char *path)
{
	struct volume_file *file;
	char bytes[5000], text[300];

	if (volume_open(volume, path, VOLUME_WRITE, &file))
		return;
	volume_read(file, 0, bytes, sizeof(bytes));
	volume_read(file, 100000, bytes, sizeof(bytes));
	volume_get_note(file, NOTE_BASE, text, sizeof(text));
	volume_write(file, 60000, bytes, sizeof(bytes));
	volume_allocate(file, 0, 300000, NULL, NULL);
	volume_resize(file, 50000);
	volume_close(file);
}

static void use_image(const char *path)
{
	static unsigned char bytes[128 * BLOCK_SECTOR];
	const char *why;

	if (volume_source_open(volume, path, false, &device, &why) &&
	    volume_source_open(volume, path, true, &device, &why)) {
		device = NULL;
		return;
	}
	block_read(device, 0, bytes, 128);
	block_write(device, 3, bytes, 100);
	block_discard(device, 100, device->sectors / 2);
	block_write(device, 300, bytes, 8);
	block_flush(device);
	volume_source_close(device);
	device = NULL;
}

static void count(const char *name, const struct volume_status *status, void *context)
{
	if (budget)
		budget--;
}

static void use(void)
{
	const char *why;

	budget = 1000;
	volume_list(volume, "", count, NULL);
	volume_list(volume, "folder", count, NULL);
	use_file("folder/file");
	use_file("scattered");
	use_image("over");
	use_image("base");
	image_create(volume, "new", 200000, false, NULL, &why);
	volume_mkdir(volume, "folder/more");
	volume_rename(volume, "folder/file", "new");
	volume_sync(volume);
	volume_remove(volume, "scattered");
	image_delete(volume, "over", &why);
	volume_tick(volume);
}

static void undo(void)
{
	while (disk.write_count) {
		struct fake_write *write = &disk.writes[--disk.write_count];

		memcpy(disk.data + write->sector * BLOCK_SECTOR, write->before, BLOCK_SECTOR);
		free(write->before);
		free(write->after);
	}
}

/* The input: five bytes a change: which block, where in it, what. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char problem[VOLUME_PROBLEM];
	unsigned char sector[BLOCK_SECTOR];

	for (; size >= 5; data += 5, size -= 5) {
		uint64_t offset = (uint64_t)targets[data[0] % target_count] * BLOCK +
				  (data[1] | data[2] << 8) % (BLOCK - 1);

		for (unsigned int i = 0; i < 2; i++, offset++) {
			memcpy(sector, disk.data + offset / BLOCK_SECTOR * BLOCK_SECTOR,
			       BLOCK_SECTOR);
			sector[offset % BLOCK_SECTOR] = data[3 + i];
			fake_write(&disk, offset / BLOCK_SECTOR, sector, 1);
		}
	}
	disk.device.readers = disk.device.writers = 0;
	if (!volume_mount(&disk.device, false, &volume, problem)) {
		use();
		if (volume_unmount(volume) == -XEN_EBUSY)
			abort();
	}
	undo();
	return 0;
}
