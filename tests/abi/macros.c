/* SPDX-License-Identifier: MIT */
/*
 * Macros of the public headers that have no value of their own, put to use. Compiled with our headers and
 * with those of libxen-dev (tests/abi/compare), the program must print the same.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define xen_mb()  __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()

#define XEN_WANT_FLEX_CONSOLE_RING
#define XEN_NETIF_DEFINE_TOEPLITZ
#include "xen.h"
#include "memory.h"
#include "grant_table.h"
#include "arch-x86/xen-mca.h"
#include "io/ring.h"
#include "io/console.h"
#include "io/netif.h"
#include "io/xs_wire.h"

#define SAY(what) printf("%s = %llx\n", #what, (unsigned long long)(what))

struct thing {
	int a;
};
typedef struct thing thing_t;
DEFINE_XEN_GUEST_HANDLE(thing_t);
__DEFINE_XEN_GUEST_HANDLE(other, struct thing);
___DEFINE_XEN_GUEST_HANDLE(third, struct thing);

static void handles(void)
{
	thing_t thing = {5};
	XEN_GUEST_HANDLE(thing_t) h;
	XEN_GUEST_HANDLE(const_other) c;
	XEN_GUEST_HANDLE_PARAM(third) p;
	XEN_GUEST_HANDLE_64(thing_t) wide;
	__XEN_GUEST_HANDLE(const_thing_t) k;

	set_xen_guest_handle(h, &thing);
	set_xen_guest_handle_raw(c, &thing);
	set_xen_guest_handle(p, h.p);
	set_xen_guest_handle(wide, NULL);
	set_xen_guest_handle(k, c.p);
	SAY(h.p == &thing && c.p->a == 5 && p.p == &thing && !wide.p && k.p == &thing);
	SAY(sizeof(h) + sizeof(c) + sizeof(p) + sizeof(wide) + sizeof(k));
	SAY(_Generic(k.p, const thing_t * : 1, default : 2));
}

static void traps(void)
{
	for (unsigned int dpl = 0; dpl < 4; dpl++) {
		for (unsigned int mask = 0; mask < 3; mask++) {
			struct trap_info t = {.vector = 14};

			TI_SET_DPL(&t, dpl);
			TI_SET_IF(&t, mask);
			printf("flags %x dpl %x if %x\n", t.flags, TI_GET_DPL(&t), TI_GET_IF(&t));
		}
	}
}

static void uuids(void)
{
	static const xen_uuid_t fixed = XEN_DEFINE_UUID_(0x00112233, 0x4455, 0x6677, 0x8899, 0xaa,
							 0xbb, 0xcc, 0xdd, 0xee, 0xff);
	xen_uuid_t made =
	    XEN_DEFINE_UUID(0xfedcba98, 0x7654, 0x3210, 0x0123, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef);

	for (int i = 0; i < 16; i++)
		printf("%02x %02x\n", fixed.a[i], made.a[i]);
}

static void sharing(void)
{
	uint64_t field;

	XENMEM_SHARING_OP_FIELD_MAKE_GREF(field, 77);
	SAY(field);
	SAY(XENMEM_SHARING_OP_FIELD_IS_GREF(field));
	SAY(XENMEM_SHARING_OP_FIELD_GET_GREF(field));
}

static void machine_checks(void)
{
	struct mc_info record = {.mi_nentries = 3};
	char *at = (char *)record.mi_data;
	struct mcinfo_common *part;
	static const uint16_t types[] = {MC_TYPE_GLOBAL, MC_TYPE_BANK, MC_TYPE_RECOVERY};

	for (int i = 0; i < 3; i++) {
		part = (struct mcinfo_common *)at;
		part->type = types[i];
		part->size = 48 + 8 * i;
		at += part->size;
	}
	SAY(x86_mcinfo_nentries(&record));
	part = x86_mcinfo_first(&record);
	SAY((char *)x86_mcinfo_next(part) - (char *)part);
	for (uint16_t type = 0; type < 5; type++) {
		x86_mcinfo_lookup(part, &record, type);
		printf("type %d at %ld\n", type,
		       part ? (long)((char *)part - (char *)record.mi_data) : -1L);
	}
	record.mi_nentries = 0;
	x86_mcinfo_lookup(part, &record, MC_TYPE_GLOBAL);
	SAY(part == NULL);
}

struct request {
	uint64_t id;
	uint32_t value[6];
};
struct response {
	uint64_t id;
	int16_t status;
};
DEFINE_RING_TYPES(test, struct request, struct response);

static char page[4096] __attribute__((aligned(4096)));

static void state(const char *when, const test_sring_t *s, const test_front_ring_t *f,
		  const test_back_ring_t *b)
{
	printf("%s: %u %u %u %u | %u %u %u | %u %u %u\n", when, s->req_prod, s->req_event,
	       s->rsp_prod, s->rsp_event, f->req_prod_pvt, f->rsp_cons, f->nr_ents, b->rsp_prod_pvt,
	       b->req_cons, b->nr_ents);
}

static void ring_turn(test_front_ring_t *f, test_back_ring_t *b, unsigned int n, unsigned int seed)
{
	struct request request;
	struct response response;
	int notify, more;

	for (unsigned int i = 0; i < n && !RING_FULL(f); i++) {
		RING_GET_REQUEST(f, f->req_prod_pvt)->id = seed + i;
		f->req_prod_pvt++;
	}
	SAY(RING_FREE_REQUESTS(f));
	RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(f, notify);
	printf("notify %d\n", notify);
	state("requests pushed", f->sring, f, b);
	SAY(XEN_RING_NR_UNCONSUMED_REQUESTS(b));
	SAY(RING_HAS_UNCONSUMED_REQUESTS(b));
	SAY(RING_REQUEST_PROD_OVERFLOW(b, f->sring->req_prod));
	SAY(RING_REQUEST_PROD_OVERFLOW(b, f->sring->req_prod + RING_SIZE(b)));
	do {
		while (b->req_cons != b->sring->req_prod &&
		       !RING_REQUEST_CONS_OVERFLOW(b, b->req_cons)) {
			RING_COPY_REQUEST(b, b->req_cons, &request);
			b->req_cons++;
			RING_GET_RESPONSE(b, b->rsp_prod_pvt)->id = request.id ^ 0x55;
			b->rsp_prod_pvt++;
		}
		RING_FINAL_CHECK_FOR_REQUESTS(b, more);
		printf("more %d\n", more);
	} while (more);
	RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(b, notify);
	printf("notify %d\n", notify);
	state("responses pushed", f->sring, f, b);
	SAY(XEN_RING_NR_UNCONSUMED_RESPONSES(f));
	SAY(RING_HAS_UNCONSUMED_RESPONSES(f));
	SAY(RING_RESPONSE_PROD_OVERFLOW(f, f->sring->rsp_prod));
	SAY(RING_RESPONSE_PROD_OVERFLOW(f, f->sring->rsp_prod + RING_SIZE(f)));
	while (f->rsp_cons != f->sring->rsp_prod) {
		RING_COPY_RESPONSE(f, f->rsp_cons, &response);
		f->rsp_cons++;
		if (f->rsp_cons % 7 == 0)
			printf("response %llx\n", (unsigned long long)response.id);
	}
	RING_FINAL_CHECK_FOR_RESPONSES(f, more);
	printf("more %d\n", more);
	state("end of turn", f->sring, f, b);
}

static void rings(void)
{
	test_sring_t *s = (test_sring_t *)page;
	test_front_ring_t f;
	test_back_ring_t b;
	struct request copy;
	int more;

	for (size_t size = 256; size <= 4096; size += 192)
		printf("size %zu: %lu\n", size, (unsigned long)__RING_SIZE(s, size));
	SAY(__CONST_RING_SIZE(test, 4096));
	SAY(__CONST_RING_SIZE(test, 1000));
	memset(page, 0xcc, sizeof(page));
	SHARED_RING_INIT(s);
	SAY(page[16]);
	SAY(page[63]);
	FRONT_RING_INIT(&f, s, sizeof(page));
	XEN_FRONT_RING_INIT(&f, s, sizeof(page));
	BACK_RING_INIT(&b, s, sizeof(page));
	state("new", s, &f, &b);
	ring_turn(&f, &b, 1, 100);
	ring_turn(&f, &b, 20, 200);
	ring_turn(&f, &b, 1000, 300);
	/* Near the end of the indexes, and in use already. */
	s->req_prod = s->rsp_prod = (RING_IDX)-3;
	s->req_event = s->rsp_event = (RING_IDX)-2;
	FRONT_RING_ATTACH(&f, s, (RING_IDX)-3, sizeof(page));
	BACK_RING_ATTACH(&b, s, (RING_IDX)-3, sizeof(page));
	ring_turn(&f, &b, 9, 400);
	/* Without notification; the other side then looks before it sleeps. */
	RING_GET_REQUEST(&f, f.req_prod_pvt)->id = 99;
	f.req_prod_pvt++;
	RING_PUSH_REQUESTS(&f);
	RING_FINAL_CHECK_FOR_REQUESTS(&b, more);
	printf("more %d\n", more);
	RING_COPY_(REQUEST, &b, b.req_cons, &copy);
	SAY(copy.id);
	b.req_cons++;
	b.rsp_prod_pvt++;
	RING_PUSH_RESPONSES(&b);
	RING_FINAL_CHECK_FOR_RESPONSES(&f, more);
	printf("more %d\n", more);
	state("end", s, &f, &b);
}

