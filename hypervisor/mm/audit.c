/* SPDX-License-Identifier: MIT */
/*
 * The page audit: every reference and type recounted from nothing, by the table of holders in
 * page_type.c's essay, and compared with the frame table. Nothing of the counts is believed: what is a
 * table follows from its VALID or PARTIAL flag, and that flag is found wrong if nothing refers to it.
 *
 * Frames are done in windows, as many at a time as there is memory for two numbers each, with all tables
 * walked once for each window.
 */
#include "mm/page_type.h"
#include "console/console.h"
#include "cpu/cpu.h"
#include "domain/domain.h"
#include "lib/bitops.h"

#define ENTRIES		 512
#define MAX_WINDOW_ORDER 12
#define MAX_LINES	 20 /* of single mismatches */

/* What was found for a frame: references, typed ones among them, and of which type (bits). */
struct found {
	uint32_t refs;
	uint32_t typed : 24, types : 8;
};

static struct audit {
	mfn_t start, end; /* the window */
	struct found *found;
	unsigned long mismatches, frames;
} audit;

static void __printf(2, 3) mismatch(mfn_t mfn, const char *fmt, ...)
{
	char text[128];
	va_list ap;

	if (audit.mismatches++ >= MAX_LINES)
		return;
	va_start(ap, fmt);
	format_va(text, sizeof(text), fmt, ap);
	va_end(ap);
	printk(LOG_ERR "audit: frame %#lx: state %#lx: %s\n", mfn, frame_table[mfn].state, text);
}

/* ---- counting ---- */

static void note(mfn_t mfn, unsigned int type)
{
	struct found *f;

	if (mfn < audit.start || mfn >= audit.end)
		return;
	f = &audit.found[mfn - audit.start];
	f->refs++;
	if (type == PT_NONE)
		return;
	f->typed++;
	f->types |= 1U << type;
}

static void note_entries(const struct frame *f, unsigned int level, unsigned int count)
{
	const uint64_t *table = mfn_to_virt(frame_mfn(f));

	for (unsigned int i = 0; i < count; i++) {
		uint64_t e = table[i];

		if (!(e & PTE_PRESENT) || (level == PT_L4 && is_hv_slot(i)) || !entry_frame(e))
			continue;
		if (level == PT_L1)
			note(entry_mfn(e), e & PTE_RW ? PT_WRITABLE : PT_NONE);
		else
			note(entry_mfn(e), level - 1);
	}
}

static void note_frame(const struct frame *f)
{
	uint64_t s = f->state;
	unsigned int type = state_type(s);
	mfn_t mfn = frame_mfn(f);

	if (!(s & FRAME_RAM) || !state_refs(s))
		return;
	if (s & FRAME_ALLOC)
		note(mfn, PT_NONE);
	if (s & FRAME_HV)
		note(mfn, type);
	if (s & FRAME_PINNED)
		note(mfn, type);
	if ((s & FRAME_PARTIAL) && !state_type_refs(s))
		note(mfn, PT_NONE);
	if (is_table_type(type) && (s & (FRAME_VALID | FRAME_PARTIAL)))
		note_entries(f, type, s & FRAME_PARTIAL ? f->index : ENTRIES);
}

static void note_vcpu(const struct vcpu *v)
{
	if (v->kernel_root != INVALID_MFN)
		note(v->kernel_root, PT_L4);
	if (v->user_root != INVALID_MFN)
		note(v->user_root, PT_L4);
	if (v->put_pending)
		note(v->put_pending, state_type(frame_table[v->put_pending].state));
	if (v->vcpu_info_mfn != INVALID_MFN)
		note(v->vcpu_info_mfn, PT_WRITABLE);
	for (unsigned int i = 0; i < DIV_ROUND_UP(v->pv.gdt_ents, ENTRIES); i++)
		note(v->pv.gdt_frames[i], PT_SEG_DESC);
	for (uint32_t left = v->pv.ldt_mapped; left; left &= left - 1)
		note(v->pv.ldt_frames[lowest_bit(left)], PT_SEG_DESC);
}

static void note_grants(const struct domain *d)
{
	for (unsigned int i = 0; i < d->grant.nr_frames; i++)
		for (unsigned int k = 0; k < GRANTS_PER_FRAME; k++) {
			const struct grant_active *a = &d->grant.active[i][k];

			if (a->uses && a->mfn != GRANT_NO_FRAME)
				note(a->mfn, a->writers ? PT_WRITABLE : PT_NONE);
		}
}

static void note_domain(const struct domain *d)
{
	const struct evtchn_fifo *fifo = d->evtchn.fifo;

	for (unsigned int i = 0; i < d->max_vcpus; i++) {
		note_vcpu(d->vcpu[i]);
		if (fifo && fifo->queues[i].block_mfn != INVALID_MFN)
			note(fifo->queues[i].block_mfn, PT_WRITABLE);
	}
	if (d->irq.eoi_map)
		note(virt_to_mfn(d->irq.eoi_map), PT_WRITABLE);
	for (unsigned int i = 0; fifo && i < fifo->nr_words / WORDS_PER_EVENT_PAGE; i++)
		note(virt_to_mfn(fifo->page[i]), PT_WRITABLE);
	note_grants(d);
}

