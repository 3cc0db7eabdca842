/* SPDX-License-Identifier: MIT */
/*
 * Vectors and what stands behind them: see irq.h for the course of an interrupt.
 *
 * Moving an interrupt to another CPU happens on its way, so that nothing has to be stopped: the new place is
 * entered into the tables first, and the old one stays until an interrupt has come to the new one. What was on
 * its way to the old place until then is older than that one, and the event that it would be is pending
 * already. For what is not masked meanwhile the new vector is one that is free on both CPUs, because the
 * hardware takes vector and CPU one after the other.
 */
#include "irq/internal.h"
#include "boot/boot.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "event/event.h"
#include "lib/bitops.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "mm/mm.h"
#include "time/time.h"
#include <public/physdev.h>

/* More than this many interrupts in that time is a storm; then it is quiet for the pause. */
#define STORM_COUNT 4096 /* a power of two */
#define STORM_TIME  4000000L
#define STORM_PAUSE 10000000L
/* A vCPU that is elsewhere for this many interrupts in a row is worth moving after. */
#define AWAY_TO_MOVE 8

static DEFINE_PER_CPU(struct irq *[256], vector_irq);
static spinlock_t vector_lock; /* leaf: all CPUs' tables, changes of them */

static struct irq *gsis; /* one for each line */
static unsigned int nr_gsis;
static struct irq *free_msis;
static spinlock_t free_lock;
static unsigned int strays;

/* ---- vectors ---- */

/* Without remapping of interrupts, messages and IO-APICs have eight bits for the CPU. */
static bool reachable(unsigned int cpu)
{
	return cpu < NR_CPUS && cpu_online_mask >> cpu & 1 && apic_id_of(cpu) < 0xff;
}

static bool vector_is_free(unsigned int cpu, unsigned int vector)
{
	return !per_cpu(vector_irq, cpu)[vector];
}

static void vector_set(unsigned int cpu, unsigned int vector, struct irq *irq)
{
	__atomic_store_n(&per_cpu(vector_irq, cpu)[vector], irq, __ATOMIC_RELEASE);
}

/*
 * Take a vector on cpu for irq; if also is not the same, it is free there too, or irq's, and taken there. The
 * present number is best, for then only one register changes. 0: none.
 */
static unsigned int vector_take(struct irq *irq, unsigned int cpu, unsigned int also)
{
	unsigned int found = 0;

	spin_lock(&vector_lock);
	if (irq->vector && vector_is_free(cpu, irq->vector))
		found = irq->vector;
	for (unsigned int v = VECTOR_FIRST_DYNAMIC; !found && v <= VECTOR_LAST_DYNAMIC; v++)
		if (vector_is_free(cpu, v) && vector_is_free(also, v))
			found = v;
	if (found) {
		vector_set(cpu, found, irq);
		if (also != cpu)
			vector_set(also, found, irq);
	}
	spin_unlock(&vector_lock);
	return found;
}

static void vector_drop(struct irq *irq, unsigned int cpu, unsigned int vector)
{
	if (!vector)
		return;
	spin_lock(&vector_lock);
	if (per_cpu(vector_irq, cpu)[vector] == irq)
		vector_set(cpu, vector, NULL);
	spin_unlock(&vector_lock);
}

/* The place before the last move; with it, the number that had to be free on both. */
static void drop_old(struct irq *irq)
{
	if (!irq->old_vector)
		return;
	vector_drop(irq, irq->old_cpu, irq->old_vector);
	vector_drop(irq, irq->old_cpu, irq->vector);
	irq->old_vector = 0;
}

/* A first place: on the wanted CPU, or on any. */
static bool place(struct irq *irq, unsigned int cpu)
{
	unsigned int other;

	irq->vector = 0;
	irq->vector = (uint8_t)(reachable(cpu) ? vector_take(irq, cpu, cpu) : 0);
	for (other = 0; !irq->vector && other < NR_CPUS; other++)
		if (reachable(other)) {
			cpu = other;
			irq->vector = (uint8_t)vector_take(irq, cpu, cpu);
		}
	irq->cpu = (uint8_t)cpu;
	irq->away = 0;
	return irq->vector;
}

