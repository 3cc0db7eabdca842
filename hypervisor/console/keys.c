/* SPDX-License-Identifier: MIT */
/* Debug keys. What they print goes out whatever loglvl says: somebody asked. */
#include "console/console.h"
#include "console/internal.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/lib.h"
#include "mm/mm.h"

static struct {
	char key;
	void (*fn)(char key);
	const char *help;
} keys[32];
static unsigned int nr_keys;

void console_key_register(char key, void (*fn)(char key), const char *help)
{
	if (nr_keys == ARRAY_SIZE(keys)) {
		printk(LOG_WARN "No room for the debug key '%c'\n", key);
		return;
	}
	keys[nr_keys].key = key;
	keys[nr_keys].fn = fn;
	keys[nr_keys++].help = help;
}

void console_debug_key(char key)
{
	for (unsigned int i = 0; i < nr_keys; i++)
		if (keys[i].key == key) {
			keys[i].fn(key);
			return;
		}
	if (key > ' ' && key < 0x7f)
		printk(LOG_ERR "No debug key '%c'; 'h' lists them\n", key);
}

static void key_help(char key)
{
	for (unsigned int i = 0; i < nr_keys; i++)
		printk(LOG_ERR "key '%c': %s\n", keys[i].key, keys[i].help);
}

static void key_audit(char key)
{
	mm_audit();
}

static void key_restart(char key)
{
	printk(LOG_ERR "Restart asked for by key\n");
	machine_restart();
}

/* What a CPU that was interrupted knows of itself. */
struct snapshot {
	struct vcpu *v;
	struct cpu_user_regs regs;
};

static void take_snapshot(void *arg)
{
	struct snapshot *s = arg;

	s->v = current;
	s->regs = cpu_info()->guest_regs;
}

static void key_registers(char key)
{
	unsigned int cpu;

	for_each_cpu(cpu, cpu_online_mask)
	{
		struct snapshot s = {0};

		smp_call(1UL << cpu, take_snapshot, &s);
		if (!s.v || s.v->is_idle) {
			printk(LOG_ERR "CPU %u: idle\n", cpu);
			continue;
		}
		printk(LOG_ERR "CPU %u: domain %u vCPU %u\n", cpu, s.v->domain->id, s.v->id);
		show_registers(&s.regs);
	}
}

static void show_vcpu(const struct vcpu *v)
{
	static const char states[][9] = {"running", "runnable", "blocked", "offline"};
	unsigned int state = v->runstate.state;

	printk(LOG_ERR "  vCPU %u on CPU %u: %s, pause flags %#lx, upcall pending %u mask %u\n",
	       v->id, v->sched.cpu, state < ARRAY_SIZE(states) ? states[state] : "?",
	       v->pause_flags, v->vcpu_info ? v->vcpu_info->evtchn_upcall_pending : 0,
	       v->vcpu_info ? v->vcpu_info->evtchn_upcall_mask : 0);
}

static void key_domains(char key)
{
	struct domain *d;

	for_each_domain(d)
	{
		printk(LOG_ERR "Domain %u: %lu pages of %lu, %u vCPUs, %u references%s%s%s\n",
		       d->id, d->mm.tot_pages, d->mm.max_pages, d->max_vcpus, d->refs,
		       d->pauses ? ", paused" : "", d->is_shut_down ? ", shut down" : "",
		       d->is_dying ? ", dying" : "");
		for (unsigned int i = 0; i < d->max_vcpus; i++)
			show_vcpu(d->vcpu[i]);
	}
}

static void key_events(char key)
{
	struct domain *d;

	for_each_domain(d)
	{
		printk(LOG_ERR "Event channels of domain %u\n", d->id);
		evtchn_dump(d);
	}
}

static void key_memory(char key)
{
	printk(LOG_ERR "Memory: %lu KiB of RAM, %lu KiB free\n", total_frames() * 4,
	       free_frames() * 4);
}

void console_keys_init(void)
{
	console_key_register('h', key_help, "this list");
	console_key_register('A', key_audit,
			     "audit: recount every reference and type of every frame");
	console_key_register('R', key_restart, "restart the machine");
	console_key_register('d', key_registers, "registers of the CPUs' guests");
	console_key_register('q', key_domains, "domains and vCPUs");
	console_key_register('e', key_events, "event channels of the domains");
	console_key_register('m', key_memory, "memory");
}
