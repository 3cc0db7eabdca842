/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/files/archive.c dom0-tools/files/path.c
/* Root archives: both forms are read alike, and each way of being damaged is refused with its name. */
#include "unit.h"
#include "files/archive.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include "archive_maker.h"

static struct archive archive;
static struct maker maker;

static void make_example(bool tar)
{
	maker_begin(&maker, tar);
	maker_add(&maker, "./", 'd', NULL);
	maker_add(&maker, "./etc", 'd', NULL);
	maker_add(&maker, "./etc/xl/one.cfg", 'f', "name = 'one'\n");
	maker_add(&maker, "./etc/xl/two.cfg", 'f', "name = 'two'\n");
	maker_add(&maker, "boot/kernel", 'f', "not much of a kernel");
	maker_add(&maker, "boot/link", 'l', "kernel");
	maker_add(&maker, "empty", 'f', "");
	maker_add(&maker, "etc/xl/one.cfg", 'f', "name = 'new'\n");
	maker_end(&maker);
	assert_null(archive_open(&archive, maker.data, maker.size));
}

static void assert_contents(const char *path, const char *contents)
{
	struct file file;
	char buffer[64];
	size_t length = strlen(contents);

	assert_int_equal(archive.fs.find(&archive.fs, path, &file), 0);
	assert_false(file.directory);
	assert_int_equal(file.size, length);
	assert_memory_equal(archive.fs.map(&archive.fs, &file), contents, length);
	assert_int_equal(archive.fs.read(&archive.fs, &file, 0, buffer, sizeof(buffer)), length);
	assert_memory_equal(buffer, contents, length);
	assert_int_equal(archive.fs.read(&archive.fs, &file, length, buffer, 1), 0);
	if (length > 4) {
		assert_int_equal(archive.fs.read(&archive.fs, &file, 3, buffer, 2), 2);
		assert_memory_equal(buffer, contents + 3, 2);
	}
	assert_int_equal(file.time, 1000000000);
}

static void assert_directory(const char *path)
{
	struct file file;

	assert_int_equal(archive.fs.find(&archive.fs, path, &file), 0);
	assert_true(file.directory);
}

static void assert_error(const char *path, long error)
{
	struct file file;

	assert_int_equal(archive.fs.find(&archive.fs, path, &file), error);
}

static void collect(const char *name, const struct file *file, void *context)
{
	char *text = context;

	strcat(text, name);
	strcat(text, file->directory ? "/ " : " ");
}

static void assert_list(const char *path, const char *names)
{
	char text[256] = "";

	assert_int_equal(archive.fs.list(&archive.fs, path, collect, text), 0);
	assert_string_equal(text, names);
}

static void test_find(void **state)
{
	for (int tar = 0; tar < 2; tar++) {
		make_example(tar);
		assert_contents("etc/xl/two.cfg", "name = 'two'\n");
		assert_contents("etc/xl/one.cfg", "name = 'new'\n");
		assert_contents("boot/kernel", "not much of a kernel");
		assert_contents("empty", "");
		assert_directory("");
		assert_directory("etc");
		assert_directory("etc/xl");
		assert_directory("boot");
		assert_error("boot/link", -ENOENT);
		assert_error("boo", -ENOENT);
		assert_error("etc/xl/one.cf", -ENOENT);
		assert_error("boot/kernel/x", -ENOTDIR);
	}
}

static void test_list(void **state)
{
	char text[8] = "";

	for (int tar = 0; tar < 2; tar++) {
		make_example(tar);
		assert_list("", "etc/ boot/ empty ");
		assert_list("etc", "xl/ ");
		assert_list("etc/xl", "one.cfg two.cfg ");
		assert_list("boot", "kernel ");
		assert_int_equal(archive.fs.list(&archive.fs, "bo", collect, text), -ENOENT);
		assert_int_equal(archive.fs.list(&archive.fs, "empty", collect, text), -ENOTDIR);
	}
}