static void unplace(struct irq *irq)
{
	drop_old(irq);
	vector_drop(irq, irq->cpu, irq->vector);
	irq->vector = 0;
}

/* ---- lines and messages ---- */

bool irq_needs_eoi(const struct irq *irq)
{
	return irq->kind == IRQ_GSI && irq->level;
}

static void set_mask(struct irq *irq, bool masked)
{
	if (irq->kind == IRQ_GSI)
		ioapic_mask(irq->number, masked);
	else
		msi_mask(irq, masked);
}

static void write_route(struct irq *irq, bool masked)
{
	if (irq->kind == IRQ_GSI)
		ioapic_set(irq->number, irq->vector, irq->cpu,
			   (irq->level ? IOAPIC_LEVEL : 0) | (irq->low ? IOAPIC_LOW : 0) |
			       (masked ? IOAPIC_MASKED : 0));
	else
		msi_write(irq);
}

/* A line is masked at this time, anything else need not be. */
static void move(struct irq *irq, unsigned int cpu)
{
	unsigned int vector;

	irq->away = 0;
	/* By now the vCPU may be back. */
	if (cpu == irq->cpu || irq->old_vector || !reachable(cpu))
		return;
	vector = vector_take(irq, cpu, irq->cpu);
	if (!vector)
		return;
	irq->old_vector = irq->vector;
	irq->old_cpu = irq->cpu;
	irq->vector = (uint8_t)vector;
	irq->cpu = (uint8_t)cpu;
	write_route(irq, irq_needs_eoi(irq));
}

/* ---- on arrival ---- */

static void stray(unsigned int vector)
{
	if (__atomic_fetch_add(&strays, 1, __ATOMIC_RELAXED) == 0)
		printk(LOG_WARN
		       "interrupt vector %#x on CPU %u is nobody's; further ones are not told\n",
		       vector, smp_processor_id());
}

static void storm_over(void *data)
{
	struct irq *irq = data;

	spin_lock(&irq->lock);
	if (irq->storm) {
		irq->storm = false;
		irq->window = now();
		if (irq->guests && !irq->awaited)
			set_mask(irq, false);
		/* Edges that the mask kept out: the guest looks. */
		for (unsigned int i = 0; i < irq->guests; i++)
			send_guest_pirq(irq->guest[i]->domain, irq->guest[i]->port);
	}
	spin_unlock(&irq->lock);
}

/* Every STORM_COUNT-th interrupt of those that need no answer. */
static void storm_check(struct irq *irq)
{
	stime_t t = now();

	if (t - irq->window < STORM_TIME && irq->maskable) {
		if (!irq->storm)
			guest_log("interrupt %u of kind %u storms\n", irq->number, irq->kind);
		irq->storm = true;
		set_mask(irq, true);
		timer_set(&irq->timer, t + STORM_PAUSE);
	}
	irq->window = t;
}

/* Tell all who bound it; where the first one's vCPU is. */
static unsigned int tell(struct irq *irq, bool answer)
{
	unsigned int cpu = irq->cpu;

	for (unsigned int i = 0; i < irq->guests; i++) {
		struct pirq *p = irq->guest[i];
		struct vcpu *v;

		/* Nobody looks any more. */
		if (unlikely(READ_ONCE(p->domain->is_shut_down)))
			continue;
		if (answer && !p->awaited) {
			p->awaited = true;
			irq->awaited++;
		}
		v = send_guest_pirq(p->domain, p->port);
		if (i == 0)
			cpu = READ_ONCE(v->sched.cpu);
	}
	return cpu;
}

