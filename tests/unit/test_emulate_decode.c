/* SPDX-License-Identifier: MIT */
// sources: hypervisor/pv/decode.c
/* The decoder of privileged instructions: every form that it knows, prefixes, lengths, what it refuses. */
#include "unit.h"
#include "pv/decode.h"

#define DECODE(...) decode((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static struct insn insn;
static enum insn_result result;

/* The bytes are one instruction: shorter input is truncated, longer changes nothing. */
static void decode(const uint8_t *bytes, size_t n)
{
	uint8_t longer[32];
	struct insn again;

	result = insn_decode(bytes, n, &insn);
	if (result != INSN_OK)
		return;
	assert_int_equal(insn.length, n);
	for (size_t less = 0; less < n; less++)
		assert_int_equal(insn_decode(bytes, less, &again), INSN_TRUNCATED);
	memset(longer, 0xcc, sizeof(longer));
	memcpy(longer, bytes, n);
	assert_int_equal(insn_decode(longer, sizeof(longer), &again), INSN_OK);
	assert_memory_equal(&insn, &again, sizeof(insn));
}

static void expect(enum insn_op op)
{
	assert_int_equal(result, INSN_OK);
	assert_int_equal(insn.op, op);
}

static void test_ports(void **state)
{
	DECODE(0xe4, 0x71);
	expect(INSN_IN);
	assert_true(insn.port_given && insn.port == 0x71 && insn.size == 1);
	DECODE(0xe5, 0xff);
	expect(INSN_IN);
	assert_true(insn.port == 0xff && insn.size == 4);
	DECODE(0x66, 0xe7, 0x80);
	expect(INSN_OUT);
	assert_true(insn.port == 0x80 && insn.size == 2);
	DECODE(0xec);
	expect(INSN_IN);
	assert_true(!insn.port_given && insn.size == 1);
	DECODE(0xed);
	expect(INSN_IN);
	assert_int_equal(insn.size, 4);
	DECODE(0x66, 0xef);
	expect(INSN_OUT);
	assert_int_equal(insn.size, 2);
	DECODE(0x48, 0xef); /* REX.W has no effect on ports */
	expect(INSN_OUT);
	assert_int_equal(insn.size, 4);
}

static void test_strings(void **state)
{
	DECODE(0x6c);
	expect(INSN_INS);
	assert_true(insn.size == 1 && !insn.rep && !insn.address32);
	DECODE(0xf3, 0x66, 0x6d);
	expect(INSN_INS);
	assert_true(insn.size == 2 && insn.rep);
	DECODE(0xf2, 0x67, 0x6f);
	expect(INSN_OUTS);
	assert_true(insn.size == 4 && insn.rep && insn.address32);
	DECODE(0x64, 0x6e);
	expect(INSN_OUTS);
	assert_int_equal(insn.segment, SEGMENT_FS);
	DECODE(0x65, 0xf3, 0x6f);
	expect(INSN_OUTS);
	assert_int_equal(insn.segment, SEGMENT_GS);
	DECODE(0x2e, 0x6e);
	expect(INSN_OUTS);
	assert_int_equal(insn.segment, SEGMENT_DEFAULT);
}

static void test_control_registers(void **state)
{
	DECODE(0x0f, 0x20, 0xc0); /* mov %cr0, %rax */
	expect(INSN_MOV_FROM_CR);
	assert_true(insn.reg == 0 && insn.rm == 0);
	DECODE(0x0f, 0x22, 0xdf); /* mov %rdi, %cr3 */
	expect(INSN_MOV_TO_CR);
	assert_true(insn.reg == 3 && insn.rm == 7);
	DECODE(0x41, 0x0f, 0x20, 0xe7); /* mov %cr4, %r15 */
	expect(INSN_MOV_FROM_CR);
	assert_true(insn.reg == 4 && insn.rm == 15);
	DECODE(0x44, 0x0f, 0x22, 0xc0); /* mov %rax, %cr8 */
	expect(INSN_MOV_TO_CR);
	assert_int_equal(insn.reg, 8);
	DECODE(0x0f, 0x20, 0x10); /* the mod field does not count */
	expect(INSN_MOV_FROM_CR);
	assert_true(insn.reg == 2 && insn.rm == 0);
	DECODE(0x0f, 0x21, 0xf9); /* mov %dr7, %rcx */
	expect(INSN_MOV_FROM_DR);
	assert_true(insn.reg == 7 && insn.rm == 1);
	DECODE(0x0f, 0x23, 0xc2);
	expect(INSN_MOV_TO_DR);
	assert_true(insn.reg == 0 && insn.rm == 2);
	DECODE(0x0f, 0x06);
	expect(INSN_CLTS);
	DECODE(0x0f, 0x01, 0xf3); /* lmsw %bx */
	expect(INSN_LMSW);
	assert_int_equal(insn.rm, 3);
	DECODE(0x49, 0x0f, 0x01, 0xe1); /* smsw %r9 */
	expect(INSN_SMSW);
	assert_true(insn.rm == 9 && insn.size == 8);
	DECODE(0x66, 0x0f, 0x01, 0xe0);
	expect(INSN_SMSW);
	assert_int_equal(insn.size, 2);
}

