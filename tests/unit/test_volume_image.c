/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/volume/absent.c dom0-tools/volume/cache.c dom0-tools/volume/checksum.c dom0-tools/volume/disk.c dom0-tools/volume/extents.c dom0-tools/volume/file.c dom0-tools/volume/image.c dom0-tools/volume/inodes.c dom0-tools/volume/journal.c dom0-tools/volume/make.c dom0-tools/volume/recover.c dom0-tools/volume/source.c dom0-tools/volume/transaction.c dom0-tools/volume/volume.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include $(ext2fs-includes)
// libs: $(BUILD)/ext2fs/host/libext2fs.a
/*
 * Disk images as block devices: what is written is read, by this device and by Linux's tools; what was flushed is there after a
 * power cut; overlays leave their base as it is.
 */
#include "unit.h"
#include "volume_host.h"
#include "volume/image.h"
#include "volume/source.h"

#define MIB	(1ul << 20)
#define SECTORS (MIB / BLOCK_SECTOR) /* of each image */
#define IMAGES	3

static struct volume *volume;
static char problem[VOLUME_PROBLEM];
static const char *why;
static uint64_t seed = 1;

/* The images of most tests: with its place, without, over a base. */
static const char *const names[IMAGES] = {"whole", "sparse", "over"};
static struct block_device *devices[IMAGES];

/* Where the one thread would sleep: those of the devices go on. */
static bool go_on(void)
{
	for (unsigned int i = 0; i < IMAGES; i++)
		if (devices[i] && volume_source_step(devices[i]))
			return true;
	return fake_disk_step(&host_disk);
}

static uint32_t random_below(uint32_t limit)
{
	seed = seed * 6364136223846793005 + 1442695040888963407;
	return (uint32_t)(seed >> 33) % limit;
}

static void fill(unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)random_below(256);
}

static void mount_volume(struct block_device *device)
{
	assert_int_equal(volume_mount(device, false, &volume, problem), 0);
	assert_string_equal(problem, "");
}

static void make_volume(void)
{
	fake_disk_open(&host_disk, 32 * MIB);
	assert_int_equal(volume_format(&host_disk.device, "cerne", problem), 0);
	mount_volume(&host_disk.device);
}

static void check_clean(const struct fake_disk *disk)
{
	fake_disk_save(disk, host_path("image"));
	assert_int_equal(host_run("e2fsck -fn @"), 0);
}

static void end_volume(void)
{
	assert_int_equal(volume_unmount(volume), 0);
	check_clean(&host_disk);
	fake_disk_close(&host_disk);
}

static struct block_device *open_image(const char *name, bool read_only)
{
	struct block_device *device;
	long error = volume_source_open(volume, name, read_only, &device, &why);

	if (error)
		print_message("%s: %ld %s\n", name, error, why);
	assert_int_equal(error, 0);
	return device;
}

static void make_images(const unsigned char *base)
{
	struct volume_file *file;

	assert_int_equal(image_create(volume, "whole", MIB, false, NULL, &why), 0);
	assert_int_equal(image_create(volume, "sparse", MIB, true, NULL, &why), 0);
	assert_int_equal(image_create(volume, "base", MIB, true, NULL, &why), 0);
	assert_int_equal(volume_open(volume, "base", VOLUME_WRITE, &file), 0);
	/* A hole in the middle. */
	assert_int_equal(volume_write(file, 0, base, MIB / 4), 0);
	assert_int_equal(volume_write(file, MIB / 2, base + MIB / 2, MIB / 2), 0);
	volume_close(file);
	assert_int_equal(image_snapshot(volume, "base", "over", &why), 0);
}

static void make_base(unsigned char *base)
{
	fill(base, MIB);
	memset(base + MIB / 4, 0, MIB / 4);
}

/* ---- what is written is read, and what is discarded reads as what lies below ---- */

#define UNIT 128 /* sectors: discards are of whole units */

