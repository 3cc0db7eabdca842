/* SPDX-License-Identifier: MIT */
/* What the files of cpu/ tell each other and nobody else: selectors, IST numbers, set-up steps. */
#ifndef CPU_DESC_H
#define CPU_DESC_H

#include "cpu/cpu.h"

/* Selectors of the hypervisor's part of every GDT (desc.c) */
#define HYPERVISOR_CS 0xe008
#define HYPERVISOR_DS 0xe010
#define TSS_SELECTOR  0xe040
#define LDT_SELECTOR  0xe050

/* Interrupt stacks: TSS.ISTn. #DB shares that of #DF, which never returns. */
#define IST_NMI 1
#define IST_MC	2
#define IST_DF	3

struct descriptor_pointer {
	uint16_t limit;
	uint64_t base;
} __packed;

/* traps.c: this CPU's IDTR; the IDT's final form, when the GDT and TSS are (CPU 0). */
void load_idt(void);
void trap_init_final(void);
void mce_init_cpu(void);

/* features.c: rewrite the SMAP sites of entry.S and copy.S (cpu/asm.h). */
void smap_patch(void);

/* fpu.c */
void fpu_init_cpu(void);
void fpu_save(struct vcpu *v);
void fpu_restore(struct vcpu *v);

/* apic.c */
void apic_set_id(unsigned int cpu, uint32_t id);
void apic_send_init(uint32_t id);
void apic_send_startup(uint32_t id, paddr_t page);
void apic_send_nmi(unsigned int cpu);
bool apic_id_usable(uint32_t id);
uint32_t apic_own_id(void);
bool apic_ready(void);

/* ioapic.c */
void silence_8259s(void);

/* smp.c: an NMI came; does not return when it was smp_stop_others()'s. */
void smp_nmi(void);

#endif