DEFINE_XEN_FLEX_RING_AND_INTF(flex);
DEFINE_XEN_FLEX_RING(plain);

static void flex_rings(void)
{
	enum { SIZE = 32 };
	unsigned char buffer[SIZE], out[SIZE];
	RING_IDX prod = 0, cons = 0;
	struct flex_data data = {buffer, out};
	struct plain_data same = {buffer, out};

	SAY(data.in == same.in && data.out == same.out);
	SAY(sizeof(struct flex_data_intf));
	SAY(offsetof(struct flex_data_intf, out_cons));
	SAY(offsetof(struct flex_data_intf, ring_order));
	SAY(offsetof(struct flex_data_intf, ref));
	memset(buffer, 0, sizeof(buffer));
	for (unsigned int turn = 0; turn < 40; turn++) {
		unsigned char in[SIZE];
		size_t n = turn * 5 % SIZE;
		RING_IDX p = flex_mask(prod, SIZE), c = flex_mask(cons, SIZE);

		for (size_t i = 0; i < n; i++)
			in[i] = turn + i;
		flex_write_packet(buffer, in, n, &p, c, SIZE);
		prod += n;
		printf("%u %u queued %u\n", p, c, flex_queued(prod, cons, SIZE));
		memset(out, 0, sizeof(out));
		flex_read_packet(out, buffer, n, p, &c, SIZE);
		cons += n;
		printf("%u %u queued %u same %d at %ld\n", p, c, plain_queued(prod, cons, SIZE),
		       !memcmp(in, out, n), (long)(flex_get_ring_ptr(buffer, prod, SIZE) - buffer));
	}
	for (RING_IDX gap = 0; gap < 70; gap++)
		printf("%u %u\n", xencons_queued(gap - 5, (RING_IDX)-5, SIZE),
		       xencons_mask(gap, SIZE));
}