/* The part of a discard that has an effect. */
static unsigned int units_of(unsigned int *sector, unsigned int sectors)
{
	unsigned int end = (*sector + sectors) / UNIT * UNIT;

	*sector = (*sector + UNIT - 1) / UNIT * UNIT;
	return end > *sector ? end - *sector : 0;
}

static bool has_discard(unsigned int n)
{
	return devices[n]->discard_granularity != 0;
}

/* Of image n, whose contents are `expected` and whose base has `below`. Returns how many sectors from *sector on are different now. */
static unsigned int discard(unsigned int n, unsigned int *sector, unsigned int sectors,
			    unsigned char *expected, const unsigned char *below)
{
	static const unsigned char zeros[MIB];
	size_t at;

	assert_int_equal(block_discard(devices[n], *sector, sectors),
			 has_discard(n) ? 0 : -XEN_EOPNOTSUPP);
	sectors = has_discard(n) ? units_of(sector, sectors) : 0;
	at = *sector * BLOCK_SECTOR;
	memcpy(expected + at, (below ? below : zeros) + at, sectors * BLOCK_SECTOR);
	return sectors;
}

static void test_contents(void **state)
{
	static unsigned char expected[IMAGES][MIB], base[MIB], got[MIB], data[64 * BLOCK_SECTOR];

	make_volume();
	make_base(base);
	make_images(base);
	memset(expected, 0, sizeof(expected));
	memcpy(expected[2], base, MIB);
	for (unsigned int i = 0; i < IMAGES; i++)
		devices[i] = open_image(names[i], false);
	for (unsigned int i = 0; i < 600; i++) {
		unsigned int n = random_below(IMAGES),
			     sectors = 1 + random_below(random_below(2) ? 4 : 64);
		unsigned int sector = random_below(SECTORS - sectors);

		fill(data, sectors * BLOCK_SECTOR);
		assert_int_equal(block_write(devices[n], sector, data, sectors), 0);
		memcpy(expected[n] + sector * BLOCK_SECTOR, data, sectors * BLOCK_SECTOR);
		if (random_below(8) == 0) {
			sector = random_below(SECTORS);
			discard(n, &sector, 1 + random_below(SECTORS - sector), expected[n],
				n == 2 ? base : NULL);
		}
		sector = random_below(SECTORS - 64);
		assert_int_equal(block_read(devices[n], sector, got, 64), 0);
		assert_memory_equal(got, expected[n] + sector * BLOCK_SECTOR, 64 * BLOCK_SECTOR);
	}
	for (unsigned int i = 0; i < IMAGES; i++) {
		assert_int_equal(block_flush(devices[i]), 0);
		assert_int_equal(block_read(devices[i], 0, got, SECTORS), 0);
		assert_memory_equal(got, expected[i], MIB);
		volume_source_close(devices[i]);
		devices[i] = NULL;
	}
	/* The base is what it was; where the overlay was written, a Linux machine sees it. */
	devices[0] = open_image("base", true);
	assert_int_equal(block_read(devices[0], 0, got, SECTORS), 0);
	assert_memory_equal(got, base, MIB);
	volume_source_close(devices[0]);
	devices[0] = NULL;
	end_volume();
	assert_int_equal(host_run("debugfs -R 'dump /whole whole' @"), 0);
	{
		FILE *file = fopen(host_path("whole"), "r");

		assert_int_equal(fread(got, 1, MIB, file), MIB);
		assert_memory_equal(got, expected[0], MIB);
		fclose(file);
	}
}

/* What the disk has in one place goes there as it is: the request itself, in the context in which it came. */
static void on_done(struct block_request *request, int status)
{
	*(int *)request->owner = status;
}