/* ---- comparing ---- */

/* In an L4 in use the hypervisor's slots are the model's; the first may be hidden (show_m2p()). */
static void check_slots(const struct frame *f)
{
	const uint64_t *table = mfn_to_virt(frame_mfn(f));

	for (unsigned int i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
		if ((i != HV_FIRST_SLOT || table[i]) &&
		    (table[i] ^ idle_root[i]) & ~(uint64_t)(PTE_ACCESSED | PTE_DIRTY))
			mismatch(frame_mfn(f), "slot %u is %#lx", i, table[i]);
}

static void check_frame(const struct frame *f, const struct found *found)
{
	uint64_t s = f->state;
	unsigned int type = state_type(s);
	mfn_t mfn = frame_mfn(f);

	if (!(s & FRAME_RAM))
		return;
	audit.frames++;
	if (state_refs(s) != found->refs)
		mismatch(mfn, "%lu references, found %u", state_refs(s), found->refs);
	if (!state_refs(s)) {
		if (!(s & (FRAME_FREE | FRAME_HV)))
			mismatch(mfn, "lost");
		return;
	}
	if (state_type_refs(s) != found->typed)
		mismatch(mfn, "type count %lu, found %u", state_type_refs(s), found->typed);
	if (found->types & ~(1U << type))
		mismatch(mfn, "type %u, used as types %#x", type, found->types);
	if (is_table_type(type) && state_type_refs(s) && !(s & (FRAME_VALID | FRAME_PARTIAL)))
		mismatch(mfn, "a table that is not validated");
	if (!state_type_refs(s) && (s & FRAME_VALID))
		mismatch(mfn, "validated without use");
	if (type == PT_L4 && (s & FRAME_VALID))
		check_slots(f);
}

/* A domain's count of pages is that of its frames, and no frame belongs to nobody. */
static void check_owners(void)
{
	struct domain *d;

	for_each_domain(d) d->mm.audited = 0;
	for (mfn_t mfn = 0; mfn < max_mfn; mfn++) {
		const struct frame *f = &frame_table[mfn];

		if (!(f->state & FRAME_RAM) || !state_refs(f->state))
			continue;
		d = owner_domain(f->owner);
		if (!d)
			mismatch(mfn, "belongs to domain %u, which does not exist", f->owner);
		else if (!(f->state & FRAME_HV))
			d->mm.audited++;
	}
	for_each_domain(d)
	{
		if (d->mm.audited == d->mm.tot_pages)
			continue;
		audit.mismatches++;
		printk(LOG_ERR "audit: domain %u has %lu pages, found %lu\n", d->id,
		       d->mm.tot_pages, d->mm.audited);
	}
}

static void run_audit(void *unused)
{
	mfn_t window = audit.end;
	struct domain *d;
	uint64_t in_lists;

	for (audit.start = 0; audit.start < max_mfn; audit.start = audit.end) {
		audit.end = min(audit.start + window, max_mfn);
		memset(audit.found, 0, (audit.end - audit.start) * sizeof(audit.found[0]));
		for (mfn_t mfn = 0; mfn < max_mfn; mfn++)
			note_frame(&frame_table[mfn]);
		for_each_domain(d) note_domain(d);
		for (mfn_t mfn = audit.start; mfn < audit.end; mfn++)
			check_frame(&frame_table[mfn], &audit.found[mfn - audit.start]);
	}
	check_owners();
	if (!check_free_lists(&in_lists)) {
		audit.mismatches++;
		printk(LOG_ERR "audit: free lists hold %lu frames, count is %lu\n", in_lists,
		       free_frames());
	}
}

unsigned long mm_audit(void)
{
	struct domain *d;
	struct found *found = NULL;
	int order = (int)highest_bit(PFN_UP(max_mfn * sizeof(*found))) + 2;

	order = min(order, MAX_WINDOW_ORDER + 1);
	while (!found && --order >= 0)
		found = alloc_pages((unsigned int)order, 0);
	if (!found) {
		printk(LOG_ERR "audit: no memory to count in\n");
		return 1;
	}
	audit = (struct audit){.found = found, .end = (PAGE_SIZE << order) / sizeof(*found)};
	/* With the locks nobody is in the middle of a change; what needs no lock is one step each. */
	for_each_domain(d)
	{
		spin_lock(&d->mm.lock);
		d->mm.audit_locked = true;
	}
	smp_run_alone(run_audit, NULL);
	/* There may be a new domain. One that is on its way out needs its lock no more. */
	for_each_domain(d)
	{
		if (!d->mm.audit_locked)
			continue;
		d->mm.audit_locked = false;
		spin_unlock(&d->mm.lock);
	}
	free_pages_virt(found, (unsigned int)order);
	printk(LOG_INFO "audit: %lu frames, %lu mismatches\n", audit.frames, audit.mismatches);
	return audit.mismatches;
}
