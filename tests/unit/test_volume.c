/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/volume/absent.c dom0-tools/volume/cache.c dom0-tools/volume/checksum.c dom0-tools/volume/disk.c dom0-tools/volume/extents.c dom0-tools/volume/file.c dom0-tools/volume/inodes.c dom0-tools/volume/journal.c dom0-tools/volume/make.c dom0-tools/volume/recover.c dom0-tools/volume/transaction.c dom0-tools/volume/volume.c pv-drivers/block.c
// flags: -Itests/unit/include/fake-guest -Iguest/include $(ext2fs-includes)
// libs: $(BUILD)/ext2fs/host/libext2fs.a
/* Volumes: made here and by mke2fs, filled here and by debugfs, and e2fsck finds nothing to mend. */
#include "unit.h"
#include "volume_host.h"

#define MIB (1ul << 20)

static struct volume *volume;
static char problem[VOLUME_PROBLEM];

static void mount_volume(void)
{
	long error = volume_mount(&host_disk.device, false, &volume, problem);

	if (error || problem[0])
		print_message("mount: %ld, '%s'\n", error, problem);
	assert_int_equal(error, 0);
	assert_string_equal(problem, "");
}

static void check_clean(void)
{
	fake_disk_save(&host_disk, host_path("image"));
	assert_int_equal(host_run("e2fsck -fn @"), 0);
}

static void unmount_volume(void)
{
	assert_int_equal(volume_unmount(volume), 0);
	check_clean();
}

static void make_volume(uint64_t bytes)
{
	fake_disk_open(&host_disk, bytes);
	assert_int_equal(volume_format(&host_disk.device, "cerne", problem), 0);
}

/* By Linux's own tool, with options. */
static void make_foreign(uint64_t bytes, const char *options)
{
	fake_disk_open(&host_disk, bytes);
	fake_disk_save(&host_disk, host_path("image"));
	assert_int_equal(host_run("mke2fs -q -F -t ext4 -L cerne %s @ %luk", options, bytes / 1024),
			 0);
	fake_disk_load(&host_disk, host_path("image"));
}

static void assert_contents(const char *path, const char *contents)
{
	struct volume_file *file;
	char buffer[256];
	long count;

	assert_int_equal(volume_open(volume, path, 0, &file), 0);
	count = volume_read(file, 0, buffer, sizeof(buffer));
	assert_int_equal(count, strlen(contents));
	assert_memory_equal(buffer, contents, (size_t)count);
	volume_close(file);
}

static void put_file(const char *path, const void *data, size_t size)
{
	struct volume_file *file;

	assert_int_equal(
	    volume_open(volume, path, VOLUME_CREATE | VOLUME_WRITE | VOLUME_TRUNCATE, &file), 0);
	assert_int_equal(volume_write(file, 0, data, size), 0);
	volume_close(file);
}

static void test_made_here(void **state)
{
	char label[17];

	make_volume(64 * MIB);
	check_clean();
	assert_int_equal(volume_label(&host_disk.device, label), 0);
	assert_string_equal(label, "cerne");
	mount_volume();
	unmount_volume();
	fake_disk_close(&host_disk);
}

static void test_files(void **state)
{
	struct volume_status status;

	make_volume(64 * MIB);
	mount_volume();
	assert_int_equal(volume_mkdir(volume, "etc"), 0);
	assert_int_equal(volume_mkdir(volume, "etc"), -EEXIST);
	put_file("etc/one.cfg", "name = 'one'\n", 13);
	assert_contents("etc/one.cfg", "name = 'one'\n");
	assert_int_equal(volume_find(volume, "etc/one.cfg", &status), 0);
	assert_int_equal(status.size, 13);
	assert_int_equal(status.allocated, 4096);
	assert_int_equal(volume_find(volume, "etc/two.cfg", &status), -ENOENT);
	assert_int_equal(volume_find(volume, "etc/one.cfg/more", &status), -ENOTDIR);
	assert_int_equal(volume_remove(volume, "etc"), -ENOTEMPTY);
	put_file("etc/new.cfg", "name = 'new'\n", 13);
	assert_int_equal(volume_rename(volume, "etc/new.cfg", "etc/one.cfg"), 0);
	assert_contents("etc/one.cfg", "name = 'new'\n");
	unmount_volume();
	assert_int_equal(
	    host_run("test \"$(debugfs -R 'cat /etc/one.cfg' @ 2>/dev/null)\" = \"name = 'new'\""),
	    0);
	mount_volume();
	assert_int_equal(volume_remove(volume, "etc/one.cfg"), 0);
	assert_int_equal(volume_remove(volume, "etc"), 0);
	unmount_volume();
	fake_disk_close(&host_disk);
}

/* Filled by a Linux machine's tool, changed here, read there again. */
static void test_made_elsewhere(void **state)
{
	static const char *const options[] = {"",
					      "-b 1024",
					      "-b 2048",
					      "-O ^metadata_csum,uninit_bg",
					      "-O ^64bit",
					      "-O meta_bg,^resize_inode",
					      "-O ^flex_bg",
					      "-I 128 -O ^dir_index",
					      "-E lazy_itable_init=1,lazy_journal_init=1"};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		make_foreign(64 * MIB, options[i]);
		assert_int_equal(
		    host_run(
			"echo -n from Linux >hello && printf 'mkdir a\nwrite hello a/hello\n' | debugfs -w @"),
		    0);
		fake_disk_load(&host_disk, host_path("image"));
		mount_volume();
		assert_contents("a/hello", "from Linux");
		put_file("a/answer", "from here", 9);
		assert_int_equal(volume_remove(volume, "a/hello"), 0);
		unmount_volume();
		assert_int_equal(
		    host_run("test \"$(debugfs -R 'cat /a/answer' @ 2>/dev/null)\" = 'from here'"),
		    0);
		fake_disk_close(&host_disk);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_made_here),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_made_elsewhere),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	host_clean();
	return failed;
}