static void device_interrupt(unsigned int vector, struct cpu_user_regs *regs)
{
	struct irq *irq = __atomic_load_n(&this_cpu(vector_irq)[vector], __ATOMIC_ACQUIRE);
	unsigned int cpu;
	bool answer;

	if (unlikely(!irq)) {
		apic_eoi();
		stray(vector);
		return;
	}
	spin_lock(&irq->lock);
	answer = irq_needs_eoi(irq);
	/* Before the EOI: else the line, still active, would come again at once. */
	if (answer || unlikely(!irq->guests))
		set_mask(irq, true);
	apic_eoi();
	if (vector == irq->vector && unlikely(irq->old_vector) && smp_processor_id() == irq->cpu)
		drop_old(irq);
	cpu = tell(irq, answer);
	if (unlikely(cpu != irq->cpu)) {
		if (++irq->away >= AWAY_TO_MOVE && !answer)
			move(irq, cpu);
	} else {
		irq->away = 0;
	}
	if (unlikely(++irq->count % STORM_COUNT == 0) && !answer)
		storm_check(irq);
	spin_unlock(&irq->lock);
}

/* ---- answers ---- */

/* The last answer is there: let the line through again, to where its vCPU is. */
static void answered(struct irq *irq)
{
	const struct pirq *p = irq->guests ? irq->guest[0] : NULL;

	if (!p)
		return;
	if (unlikely(irq->away >= AWAY_TO_MOVE) && !ioapic_in_service(irq->number))
		move(irq, READ_ONCE(evtchn_vcpu(p->domain, p->port)->sched.cpu));
	set_mask(irq, false);
}

long irq_eoi(struct pirq *p)
{
	struct irq *irq = READ_ONCE(p->irq);
	long rc = 0;

	if (unlikely(!irq))
		return -EINVAL;
	spin_lock(&irq->lock);
	if (unlikely(p->irq != irq || !p->port)) {
		rc = -EINVAL;
	} else if (p->awaited) {
		p->awaited = false;
		if (--irq->awaited == 0)
			answered(irq);
	}
	spin_unlock(&irq->lock);
	return rc;
}

/* ---- binding ---- */

static long may_bind(const struct irq *irq, bool share)
{
	if (irq->kind == IRQ_GSI && ioapic_owned(irq->number))
		return -EBUSY;
	if (!irq->guests)
		return 0;
	return irq->level && irq->shared && share && irq->guests < IRQ_MAX_GUESTS ? 0 : -EBUSY;
}

long irq_bind(struct irq *irq, struct pirq *p, evtchn_port_t port, bool share)
{
	long rc;

	spin_lock(&irq->lock);
	rc = may_bind(irq, share);
	if (!rc && !irq->vector && !place(irq, p->domain->vcpu[0]->sched.cpu))
		rc = -ENOSPC;
	if (!rc) {
		p->port = port;
		p->awaited = false;
		irq->shared = share;
		irq->guest[irq->guests++] = p;
		if (irq->guests == 1) {
			irq->count = 0;
			irq->window = now();
			if (irq->kind == IRQ_GSI)
				write_route(irq, true);
			set_mask(irq, false);
		}
	}
	spin_unlock(&irq->lock);
	return rc;
}

void irq_unbind(struct irq *irq, struct pirq *p)
{
	spin_lock(&irq->lock);
	for (unsigned int i = 0; i < irq->guests; i++)
		if (irq->guest[i] == p) {
			irq->guest[i] = irq->guest[--irq->guests];
			break;
		}
	p->port = 0;
	if (!irq->guests) {
		irq->awaited = 0;
		irq->storm = false;
		set_mask(irq, true);
		/* A message keeps its vector until it is unmapped: perhaps it can't be masked. */
		if (irq->kind == IRQ_GSI)
			unplace(irq);
	} else if (p->awaited && --irq->awaited == 0) {
		answered(irq);
	}
	p->awaited = false;
	spin_unlock(&irq->lock);
}

/* ---- lines ---- */

struct irq *irq_of_gsi(unsigned int gsi)
{
	return gsi < nr_gsis ? &gsis[clamp_index(gsi, nr_gsis)] : NULL;
}

long gsi_setup(unsigned int gsi, bool level, bool low)
{
	struct irq *irq = irq_of_gsi(gsi);
	long rc = 0;

	if (!irq)
		return -EINVAL;
	spin_lock(&irq->lock);
	/* Line 0 was the timer's once, and is not given away. */
	if (gsi == 0 || irq->configured || ioapic_owned(gsi)) {
		rc = -EEXIST;
	} else {
		irq->configured = true;
		irq->level = level;
		irq->low = low;
		if (irq->guests)
			write_route(irq, irq->awaited);
	}
	spin_unlock(&irq->lock);
	return rc;
}