static void test_nothing_is_copied(void **state)
{
	static unsigned char page[4096] __attribute__((aligned(4096)));
	struct block_segment segment = {.data = NULL, .machine = (uint64_t)page, .length = 4096};
	int status = 1;
	struct block_request request = {.operation = BLOCK_WRITE,
					.sector = 64,
					.sectors = 8,
					.segments = &segment,
					.count = 1,
					.done = on_done,
					.owner = &status};

	make_volume();
	assert_int_equal(image_create(volume, "whole", MIB, false, NULL, &why), 0);
	devices[0] = open_image("whole", false);
	memset(page, 1, sizeof(page));
	assert_int_equal(block_write(devices[0], 0, page, 8), 0);
	/* The first write of a unit is the thread's; it looked at the file for what follows. */
	assert_int_equal(block_write(devices[0], 64, page, 8), 0);
	assert_int_equal(block_write(devices[0], 64, page, 8), 0);
	host_disk.slow = true;
	block_submit(devices[0], &request);
	assert_ptr_equal(host_disk.queued.first, &request);
	assert_false(volume_source_step(devices[0]));
	assert_true(fake_disk_step(&host_disk));
	assert_int_equal(status, 0);
	host_disk.slow = false;
	volume_source_close(devices[0]);
	devices[0] = NULL;
	end_volume();
}

/* ---- discards ---- */

static uint64_t allocated(const char *name)
{
	struct image_info info;

	assert_int_equal(image_describe(volume, name, &info, &why), 0);
	return info.allocated;
}

static uint64_t free_bytes(void)
{
	struct volume_info info;

	volume_describe(volume, &info);
	return info.free;
}

/* Blocks come back once the discard is stable, all but those of units in part; those of a preallocated image do not. */
static void test_discard_gives_back(void **state)
{
	static unsigned char data[MIB];
	uint64_t before;

	make_volume();
	assert_int_equal(image_create(volume, "sparse", MIB, true, NULL, &why), 0);
	assert_int_equal(image_create(volume, "whole", MIB, false, NULL, &why), 0);
	devices[0] = open_image("whole", false);
	assert_int_equal(block_discard(devices[0], 0, SECTORS), -XEN_EOPNOTSUPP);
	assert_int_equal(allocated("whole"), MIB);
	devices[1] = open_image("sparse", false);
	before = free_bytes();
	fill(data, MIB);
	assert_int_equal(block_write(devices[1], 0, data, SECTORS), 0);
	assert_int_equal(allocated("sparse"), MIB);
	assert_int_equal(block_discard(devices[1], 1, SECTORS - 2), 0);
	assert_int_equal(allocated("sparse"), 2 * UNIT * BLOCK_SECTOR);
	assert_int_equal(block_flush(devices[1]), 0);
	assert_int_equal(free_bytes(), before - 2 * UNIT * BLOCK_SECTOR);
	assert_int_equal(block_discard(devices[1], 0, SECTORS), 0);
	assert_int_equal(block_discard(devices[1], 0, SECTORS), 0);
	assert_int_equal(block_flush(devices[1]), 0);
	assert_int_equal(allocated("sparse"), 0);
	assert_int_equal(free_bytes(), before);
	for (unsigned int i = 0; i < 2; i++)
		volume_source_close(devices[i]);
	memset(devices, 0, sizeof(devices));
	end_volume();
}

/* Many extents, of a tree with several levels, in steps. */
static void test_discard_of_many_extents(void **state)
{
	static unsigned char page[4096];
	uint64_t size = 400ul * 2 * UNIT * BLOCK_SECTOR, before;

	fake_disk_open(&host_disk, 64 * MIB);
	assert_int_equal(volume_format(&host_disk.device, "cerne", problem), 0);
	mount_volume(&host_disk.device);
	before = free_bytes();
	assert_int_equal(image_create(volume, "sparse", size, true, NULL, &why), 0);
	devices[0] = open_image("sparse", false);
	for (unsigned int i = 0; i < 400; i++)
		assert_int_equal(block_write(devices[0], 2ul * UNIT * i, page, 8), 0);
	assert_true(allocated("sparse") > 400 * UNIT * BLOCK_SECTOR);
	assert_int_equal(block_discard(devices[0], 3, size / BLOCK_SECTOR - 6), 0);
	assert_in_range(allocated("sparse"), UNIT * BLOCK_SECTOR, UNIT * BLOCK_SECTOR + 8192);
	assert_int_equal(block_discard(devices[0], 0, size / BLOCK_SECTOR), 0);
	volume_source_close(devices[0]);
	devices[0] = NULL;
	assert_int_equal(image_delete(volume, "sparse", &why), 0);
	assert_int_equal(free_bytes(), before);
	end_volume();
}

