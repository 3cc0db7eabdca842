/* SPDX-License-Identifier: MIT */
/*
 * An ordinary domain that means harm to its neighbours: it goes through its attacks again and again, each for a
 * twentieth of a second, and never sleeps. What it can break is its own: its console, its store connection, itself.
 * The scenario looks at the others (tests/scenarios/test_hostile.py).
 *
 * Arguments: the names of the attacks to make, or none for all. "die" at the end of each round crashes, for a toolstack
 * that restarts it. It says "hostile: round N" on its console as long as it has not yet spoilt that.
 */
#include "../test.h"
#include <guest/byte_ring.h>
#include <guest/format.h>
#include <public/grant_table.h>
#include <public/io/console.h>
#include <public/io/xs_wire.h>

#define SPAN (50 * NSEC_PER_MSEC)

static uint64_t state = 1;
static struct xencons_interface *console;
static struct xenstore_domain_interface *store;
static struct byte_ring requests, answers;
static struct grant_entry_v1 *table;
static uint64_t *scratch;
/* Whose mappings are played with. */
#define POOL_PAGES 64
static void *pool;

static uint64_t any(uint64_t limit)
{
	return test_random(&state) % limit;
}

/* Attacks: each makes one small step, and is called until its time is over. */

/* Both channels, and all the ports that it has or has not. */
static void flood_events(void)
{
	event_send(start_info->console.domU.evtchn);
	event_send(start_info->store_evtchn);
	event_send((evtchn_port_t)any(4096));
}

/* Ports to dom0 until there are no more, then closed. */
static void flood_ports(void)
{
	struct evtchn_alloc_unbound op = {.dom = DOMID_SELF, .remote_dom = 0};

	if (hypercall_event_channel_op(EVTCHNOP_alloc_unbound, &op))
		for (evtchn_port_t port = 8; port < 4096; port++)
			event_close(port);
}

static void flood_console(void)
{
	const struct byte_ring output = {console->out, sizeof(console->out), &console->out_prod,
					 &console->out_cons};
	char text[2048];

	memset(text, 'A' + (char)any(26), sizeof(text));
	byte_ring_put(&output, text, sizeof(text));
	event_send(start_info->console.domU.evtchn);
}

static void request(uint32_t type, uint32_t transaction, const char *payload, size_t size)
{
	struct xsd_sockmsg header = {.type = type, .tx_id = transaction, .len = (uint32_t)size};
	char rest[256];

	/* Whole requests only, or the connection would soon be closed for nonsense. */
	while (byte_ring_take(&answers, rest, sizeof(rest)) > 0)
		event_send(start_info->store_evtchn);
	if (XENSTORE_RING_SIZE - byte_ring_used(&requests) < (long)(sizeof(header) + size))
		return;
	byte_ring_put(&requests, &header, sizeof(header));
	byte_ring_put(&requests, payload, size);
	event_send(start_info->store_evtchn);
}

/* Valid requests: nodes, watches and transactions up to every quota; long values; others' nodes; lists. */
static void flood_store(void)
{
	static const uint32_t types[] = {
	    XS_WRITE, XS_MKDIR,	    XS_WATCH,	XS_DIRECTORY, XS_READ,	    XS_TRANSACTION_START,
	    XS_RM,    XS_SET_PERMS, XS_UNWATCH, XS_RELEASE,   XS_INTRODUCE, XS_TRANSACTION_END};
	char payload[900];
	int length;

	switch (any(6)) {
	case 0: /* long values in many nodes */
		length =
		    format_string(payload, sizeof(payload), "data/%lu%c%0700u", any(2000), 0, 1);
		break;
	case 1:
		length =
		    format_string(payload, sizeof(payload), "data/a/b/c/%lu%c%u", any(2000), 0, 1);
		break;
	case 2: /* others' */
		length =
		    format_string(payload, sizeof(payload), "/local/domain/%lu/name%cx", any(6), 0);
		break;
	case 3: /* all of it, watched again and again */
		length = format_string(payload, sizeof(payload), "/%c%lu", 0, any(2000));
		break;
	case 4:
		length =
		    format_string(payload, sizeof(payload), "@introduceDomain%c%lu", 0, any(2000));
		break;
	default:
		length = format_string(payload, sizeof(payload), "%lu%c%u", any(6), 0, 1);
	}
	request(types[any(COUNT_OF(types))], any(4) ? 0 : (uint32_t)any(20), payload,
		(size_t)length + 1);
}

/* Grants of frames of its own, its page tables, and frames that are not its; mappings of others' grants. */
static void flood_grants(void)
{
	static unsigned int reference;
	struct gnttab_map_grant_ref map = {.host_addr = (uint64_t)scratch,
					   .flags = (uint32_t)any(32),
					   .ref = (grant_ref_t)any(600),
					   .dom = (domid_t)any(6)};
	struct gnttab_copy copy = {0};

	reference = (reference + 1) % 512;
	if (reference < GNTTAB_NR_RESERVED_ENTRIES || !table)
		return;
	table[reference].domid = (domid_t)any(6);
	table[reference].frame = (uint32_t)(any(2) ? any(0x40000) : pfn_to_mfn(any(pages_total())));
	table[reference].flags = (uint16_t)any(8);
	hypercall_grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
	copy.source.domid = (domid_t)any(6);
	copy.source.u.ref = (grant_ref_t)any(600);
	copy.dest.domid = DOMID_SELF;
	copy.dest.u.gmfn = virt_to_mfn(scratch);
	copy.len = 4096;
	copy.flags = GNTCOPY_source_gref;
	hypercall_grant_table_op(GNTTABOP_copy, &copy, 1);
}