static void refused(const void *data, size_t size, const char *part)
{
	/* A copy of its own: reading past its end is found. */
	void *copy = malloc(size ? size : 1);
	const char *problem;

	memcpy(copy, data, size);
	problem = archive_open(&archive, copy, size);
	assert_non_null(problem);
	if (!strstr(problem, part))
		fail_msg("'%s' has nothing of '%s'", problem, part);
	free(copy);
}

/* Cut anywhere before the trailer, it is told to be cut. */
static void test_truncated(void **state)
{
	make_example(false);
	for (size_t size = 6; size <= archive.end; size++)
		refused(maker.data, size, "truncated");
	make_example(true);
	for (size_t size = 512; size <= archive.end; size++)
		refused(maker.data, size, "truncated");
	refused("", 0, "neither");
	refused("07070", 5, "neither");
}

static void damage_cpio(size_t at, const char *bytes, const char *part)
{
	make_example(false);
	memcpy(maker.data + at, bytes, strlen(bytes));
	refused(maker.data, maker.size, part);
}

static void test_damaged_cpio(void **state)
{
	damage_cpio(6 + 6 * 8, "0000000g", "no number");
	damage_cpio(6 + 6 * 8, "ffffffff", "contents of a file lie outside");
	damage_cpio(6 + 11 * 8, "ffffffff", "name lies outside");
	damage_cpio(6 + 11 * 8, "00000000", "name lies outside");
	damage_cpio(6 + 11 * 8, "00000002", "no end");
	damage_cpio(0, "070707", "neither");
	damage_cpio(6 + 6 * 8, "00000004", "does not begin");
}

static void damage_tar(size_t at, const char *bytes, const char *part, bool sum)
{
	make_example(true);
	memcpy(maker.data + at, bytes, strlen(bytes));
	if (sum)
		maker_checksum(maker.data);
	refused(maker.data, maker.size, part);
}

static void test_damaged_tar(void **state)
{
	damage_tar(0, "x", "checksum", false);
	damage_tar(124, "77777777777", "outside", true);
	damage_tar(124, "9", "no number", true);
	damage_tar(156, "L", "long names", true);
	damage_tar(156, "x", "long names", true);
	damage_tar(345, "prefix", "long names", true);
}

static void test_others(void **state)
{
	refused("\x1f\x8b\x08 and so on", 12, "compressed");
	refused("name = 'x'\n", 11, "neither");
}

/* An archive of nothing but its end has an empty root. */
static void test_empty(void **state)
{
	maker_begin(&maker, false);
	maker_end(&maker);
	assert_null(archive_open(&archive, maker.data, maker.size));
	assert_list("", "");
	assert_error("x", -ENOENT);
}

static void assert_normal(const char *path, const char *wanted)
{
	char normal[FILES_PATH];

	assert_int_equal(files_normal_path(path, normal), 0);
	assert_string_equal(normal, wanted);
}

static void test_paths(void **state)
{
	char path[FILES_PATH + 2], normal[FILES_PATH];

	assert_normal("", "");
	assert_normal("/", "");
	assert_normal("/etc//xl/./one.cfg", "etc/xl/one.cfg");
	assert_normal("etc/xl/", "etc/xl");
	assert_normal("/etc/../boot/kernel", "boot/kernel");
	assert_normal("/../..//x/..", "");
	assert_normal("a/b/../../c", "c");
	assert_normal("..a/.b/c..", "..a/.b/c..");
	memset(path, 'x', sizeof(path));
	path[FILES_PATH - 1] = 0;
	assert_int_equal(files_normal_path(path, normal), -ENAMETOOLONG);
	path[FILES_PATH - 2] = 0;
	assert_int_equal(files_normal_path(path, normal), 0);
	assert_string_equal(path, normal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_find),	cmocka_unit_test(test_list),
	    cmocka_unit_test(test_truncated),	cmocka_unit_test(test_damaged_cpio),
	    cmocka_unit_test(test_damaged_tar), cmocka_unit_test(test_others),
	    cmocka_unit_test(test_empty),	cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