void gsi_set_mode(unsigned int gsi, bool level, bool low)
{
	struct irq *irq = irq_of_gsi(gsi);

	if (!irq)
		return;
	spin_lock(&irq->lock);
	/* Not under a guest's hands: it may owe an answer. */
	if (!irq->guests && !ioapic_owned(gsi)) {
		irq->level = level;
		irq->low = low;
	}
	spin_unlock(&irq->lock);
}

/* ---- messages ---- */

struct irq *irq_create_msi(enum irq_kind kind, unsigned int cpu)
{
	struct irq *irq;

	spin_lock(&free_lock);
	irq = free_msis;
	if (irq)
		free_msis = irq->next;
	spin_unlock(&free_lock);
	if (!irq) {
		irq = kzalloc(sizeof(*irq));
		if (!irq)
			return NULL;
		spin_lock_init(&irq->lock);
		timer_init(&irq->timer, storm_over, irq, 0);
	}
	spin_lock(&irq->lock);
	irq->kind = (uint8_t)kind;
	irq->level = irq->storm = irq->shared = false;
	irq->maskable = kind == IRQ_MSIX;
	irq->next = NULL;
	if (place(irq, cpu))
		return irq;
	spin_unlock(&irq->lock);
	irq_release_msi(irq);
	return NULL;
}

/* No guest has it, and it is off. */
void irq_release_msi(struct irq *irq)
{
	timer_stop(&irq->timer);
	spin_lock(&irq->lock);
	unplace(irq);
	irq->kind = IRQ_FREE;
	irq->dev = NULL;
	irq->entry = NULL;
	spin_unlock(&irq->lock);

	spin_lock(&free_lock);
	irq->next = free_msis;
	free_msis = irq;
	spin_unlock(&free_lock);
}

/* ---- the start ---- */

static void show(char key)
{
	static const char *const kinds[] = {"free", "GSI", "MSI", "MSI-X"};

	for (unsigned int v = VECTOR_FIRST_DYNAMIC; v <= VECTOR_LAST_DYNAMIC; v++) {
		unsigned int cpu;

		for_each_cpu(cpu, cpu_online_mask)
		{
			const struct irq *irq = READ_ONCE(per_cpu(vector_irq, cpu)[v]);

			if (irq && irq->kind < ARRAY_SIZE(kinds))
				printk(LOG_ERR "CPU %u vector %#x: %s %u %s, %u guests, %u owe an "
					       "answer, %u came\n",
				       cpu, v, kinds[irq->kind], irq->number,
				       irq->level ? "level" : "edge", irq->guests, irq->awaited,
				       irq->count);
		}
	}
	printk(LOG_ERR "%u interrupts were nobody's\n", strays);
}

void __init irq_init(void)
{
	nr_gsis = ioapic_gsi_count();
	gsis = kzalloc(nr_gsis * sizeof(*gsis));
	if (nr_gsis && !gsis)
		panic("no memory for the interrupts");
	for (unsigned int i = 0; i < nr_gsis; i++) {
		gsis[i].kind = IRQ_GSI;
		gsis[i].number = i;
		gsis[i].maskable = true;
		/* What buses do when nobody says more: PCI's lines are level-triggered, active low. */
		gsis[i].level = gsis[i].low = i >= 16;
		timer_init(&gsis[i].timer, storm_over, &gsis[i], 0);
	}
	/* Backwards: a line that several ISA interrupts name is the lowest one's, by the firmware's word. */
	for (unsigned int i = 16; i-- > 0;) {
		bool level, low;
		struct irq *irq = irq_of_gsi(isa_irq_to_gsi(i, &level, &low));

		if (irq) {
			irq->level = level;
			irq->low = low;
		}
	}
	for (unsigned int v = VECTOR_FIRST_DYNAMIC; v <= VECTOR_LAST_DYNAMIC; v++)
		set_vector_handler(v, device_interrupt);
	console_key_register('i', show, "interrupts of devices");
	pci_init();
}
