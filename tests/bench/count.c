/* SPDX-License-Identifier: MIT */
/*
 * A plugin of QEMU's that counts the instructions of the whole machine. Whoever runs there, in whatever ring, marks a
 * moment by a no-operation whose address says so (bench_mark() in mark.h); the plugin writes the mark and what has
 * been executed until then as a line of the file that its argument `out` names. An iteration of a repeated string
 * instruction counts as one.
 *
 * The declarations are those of version 1 of the interface (QEMU's documentation, "TCG Plugins"); the header is in no package.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include "mark.h"

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id,
					   void (*translated)(uint64_t id,
							      struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int operation,
						void *value, uint64_t operand);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
					    void (*executed)(unsigned int vcpu, void *data),
					    int flags, void *data);

__attribute__((visibility("default"))) int qemu_plugin_version = 1;
__attribute__((visibility("default"))) int
qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv);

#define ADD 0 /* QEMU_PLUGIN_INLINE_ADD_U64 */

static uint64_t executed;
static FILE *out;

static void marked(unsigned int vcpu, void *data)
{
	fprintf(out, "%" PRIuPTR " %" PRIu64 "\n", (uintptr_t)data, executed);
	fflush(out);
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t count = qemu_plugin_tb_n_insns(tb);

	for (size_t i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *bytes = qemu_plugin_insn_data(insn);

		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD, &executed, 1);
		if (qemu_plugin_insn_size(insn) == 7 && !memcmp(bytes, "\x0f\x1f\x80", 3) &&
		    (bytes[5] | bytes[6] << 8) == MARK_MAGIC)
			qemu_plugin_register_vcpu_insn_exec_cb(
			    insn, marked, 0, (void *)(uintptr_t)(bytes[3] | bytes[4] << 8));
	}
}

int qemu_plugin_install(uint64_t id, const struct qemu_info *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
	if (!out)
		return 1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
