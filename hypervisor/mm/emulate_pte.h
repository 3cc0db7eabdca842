/* SPDX-License-Identifier: MIT */
/* Private to mm/: the instructions by which guests write to their page tables. Pure, host-tested. */
#ifndef MM_EMULATE_PTE_H
#define MM_EMULATE_PTE_H

#include "lib/types.h"
#include <public/xen.h>

#define MAX_INSN 15

enum pte_write_op {
	/* the first eight in the order of the encoding (SDM 2 A.3) */
	PTE_ADD,
	PTE_OR,
	PTE_ADC,
	PTE_SBB,
	PTE_AND,
	PTE_SUB,
	PTE_XOR,
	PTE_CMP, /* never: it writes nothing */
	PTE_MOV,
	PTE_STOS,
	PTE_XCHG,
	PTE_XADD,
	PTE_CMPXCHG,
	PTE_BTS,
	PTE_BTR,
	PTE_BTC,
};

struct pte_write {
	enum pte_write_op op;
	unsigned int length; /* of the instruction */
	unsigned int size;   /* of the operand: 1, 2, 4, 8 bytes */
	vaddr_t address;     /* of the operand */
	uint64_t
	    source; /* value of the register or immediate, sign-extended; bit number for bit ops */
	unsigned int reg; /* XCHG, XADD: the register that takes the old value */
	bool high_byte;	  /* it is AH, CH, DH or BH */
	bool rep;
};

/* Bytes of an instruction and the registers it meets. False: not one of these. */
bool pte_write_decode(const uint8_t *insn, unsigned int len, const struct cpu_user_regs *regs,
		      struct pte_write *w);
/* What memory that holds old then holds, and the registers afterwards but for rip. old: size bytes. */
uint64_t pte_write_execute(const struct pte_write *w, uint64_t old, struct cpu_user_regs *regs);

#endif