static bool is_own(unsigned long mfn)
{
	unsigned long pfn = mfn_to_pfn(mfn);

	return pfn < pages_total() && pfn_to_mfn(pfn) == mfn;
}

/*
 * Page tables: its own written to directly, which faults; by hypercall entries for addresses that it does not need, of
 * all kinds, and any entry of any frame that is not its own.
 */
static void scribble_tables(void)
{
	uint64_t va = (uint64_t)pool + any(POOL_PAGES) * PAGE_SIZE;
	struct mmu_update update = {.val = any(0x40000) << PAGE_SHIFT | any(0x200)};

	probe_write((uint64_t *)page_root + any(512), test_random(&state));
	page_walk(page_root, va, NULL, &update.ptr);
	hypercall_mmu_update(&update, 1, NULL, any(2) ? DOMID_SELF : (domid_t)any(6));
	update.ptr = any(0x40000) << PAGE_SHIFT | any(512) * 8;
	if (!is_own(update.ptr >> PAGE_SHIFT))
		hypercall_mmu_update(&update, 1, NULL, any(2) ? DOMID_SELF : (domid_t)any(6));
	hypercall_update_va_mapping(va, any(0x40000) << PAGE_SHIFT | PTE_TABLE, UVMF_INVLPG);
}

/* Calls that are for others. */
static void abuse_calls(void)
{
	static uint8_t op[256];

	for (unsigned int i = 0; i < sizeof(op); i++)
		op[i] = (uint8_t)any(any(4) ? 2 : 256);
	hypercall_domctl(op);
	hypercall_sysctl(op);
	hypercall_platform_op(op);
	hypercall_memory_op((unsigned int)any(28), op);
	hypercall_physdev_op((int)any(32), op);
}

static void scribble_console(void)
{
	uint32_t *const indexes[] = {&console->in_cons, &console->in_prod, &console->out_cons,
				     &console->out_prod};

	*indexes[any(4)] = (uint32_t)test_random(&state);
	console->out[any(sizeof(console->out))] = (char)any(256);
	event_send(start_info->console.domU.evtchn);
}

static void scribble_store(void)
{
	uint32_t *const indexes[] = {&store->req_cons, &store->req_prod, &store->rsp_cons,
				     &store->rsp_prod};
	uint64_t *words = (uint64_t *)store->req;

	words[any(XENSTORE_RING_SIZE / 8)] = test_random(&state);
	*indexes[any(4)] += (uint32_t)any(2000);
	event_send(start_info->store_evtchn);
}

/* The ones that spoil what others need come last. */
static const struct attack {
	const char *name;
	void (*step)(void);
} attacks[] = {
    {"events", flood_events},
    {"ports", flood_ports},
    {"console", flood_console},
    {"store", flood_store},
    {"grants", flood_grants},
    {"tables", scribble_tables},
    {"calls", abuse_calls},
    {"scribble-console", scribble_console},
    {"scribble-store", scribble_store},
};

/* Is this word an argument? */
static bool wanted(const char *name)
{
	const char *text = (const char *)start_info->cmd_line;
	size_t length = strlen(name);

	for (; *text; text++)
		if ((text == (const char *)start_info->cmd_line || text[-1] == ' ') &&
		    !strncmp(text, name, length) && (!text[length] || text[length] == ' '))
			return true;
	return false;
}

static void map_table(void)
{
	xen_pfn_t frame;
	struct gnttab_setup_table op = {.dom = DOMID_SELF, .nr_frames = 1};

	set_xen_guest_handle(op.frame_list, &frame);
	if (!hypercall_grant_table_op(GNTTABOP_setup_table, &op, 1) && !op.status)
		table = frames_map(frame, 1, PTE_DATA, DOMID_SELF, NULL);
}

static void run(void *attack)
{
	uint64_t end = clock_now() + SPAN;

	while (clock_now() < end)
		((const struct attack *)attack)->step();
}

void guest_main(void)
{
	bool all = true;

	if (is_initial_domain())
		panic("not as the first domain");
	console = mfn_to_virt(start_info->console.domU.mfn);
	store = mfn_to_virt(start_info->store_mfn);
	requests =
	    (struct byte_ring){store->req, sizeof(store->req), &store->req_prod, &store->req_cons};
	answers =
	    (struct byte_ring){store->rsp, sizeof(store->rsp), &store->rsp_prod, &store->rsp_cons};
	scratch = page_alloc();
	pool = pages_alloc(POOL_PAGES);
	map_table();
	for (unsigned int i = 0; i < COUNT_OF(attacks); i++)
		all &= !wanted(attacks[i].name);
	printk("hostile: begin\n");
	for (unsigned int round = 1;; round++) {
		for (unsigned int i = 0; i < COUNT_OF(attacks); i++) {
			/* The last word on the console: it is spoilt next. */
			if (round == 1 && attacks[i].step == scribble_console)
				printk("hostile: round 1\n");
			if (all || wanted(attacks[i].name))
				trap_catch(run, (void *)&attacks[i], NULL);
		}
		if (wanted("die"))
			shutdown(SHUTDOWN_crash);
	}
}
