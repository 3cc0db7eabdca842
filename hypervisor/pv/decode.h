/* SPDX-License-Identifier: MIT */
/*
 * Decoder of the privileged instructions that the hypervisor carries out for guests, in 64-bit code.
 * Pure: bytes in, meaning out (host-tested and fuzzed). Encodings: SDM 2.
 */
#ifndef PV_DECODE_H
#define PV_DECODE_H

#include "lib/types.h"

#define INSN_MAX_LENGTH 15

enum insn_op {
	INSN_IN,
	INSN_OUT,
	INSN_INS,
	INSN_OUTS,
	INSN_CLI,
	INSN_STI,
	INSN_CLTS,
	INSN_WBINVD,
	INSN_MOV_FROM_CR,
	INSN_MOV_TO_CR,
	INSN_MOV_FROM_DR,
	INSN_MOV_TO_DR,
	INSN_RDMSR,
	INSN_WRMSR,
	INSN_LMSW,
	INSN_SMSW,
	INSN_XSETBV,
};

enum insn_segment { SEGMENT_DEFAULT, SEGMENT_FS, SEGMENT_GS };

struct insn {
	enum insn_op op;
	enum insn_segment segment; /* override, of OUTS */
	uint8_t length;		   /* 1 to INSN_MAX_LENGTH */
	uint8_t size;		   /* I/O: 1, 2, 4; SMSW: 2, 4, 8 */
	uint8_t reg;		   /* control or debug register, 0 to 15 */
	uint8_t rm;		   /* general register, 0 to 15, as encoded */
	uint8_t port;		   /* with port_given: the immediate */
	bool port_given;	   /* otherwise the port is in dx */
	bool rep;
	bool address32;
};

enum insn_result {
	INSN_OK,
	INSN_TRUNCATED, /* the bytes end before the instruction does */
	INSN_OTHER,	/* none of the above, or malformed */
};

/* Decode the instruction at bytes[0 .. available - 1]. *out is complete only with INSN_OK. */
enum insn_result insn_decode(const uint8_t *bytes, size_t available, struct insn *out);

#endif