static void test_others(void **state)
{
	DECODE(0xfa);
	expect(INSN_CLI);
	DECODE(0xfb);
	expect(INSN_STI);
	DECODE(0x0f, 0x30);
	expect(INSN_WRMSR);
	DECODE(0x0f, 0x32);
	expect(INSN_RDMSR);
	DECODE(0x0f, 0x09);
	expect(INSN_WBINVD);
	DECODE(0x0f, 0x01, 0xd1);
	expect(INSN_XSETBV);
}

static void test_refused(void **state)
{
	static const uint8_t refused[][4] = {
	    {0xf4},		      /* hlt */
	    {0x0f, 0x01, 0x38},	      /* invlpg (%rax) */
	    {0x0f, 0x01, 0xf8},	      /* swapgs */
	    {0x0f, 0x01, 0x18},	      /* lidt (%rax) */
	    {0x0f, 0x01, 0x30},	      /* lmsw (%rax) */
	    {0x0f, 0x33},	      /* rdpmc */
	    {0x0f, 0x08},	      /* invd */
	    {0x0f, 0x24, 0xc0},	      /* test registers of long ago */
	    {0xf0, 0x0f, 0x20, 0xc0}, /* lock mov %cr0: cr8 on some */
	    {0xf0, 0xec},	      /* lock in */
	    {0x66, 0x0f, 0x01, 0xd1}, /* prefix makes it another instruction */
	    {0xf3, 0x0f, 0x01, 0xd1},
	    {0xcd, 0x80},
	    {0xc5, 0xf8, 0x0f}, /* VEX */
	    {0x90},
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		assert_int_equal(insn_decode(refused[i], 4, &insn), INSN_OTHER);
}

/* A REX that is not right before the opcode does not count. */
static void test_rex_position(void **state)
{
	DECODE(0x44, 0x66, 0x0f, 0x20, 0xc0);
	expect(INSN_MOV_FROM_CR);
	assert_int_equal(insn.reg, 0);
	DECODE(0x66, 0x44, 0x0f, 0x20, 0xc0);
	expect(INSN_MOV_FROM_CR);
	assert_int_equal(insn.reg, 8);
	DECODE(0x41, 0x44, 0x0f, 0x20, 0xc0); /* the last one counts */
	expect(INSN_MOV_FROM_CR);
	assert_true(insn.reg == 8 && insn.rm == 0);
}

/* Fifteen bytes are the CPU's limit. */
static void test_length_limit(void **state)
{
	uint8_t bytes[32];

	memset(bytes, 0x66, sizeof(bytes));
	bytes[14] = 0xec;
	assert_int_equal(insn_decode(bytes, sizeof(bytes), &insn), INSN_OK);
	assert_int_equal(insn.length, 15);
	bytes[14] = 0x66;
	bytes[15] = 0xec;
	assert_int_equal(insn_decode(bytes, sizeof(bytes), &insn), INSN_OTHER);
	assert_int_equal(insn_decode(bytes, 15, &insn), INSN_OTHER);
	assert_int_equal(insn_decode(bytes, 14, &insn), INSN_TRUNCATED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ports),
	    cmocka_unit_test(test_strings),
	    cmocka_unit_test(test_control_registers),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_refused),
	    cmocka_unit_test(test_rex_position),
	    cmocka_unit_test(test_length_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
