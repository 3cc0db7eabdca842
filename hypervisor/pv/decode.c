/* SPDX-License-Identifier: MIT */
#include "pv/decode.h"

#define REX_W 0x8
#define REX_R 0x4
#define REX_B 0x1

struct reader {
	const uint8_t *bytes;
	size_t available;
	size_t at;
	bool truncated;
};

/* The next byte; 0 and `truncated` when there is none. */
static uint8_t next(struct reader *r)
{
	if (r->at >= r->available) {
		r->truncated = true;
		return 0;
	}
	return r->bytes[r->at++];
}

struct prefixes {
	uint8_t rex;
	bool operand16, rep, lock;
};

/* Prefixes in any order; the opcode's first byte is returned. A REX counts only right before it. */
static uint8_t read_prefixes(struct reader *r, struct prefixes *p, struct insn *out)
{
	for (;;) {
		uint8_t byte = next(r);

		switch (byte) {
		case 0x66:
			p->operand16 = true;
			break;
		case 0x67:
			out->address32 = true;
			break;
		case 0xf0:
			p->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			p->rep = true;
			break;
		case 0x64:
			out->segment = SEGMENT_FS;
			break;
		case 0x65:
			out->segment = SEGMENT_GS;
			break;
		case 0x26:
		case 0x2e:
		case 0x36:
		case 0x3e:
			/* Base 0 in 64-bit code; whether such a prefix undoes fs or gs before it depends
			 * on the CPU's maker, and nobody writes that. */
			break;
		case 0x40 ... 0x4f:
			p->rex = byte;
			continue;
		default:
			return byte;
		}
		p->rex = 0;
	}
}

/* 0f 01: the register forms with meanings of their own. */
static bool decode_0f01(struct reader *r, const struct prefixes *p, struct insn *out)
{
	uint8_t modrm = next(r);

	if (modrm < 0xc0)
		return false;
	out->rm = (modrm & 7) | (p->rex & REX_B ? 8 : 0);
	switch (modrm >> 3 & 7) {
	case 4:
		out->op = INSN_SMSW;
		out->size = p->rex & REX_W ? 8 : p->operand16 ? 2 : 4;
		return true;
	case 6:
		out->op = INSN_LMSW;
		return true;
	default:
		out->op = INSN_XSETBV;
		return modrm == 0xd1 && !p->operand16 && !p->rep;
	}
}

static bool decode_0f(struct reader *r, const struct prefixes *p, struct insn *out)
{
	static const uint8_t moves[] = {INSN_MOV_FROM_CR, INSN_MOV_FROM_DR, INSN_MOV_TO_CR,
					INSN_MOV_TO_DR};
	uint8_t opcode = next(r), modrm;

	switch (opcode) {
	case 0x01:
		return decode_0f01(r, p, out);
	case 0x06:
		out->op = INSN_CLTS;
		return true;
	case 0x09:
		out->op = INSN_WBINVD;
		return true;
	case 0x20 ... 0x23:
		/* The mod field is ignored: always a register. */
		modrm = next(r);
		out->op = moves[opcode - 0x20];
		out->reg = (modrm >> 3 & 7) | (p->rex & REX_R ? 8 : 0);
		out->rm = (modrm & 7) | (p->rex & REX_B ? 8 : 0);
		return true;
	case 0x30:
		out->op = INSN_WRMSR;
		return true;
	case 0x32:
		out->op = INSN_RDMSR;
		return true;
	default:
		return false;
	}
}

static bool decode_one_byte(struct reader *r, const struct prefixes *p, struct insn *out,
			    uint8_t opcode)
{
	out->size = opcode & 1 ? (p->operand16 ? 2 : 4) : 1;
	switch (opcode) {
	case 0x6c:
	case 0x6d:
		out->op = INSN_INS;
		return true;
	case 0x6e:
	case 0x6f:
		out->op = INSN_OUTS;
		return true;
	case 0xe4 ... 0xe7:
		out->op = opcode < 0xe6 ? INSN_IN : INSN_OUT;
		out->port = next(r);
		out->port_given = true;
		return true;
	case 0xec ... 0xef:
		out->op = opcode < 0xee ? INSN_IN : INSN_OUT;
		return true;
	case 0xfa:
		out->op = INSN_CLI;
		return true;
	case 0xfb:
		out->op = INSN_STI;
		return true;
	default:
		return false;
	}
}

enum insn_result insn_decode(const uint8_t *bytes, size_t available, struct insn *out)
{
	struct reader r = {bytes, available < INSN_MAX_LENGTH ? available : INSN_MAX_LENGTH, 0,
			   false};
	struct prefixes p = {0};
	uint8_t opcode;
	bool known;

	*out = (struct insn){0};
	opcode = read_prefixes(&r, &p, out);
	known = opcode == 0x0f ? decode_0f(&r, &p, out) : decode_one_byte(&r, &p, out, opcode);
	if (r.truncated)
		return available < INSN_MAX_LENGTH ? INSN_TRUNCATED : INSN_OTHER;
	if (!known || p.lock)
		return INSN_OTHER;
	out->rep = p.rep && (out->op == INSN_INS || out->op == INSN_OUTS);
	out->length = (uint8_t)r.at;
	return INSN_OK;
}
