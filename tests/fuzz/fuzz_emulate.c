/* SPDX-License-Identifier: MIT */
// sources: hypervisor/pv/decode.c
// runs: 300000
/*
 * The instruction decoder, on any bytes: what it accepts has a length within the CPU's limit and within what
 * it was given, needs every byte of it, and does not depend on those behind.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "pv/decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
	if (!condition)
		abort();
}

static void check_fields(const struct insn *insn)
{
	check(insn->op <= INSN_XSETBV && insn->segment <= SEGMENT_GS);
	check(insn->reg < 16 && insn->rm < 16);
	if (insn->op <= INSN_OUTS)
		check(insn->size == 1 || insn->size == 2 || insn->size == 4);
	check(!insn->rep || insn->op == INSN_INS || insn->op == INSN_OUTS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct insn insn, again;
	enum insn_result result = insn_decode(data, size, &insn);
	uint8_t *exact;

	if (result == INSN_TRUNCATED)
		check(size < INSN_MAX_LENGTH);
	if (result != INSN_OK)
		return 0;
	check(insn.length > 0 && insn.length <= INSN_MAX_LENGTH && insn.length <= size);
	check_fields(&insn);

	/* On the heap, so that a read past the end is seen. */
	exact = malloc(insn.length);
	check(exact != NULL);
	memcpy(exact, data, insn.length);
	check(insn_decode(exact, insn.length, &again) == INSN_OK);
	check(memcmp(&insn, &again, sizeof(insn)) == 0);
	free(exact);
	for (size_t less = 0; less < insn.length; less++)
		check(insn_decode(data, less, &again) == INSN_TRUNCATED);
	return 0;
}