/* When the volume is full, what goes makes room again. */
static void test_discard_when_full(void **state)
{
	static unsigned char data[MIB];
	uint64_t sector;

	make_volume();
	assert_int_equal(image_create(volume, "sparse", 64 * MIB, true, NULL, &why), 0);
	devices[0] = open_image("sparse", false);
	for (sector = 0; !block_write(devices[0], sector, data, SECTORS); sector += SECTORS)
		;
	assert_int_equal(block_discard(devices[0], SECTORS, 4 * SECTORS), 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(block_write(devices[0], sector + i * SECTORS, data, SECTORS), 0);
	volume_source_close(devices[0]);
	devices[0] = NULL;
	end_volume();
}

static struct block_request late; /* a read that comes in the middle of a discard */
static int late_status;
static unsigned int waits;

/*
 * The discard waits for the write that the disk has; nothing is freed, and what comes is not sent to where the data is no more.
 */
static bool while_discard_waits(void)
{
	if (waits++ == 0) {
		assert_int_equal(allocated("sparse"), UNIT * BLOCK_SECTOR);
		block_submit(devices[0], &late);
		assert_ptr_equal(host_disk.queued.first->next, NULL);
		host_disk.slow = false;
	}
	return fake_disk_step(&host_disk);
}

static void test_discard_waits_for_requests(void **state)
{
	static unsigned char page[4096] __attribute__((aligned(4096))), zeros[4096];
	struct block_segment segment = {.machine = (uint64_t)page, .data = page, .length = 4096};
	int written = 1, discarded = 1;
	struct block_request write = {.operation = BLOCK_WRITE,
				      .sectors = 8,
				      .segments = &segment,
				      .count = 1,
				      .done = on_done,
				      .owner = &written};
	struct block_request discard = {
	    .operation = BLOCK_DISCARD, .sectors = UNIT, .done = on_done, .owner = &discarded};

	make_volume();
	assert_int_equal(image_create(volume, "sparse", MIB, true, NULL, &why), 0);
	devices[0] = open_image("sparse", false);
	memset(page, 1, sizeof(page));
	assert_int_equal(block_write(devices[0], 0, page, 8), 0);
	assert_int_equal(block_write(devices[0], 0, page, 8), 0);
	late = write;
	late.operation = BLOCK_READ;
	late.owner = &late_status;
	late_status = 1;
	waits = 0;
	host_disk.slow = true;
	block_submit(devices[0], &write);
	block_submit(devices[0], &discard);
	host_wait = while_discard_waits;
	assert_true(volume_source_step(devices[0]));
	host_wait = go_on;
	assert_int_equal(waits, 1);
	assert_int_equal(written, 0);
	assert_int_equal(discarded, 0);
	assert_int_equal(allocated("sparse"), 0);
	assert_int_equal(late_status, 1);
	assert_true(volume_source_step(devices[0]));
	assert_int_equal(late_status, 0);
	assert_memory_equal(page, zeros, sizeof(page));
	volume_source_close(devices[0]);
	devices[0] = NULL;
	end_volume();
}

/* ---- what may not be done ---- */

static void test_refusals(void **state)
{
	static unsigned char base[MIB];
	struct volume_file *file;
	struct block_device *device;
	char page[4096] = "";

	make_volume();
	make_base(base);
	make_images(base);
	assert_int_equal(image_create(volume, "whole", MIB, false, NULL, &why), -EEXIST);
	assert_int_equal(image_create(volume, "huge", 1ul << 40, false, NULL, &why), -ENOSPC);
	assert_int_equal(image_delete(volume, "base", &why), -EBUSY);
	assert_int_equal(volume_remove(volume, "base"), -EBUSY);
	assert_int_equal(volume_rename(volume, "base", "other"), -EBUSY);
	assert_int_equal(image_resize(volume, "base", 2 * MIB, &why), -EBUSY);
	assert_int_equal(volume_source_open(volume, "base", false, &device, &why), -EROFS);
	assert_int_equal(volume_open(volume, "base", VOLUME_WRITE, &file), 0);
	assert_int_equal(volume_write(file, 0, page, 1), -EBUSY);
	assert_int_equal(volume_resize(file, 0), -EBUSY);
	volume_close(file);
	assert_int_equal(volume_source_open(volume, "nothing", false, &device, &why), -ENOENT);
	/* A snapshot is made while somebody reads: from then on nobody else writes. */
	devices[0] = open_image("sparse", true);
	assert_int_equal(image_snapshot(volume, "sparse", "later", &why), 0);
	assert_int_equal(volume_source_open(volume, "sparse", false, &device, &why), -EROFS);
	volume_source_close(devices[0]);
	devices[0] = open_image("whole", false);
	assert_int_equal(block_open(devices[0], BLOCK_OPEN_WRITE), 0);
	assert_int_equal(image_delete(volume, "whole", &why), -EBUSY);
	assert_int_equal(image_snapshot(volume, "whole", "more", &why), -EBUSY);
	assert_int_equal(image_resize(volume, "whole", MIB / 2, &why), -EINVAL);
	assert_int_equal(volume_open(volume, "whole", VOLUME_WRITE, &file), 0);
	assert_int_equal(volume_resize(file, MIB / 2), -EBUSY);
	assert_int_equal(volume_write(file, 0, page, 1), -EBUSY);
	volume_close(file);
	assert_int_equal(volume_unmount(volume), -EBUSY);
	assert_int_equal(image_resize(volume, "whole", 2 * MIB, &why), 0);
	assert_int_equal(devices[0]->sectors, 2 * SECTORS);
	assert_int_equal(block_write(devices[0], 2 * SECTORS - 8, page, 8), 0);
	assert_int_equal(block_write(devices[0], 2 * SECTORS, page, 8), -XEN_EINVAL);
	block_close(devices[0], BLOCK_OPEN_WRITE);
	volume_source_close(devices[0]);
	devices[0] = NULL;
	assert_int_equal(image_delete(volume, "over", &why), 0);
	assert_int_equal(image_delete(volume, "base", &why), 0);
	end_volume();
}

/* An image of many extents, in an index of two levels, grows under its user: what lies behind its old end gets its places. */
static void test_grown(void **state)
{
	static unsigned char page[4096], got[4096];

	fake_disk_open(&host_disk, 96 * MIB);
	fake_disk_save(&host_disk, host_path("image"));
	assert_int_equal(host_run("mke2fs -q -F -t ext4 -L cerne @"), 0);
	fake_disk_load(&host_disk, host_path("image"));
	mount_volume(&host_disk.device);
	assert_int_equal(image_create(volume, "whole", 32 * MIB, false, NULL, &why), 0);
	devices[0] = open_image("whole", false);
	assert_int_equal(block_open(devices[0], BLOCK_OPEN_WRITE), 0);
	for (unsigned int i = 0; i < 600; i++)
		assert_int_equal(block_write(devices[0], random_below(32 * 256) * 8, page, 8), 0);
	assert_int_equal(image_resize(volume, "whole", 40 * MIB, &why), 0);
	for (unsigned int i = 0; i < 600; i++) {
		uint64_t sector = (32 * 256 + random_below(8 * 256)) * 8;

		fill(page, sizeof(page));
		assert_int_equal(block_write(devices[0], sector, page, 8), 0);
		assert_int_equal(block_read(devices[0], sector, got, 8), 0);
		assert_memory_equal(got, page, sizeof(page));
	}
	block_close(devices[0], BLOCK_OPEN_WRITE);
	volume_source_close(devices[0]);
	devices[0] = NULL;
	end_volume();
}

/* The volume fills up under a sparse image: the writer is told, the volume stays sound, and what is there is there. */
static void test_full(void **state)
{
	static unsigned char data[MIB / 4], got[MIB / 4];
	long error = 0;
	uint64_t sector;

	make_volume();
	assert_int_equal(image_create(volume, "sparse", 64 * MIB, true, NULL, &why), 0);
	devices[0] = open_image("sparse", false);
	fill(data, sizeof(data));
	for (sector = 0; !error; sector += SECTORS / 4)
		error = block_write(devices[0], sector, data, SECTORS / 4);
	assert_int_equal(error, -XEN_ENOSPC);
	assert_int_equal(block_flush(devices[0]), 0);
	assert_int_equal(block_read(devices[0], sector - SECTORS / 2, got, SECTORS / 4), 0);
	assert_memory_equal(got, data, sizeof(data));
	volume_source_close(devices[0]);
	devices[0] = NULL;
	assert_int_equal(image_delete(volume, "sparse", &why), 0);
	assert_int_equal(image_create(volume, "sparse", 8 * MIB, false, NULL, &why), 0);
	end_volume();
}

/* Chains of overlays, and copies of what they hold. */
static void test_chain(void **state)
{
	static unsigned char expected[MIB], got[MIB], page[4096];
	char path[8] = "0", next[8];
	unsigned int n;

	make_volume();
	memset(expected, 0, sizeof(expected));
	assert_int_equal(image_create(volume, "0", MIB, true, NULL, &why), 0);
	for (n = 0;; n++) {
		devices[0] = open_image(path, false);
		fill(page, sizeof(page));
		assert_int_equal(block_write(devices[0], n * 40, page, 8), 0);
		memcpy(expected + n * 40 * BLOCK_SECTOR, page, sizeof(page));
		assert_int_equal(block_read(devices[0], 0, got, SECTORS), 0);
		assert_memory_equal(got, expected, MIB);
		volume_source_close(devices[0]);
		devices[0] = NULL;
		snprintf(next, sizeof(next), "%u", n + 1);
		if (image_snapshot(volume, path, next, &why))
			break;
		memcpy(path, next, sizeof(path));
	}
	assert_int_equal(n, SOURCE_DEPTH - 1);
	assert_non_null(strstr(why, "too many overlays"));
	devices[0] = open_image(path, true);
	devices[1] = NULL;
	{
		struct image_data from = image_of_device(devices[0]);

		assert_int_equal(image_import(volume, "flat", &from, NULL, &why), 0);
	}
	volume_source_close(devices[0]);
	devices[0] = open_image("flat", true);
	assert_int_equal(block_read(devices[0], 0, got, SECTORS), 0);
	assert_memory_equal(got, expected, MIB);
	volume_source_close(devices[0]);
	devices[0] = NULL;
	end_volume();
}

/* ---- power cuts ---- */

/* After each flush: what an image holds, and before which write each of its sectors changed again. */
struct flush {
	unsigned int write, image;
	unsigned char data[MIB];
	unsigned int changed_at[SECTORS];
};
static struct flush *flushes;
static unsigned int flush_count, last_flush[IMAGES];

static void note_flush(unsigned int image, const unsigned char *data)
{
	struct flush *flush = &flushes[flush_count];

	flush->write = host_disk.write_count;
	flush->image = image;
	memcpy(flush->data, data, MIB);
	for (unsigned int s = 0; s < SECTORS; s++)
		flush->changed_at[s] = UINT32_MAX;
	last_flush[image] = flush_count++;
}

static void note_write(unsigned int image, unsigned int sector, unsigned int sectors)
{
	struct flush *flush = &flushes[last_flush[image]];

	for (unsigned int s = sector; s < sector + sectors; s++)
		if (flush->changed_at[s] > host_disk.write_count)
			flush->changed_at[s] = host_disk.write_count;
}

static void check_image(unsigned int image, unsigned int cut)
{
	static unsigned char got[MIB];
	unsigned int f = flush_count;

	while (f-- && (flushes[f].image != image || (flushes[f].write && flushes[f].write >= cut)))
		;
	devices[0] = open_image(names[image], true);
	assert_int_equal(block_read(devices[0], 0, got, SECTORS), 0);
	for (unsigned int s = 0; s < SECTORS; s++)
		if (flushes[f].changed_at[s] >= cut)
			assert_memory_equal(got + s * BLOCK_SECTOR,
					    flushes[f].data + s * BLOCK_SECTOR, BLOCK_SECTOR);
	volume_source_close(devices[0]);
	devices[0] = NULL;
}

static void check_cut(const unsigned char *before, unsigned int cut)
{
	struct fake_disk disk;

	fake_disk_open(&disk, 32 * MIB);
	fake_disk_cut(&disk, before, &host_disk, cut, false, random_below);
	mount_volume(&disk.device);
	for (unsigned int i = 0; i < IMAGES; i++)
		check_image(i, cut);
	assert_int_equal(volume_unmount(volume), 0);
	check_clean(&disk);
	fake_disk_close(&disk);
}

static void cut_power(void)
{
	static unsigned char expected[IMAGES][MIB], base[MIB], data[64 * BLOCK_SECTOR];
	unsigned char *before = malloc(32 * MIB);

	make_volume();
	make_base(base);
	make_images(base);
	assert_int_equal(volume_sync(volume), 0);
	memcpy(before, host_disk.data, 32 * MIB);
	memset(expected, 0, sizeof(expected));
	memcpy(expected[2], base, MIB);
	host_disk.recording = true;
	flush_count = 0;
	for (unsigned int i = 0; i < IMAGES; i++) {
		devices[i] = open_image(names[i], false);
		note_flush(i, expected[i]);
	}
	for (unsigned int i = 0; i < 80; i++) {
		unsigned int n = random_below(IMAGES),
			     sectors = 1 + random_below(random_below(2) ? 4 : 64);
		unsigned int sector = random_below(SECTORS - sectors);

		if (random_below(6) == 0) {
			assert_int_equal(block_flush(devices[n]), 0);
			note_flush(n, expected[n]);
			continue;
		}
		if (random_below(10) == 0)
			volume_tick(volume);
		if (random_below(6) == 0 && has_discard(n)) {
			unsigned int from = sector, all = random_below(SECTORS - sector) + 1;

			note_write(n, from, units_of(&from, all));
			discard(n, &sector, all, expected[n], n == 2 ? base : NULL);
			continue;
		}
		note_write(n, sector, sectors);
		fill(data, sectors * BLOCK_SECTOR);
		assert_int_equal(block_write(devices[n], sector, data, sectors), 0);
		memcpy(expected[n] + sector * BLOCK_SECTOR, data, sectors * BLOCK_SECTOR);
	}
	for (unsigned int i = 0; i < IMAGES; i++) {
		volume_source_close(devices[i]);
		devices[i] = NULL;
	}
	assert_int_equal(volume_unmount(volume), 0);
	for (unsigned int i = 0; i < 15; i++)
		check_cut(before, fake_disk_moment(&host_disk, random_below));
	fake_disk_close(&host_disk);
	free(before);
}

static void test_power_cuts(void **state)
{
	const char *factor = getenv("UNIT_ROUNDS");
	unsigned int rounds = 2 * (factor ? (unsigned int)atoi(factor) : 1);

	flushes = malloc(100 * sizeof(*flushes));
	for (unsigned int i = 0; i < rounds; i++) {
		seed = i + 1;
		cut_power();
	}
	free(flushes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_contents),
	    cmocka_unit_test(test_nothing_is_copied),
	    cmocka_unit_test(test_refusals),
	    cmocka_unit_test(test_full),
	    cmocka_unit_test(test_chain),
	    cmocka_unit_test(test_power_cuts),
	    cmocka_unit_test(test_discard_gives_back),
	    cmocka_unit_test(test_discard_of_many_extents),
	    cmocka_unit_test(test_discard_when_full),
	    cmocka_unit_test(test_grown),
	    cmocka_unit_test(test_discard_waits_for_requests),
	};
	int failed;

	host_wait = go_on;
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	host_clean();
	return failed;
}
