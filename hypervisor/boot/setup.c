/* SPDX-License-Identifier: MIT */
/* From the boot loader to the first domain: the order in which things come to work. */
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "cpu/x86.h"
#include "domain/domain.h"
#include "irq/irq.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "sched/sched.h"
#include "time/time.h"

#define MULTIBOOT2_LOADED   0x36d76289 /* Multiboot2 specification 3.3 */
#define MAX_MULTIBOOT2_INFO (1UL << 20)

static uint64_t entry_tsc __initdata;

/* Not __init: it gives the memory of what is back. */
static void __attribute__((noreturn)) end_boot(void)
{
	discard_boot_memory();
	domain_unpause(dom0);
	vcpu_pause_flag_clear(dom0->vcpu[0], VPF_DOWN);
	scrub_ahead_begin();
	idle_loop();
}

static void __init __attribute__((noreturn)) boot_on_final_stack(void)
{
	cpu_init(0);
	mm_init();
	console_init();
	acpi_init();
	firmware_info_init();
	if (!idle_vcpu_create(0))
		BUG();
	current = idle_domain.vcpu[0];
	apic_init_bsp();
	ioapic_init();
	time_init();
	time_init_cpu();
	sched_init();
	domain_init();
	console_init_irq();
	smp_boot_cpus();
	irq_init();
	build_dom0();
	printk(LOG_INFO "Memory: %lu of %lu KiB left\n", free_frames() * 4, total_frames() * 4);
	printk(LOG_INFO "Boot took %lu kilocycles\n", (rdtsc() - entry_tsc) / 1000);
	console_end_boot();
	reset_stack_and_jump(end_boot);
}

/* From head.S, on the boot stack: the boot CPU alone, paging on, interrupts off. */
void boot_main(uint32_t magic, paddr_t info);

void __init boot_main(uint32_t magic, paddr_t info)
{
	const char *error;

	entry_tsc = rdtsc();
	trap_init();
	console_init_early();
	if (magic != MULTIBOOT2_LOADED)
		boot_fail("The boot loader does not speak Multiboot2: start Cerne by `multiboot2`");
	error = multiboot2_parse(phys_to_virt(info), MAX_MULTIBOOT2_INFO, &boot_info);
	if (error)
		boot_fail("What the boot loader passed is not usable: %s", error);
	option_parse(boot_info.cmdline);
	cpu_features_init_bsp();
	boot_memory_init();
	pagetable_init();
	percpu_switch_boot_stack(boot_on_final_stack);
}