/* errno.h for includers that bring a macro of their own. */
static void error_numbers(void)
{
#define XEN_ERRNO(name, value) printf("%s %d\n", #name, value);
#include "errno.h"
}

static void others(void)
{
	static const char *const texts[] = GNTTABOP_error_msgs;
	static const struct xsd_errors made[] = {XSD_ERROR(EINVAL), XSD_ERROR(ENOENT)};
	static const uint8_t key[40] = {0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
					0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
					0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
					0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa};
	static const uint8_t packet[] = {66,  9,  149,	187,  161,  142,
					 100, 80, 0x0a, 0xea, 0x06, 0xe6};
	char ring[64];

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		puts(texts[i]);
	for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
		printf("%d %s\n", xsd_errors[i].errnum, xsd_errors[i].errstring);
	printf("%s %d\n", made[0].errstring, made[1].errnum);
	for (unsigned int keylen = 0; keylen <= sizeof(key); keylen += 4)
		for (unsigned int n = 0; n <= sizeof(packet); n++)
			printf("hash %08x\n", xen_netif_toeplitz_hash(key, keylen, packet, n));
	SAY(MASK_XENCONS_IDX(1000, ring));
	SAY(((uintptr_t)machine_to_phys_mapping));
}

int main(void)
{
	handles();
	traps();
	uuids();
	sharing();
	machine_checks();
	rings();
	flex_rings();
	error_numbers();
	others();
	return 0;
}
