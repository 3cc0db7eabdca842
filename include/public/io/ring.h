/* SPDX-License-Identifier: MIT */
/*
 * Rings of requests and responses between the frontend and the backend of a device.
 *
 * One page (or several) that the frontend grants to the backend. Both directions share the same entries:
 * a response overwrites the request of the same place or one that has been consumed before. The four
 * indexes only count up; an entry's place is its index modulo the number of entries, a power of two.
 *
 *	req_prod   requests so far, written by the frontend
 *	rsp_prod   responses so far, written by the backend
 *	req_event  "notify me when req_prod passes this", written by the backend
 *	rsp_event  "notify me when rsp_prod passes this", written by the frontend
 *
 * Each side keeps what it has consumed, and what it is preparing, in a structure of its own.
 *
 * Sending, here from the frontend:
 *  1. unless RING_FULL: fill RING_GET_REQUEST(ring, ring->req_prod_pvt), raise ring->req_prod_pvt;
 *  2. RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(ring, notify): write barrier, publish, full barrier, compare
 *     with req_event;
 *  3. if notify, send on the event channel.
 * Receiving, here in the backend:
 *  1. read req_prod; read barrier; if RING_REQUEST_PROD_OVERFLOW, the other side is broken: stop;
 *  2. for each: RING_COPY_REQUEST into memory of one's own first, raise ring->req_cons, then check and use
 *     the copy only, since the other side can still write the entry;
 *  3. RING_FINAL_CHECK_FOR_REQUESTS(ring, more): announce in req_event, full barrier, look again; if more,
 *     continue with 1, else wait for the event channel.
 *
 * The includer provides xen_mb(), xen_rmb() and xen_wmb() (full, read and write barriers between
 * processors), offsetof, and memset where SHARED_RING_INIT is used; for the FLEX macros also size_t,
 * memcpy and grant_ref_t.
 */
#ifndef __XEN_PUBLIC_IO_RING_H__
#define __XEN_PUBLIC_IO_RING_H__

#include <stdint.h>

#include "../xen-compat.h"

typedef unsigned int RING_IDX;

/* The largest power of two that is not above a 32-bit constant. */
#define __RD2(_x)  (((_x)&0x00000002) ? 0x2 : ((_x)&0x1))
#define __RD4(_x)  (((_x)&0x0000000c) ? __RD2((_x) >> 2) << 2 : __RD2(_x))
#define __RD8(_x)  (((_x)&0x000000f0) ? __RD4((_x) >> 4) << 4 : __RD4(_x))
#define __RD16(_x) (((_x)&0x0000ff00) ? __RD8((_x) >> 8) << 8 : __RD8(_x))
#define __RD32(_x) (((_x)&0xffff0000) ? __RD16((_x) >> 16) << 16 : __RD16(_x))

/* How many entries fit in _sz bytes: of the kind of ring _s, or of the ring at _s. */
#define __CONST_RING_SIZE(_s, _sz)                          \
	(__RD32(((_sz)-offsetof(struct _s##_sring, ring)) / \
		sizeof(((struct _s##_sring *)0)->ring[0])))
#define __RING_SIZE(_s, _sz) \
	(__RD32(((_sz) - (long)(_s)->ring + (long)(_s)) / sizeof((_s)->ring[0])))

/*
 * Declares the types of a kind of ring: NAME_sring_t, what is shared; NAME_front_ring_t and
 * NAME_back_ring_t, what the two sides keep for themselves.
 */
#define DEFINE_RING_TYPES(__name, __req_t, __rsp_t)                      \
	union __name##_sring_entry {                                     \
		__req_t req;                                             \
		__rsp_t rsp;                                             \
	};                                                               \
	struct __name##_sring {                                          \
		RING_IDX req_prod, req_event;                            \
		RING_IDX rsp_prod, rsp_event;                            \
		union {                                                  \
			struct {                                         \
				uint8_t smartpoll_active;                \
			} netif;                                         \
			struct {                                         \
				uint8_t msg;                             \
			} tapif_user;                                    \
			uint8_t pvt_pad[4];                              \
		} pvt;                                                   \
		uint8_t __pad[44];                                       \
		union __name##_sring_entry ring[1]; /* as many as fit */ \
	};                                                               \
	struct __name##_front_ring {                                     \
		RING_IDX req_prod_pvt; /* requests prepared */           \
		RING_IDX rsp_cons;     /* responses consumed */          \
		unsigned int nr_ents;                                    \
		struct __name##_sring *sring;                            \
	};                                                               \
	struct __name##_back_ring {                                      \
		RING_IDX rsp_prod_pvt; /* responses prepared */          \
		RING_IDX req_cons;     /* requests consumed */           \
		unsigned int nr_ents;                                    \
		struct __name##_sring *sring;                            \
	};                                                               \
	typedef struct __name##_sring __name##_sring_t;                  \
	typedef struct __name##_front_ring __name##_front_ring_t;        \
	typedef struct __name##_back_ring __name##_back_ring_t

/* An empty shared ring; done by the frontend. */
#define SHARED_RING_INIT(_s)                                                   \
	do {                                                                   \
		(_s)->req_prod = (_s)->rsp_prod = 0;                           \
		(_s)->req_event = (_s)->rsp_event = 1;                         \
		(void)memset((_s)->pvt.pvt_pad, 0, sizeof((_s)->pvt.pvt_pad)); \
		(void)memset((_s)->__pad, 0, sizeof((_s)->__pad));             \
	} while (0)

/* One side's own structure _r for the shared ring _s of __size bytes; ATTACH: at index _i, in use. */
#define FRONT_RING_ATTACH(_r, _s, _i, __size)            \
	do {                                             \
		(_r)->req_prod_pvt = (_i);               \
		(_r)->rsp_cons = (_i);                   \
		(_r)->nr_ents = __RING_SIZE(_s, __size); \
		(_r)->sring = (_s);                      \
	} while (0)
#define FRONT_RING_INIT(_r, _s, __size) FRONT_RING_ATTACH(_r, _s, 0, __size)

/* Both of the above, for the frontend. */
#define XEN_FRONT_RING_INIT(r, s, size)      \
	do {                                 \
		SHARED_RING_INIT(s);         \
		FRONT_RING_INIT(r, s, size); \
	} while (0)

#define BACK_RING_ATTACH(_r, _s, _i, __size)             \
	do {                                             \
		(_r)->rsp_prod_pvt = (_i);               \
		(_r)->req_cons = (_i);                   \
		(_r)->nr_ents = __RING_SIZE(_s, __size); \
		(_r)->sring = (_s);                      \
	} while (0)
#define BACK_RING_INIT(_r, _s, __size) BACK_RING_ATTACH(_r, _s, 0, __size)

/* How many entries the ring has; requests that still have room; whether there is none. */
#define RING_SIZE(_r)	       ((_r)->nr_ents)
#define RING_FREE_REQUESTS(_r) (RING_SIZE(_r) - ((_r)->req_prod_pvt - (_r)->rsp_cons))
#define RING_FULL(_r)	       (RING_FREE_REQUESTS(_r) == 0)

/* How many messages wait to be consumed; of requests never more than there is room to answer. */
#define XEN_RING_NR_UNCONSUMED_RESPONSES(_r) ((_r)->sring->rsp_prod - (_r)->rsp_cons)
#ifdef __GNUC__
#define XEN_RING_NR_UNCONSUMED_REQUESTS(_r)                                                      \
	({                                                                                       \
		unsigned int ring_waiting_ = (_r)->sring->req_prod - (_r)->req_cons;             \
		unsigned int ring_room_ = RING_SIZE(_r) - ((_r)->req_cons - (_r)->rsp_prod_pvt); \
		ring_waiting_ < ring_room_ ? ring_waiting_ : ring_room_;                         \
	})
#else
#define XEN_RING_NR_UNCONSUMED_REQUESTS(_r)                        \
	((((_r)->sring->req_prod - (_r)->req_cons) <               \
	  (RING_SIZE(_r) - ((_r)->req_cons - (_r)->rsp_prod_pvt))) \
	     ? ((_r)->sring->req_prod - (_r)->req_cons)            \
	     : (RING_SIZE(_r) - ((_r)->req_cons - (_r)->rsp_prod_pvt)))
#endif

/* Whether there are any: 0 or 1 for who asks so, the number of them otherwise. */
#ifdef XEN_RING_HAS_UNCONSUMED_IS_BOOL
#define RING_HAS_UNCONSUMED_RESPONSES(_r) (!!XEN_RING_NR_UNCONSUMED_RESPONSES(_r))
#define RING_HAS_UNCONSUMED_REQUESTS(_r)  (!!XEN_RING_NR_UNCONSUMED_REQUESTS(_r))
#else
#define RING_HAS_UNCONSUMED_RESPONSES(_r) XEN_RING_NR_UNCONSUMED_RESPONSES(_r)
#define RING_HAS_UNCONSUMED_REQUESTS(_r)  XEN_RING_NR_UNCONSUMED_REQUESTS(_r)
#endif

/* The entry of an index, in the shared ring itself: for writing. */
#define RING_GET_REQUEST(_r, _idx)  (&((_r)->sring->ring[((_idx) & (RING_SIZE(_r) - 1))].req))
#define RING_GET_RESPONSE(_r, _idx) (&((_r)->sring->ring[((_idx) & (RING_SIZE(_r) - 1))].rsp))

/* A copy of an entry, for reading: what is checked cannot change any more. volatile, so that the
 * compiler does not read the entry again. */
#define RING_COPY_(type, r, idx, dest)                                         \
	do {                                                                   \
		*(dest) = *(volatile __typeof__(dest))RING_GET_##type(r, idx); \
	} while (0)
#define RING_COPY_REQUEST(r, idx, req)	RING_COPY_(REQUEST, r, idx, req)
#define RING_COPY_RESPONSE(r, idx, rsp) RING_COPY_(RESPONSE, r, idx, rsp)

/* Backend: has request _cons no place for a response (so that it cannot be a real one)? */
#define RING_REQUEST_CONS_OVERFLOW(_r, _cons) (((_cons) - (_r)->rsp_prod_pvt) >= RING_SIZE(_r))

/* Are there more messages than the ring can hold, so that the other side is broken? */
#define RING_REQUEST_PROD_OVERFLOW(_r, _prod)  (((_prod) - (_r)->rsp_prod_pvt) > RING_SIZE(_r))
#define RING_RESPONSE_PROD_OVERFLOW(_r, _prod) (((_prod) - (_r)->rsp_cons) > RING_SIZE(_r))

/* Publish what has been prepared; the caller notifies. */
#define RING_PUSH_REQUESTS(_r)                              \
	do {                                                \
		xen_wmb();                                  \
		(_r)->sring->req_prod = (_r)->req_prod_pvt; \
	} while (0)
#define RING_PUSH_RESPONSES(_r)                             \
	do {                                                \
		xen_wmb();                                  \
		(_r)->sring->rsp_prod = (_r)->rsp_prod_pvt; \
	} while (0)

/*
 * Publish what has been prepared; _notify: whether the other side wants to know, that is, whether its
 * event index is among the indexes just published. The full barrier orders publishing before looking;
 * the final checks below do it the other way round, so that one of the two sides always notices.
 */
#define RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(_r, _notify)                      \
	do {                                                                  \
		RING_IDX ring_old_ = (_r)->sring->req_prod;                   \
		RING_IDX ring_new_ = (_r)->req_prod_pvt;                      \
		xen_wmb();                                                    \
		(_r)->sring->req_prod = ring_new_;                            \
		xen_mb();                                                     \
		(_notify) = ((RING_IDX)(ring_new_ - (_r)->sring->req_event) < \
			     (RING_IDX)(ring_new_ - ring_old_));              \
	} while (0)
#define RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(_r, _notify)                     \
	do {                                                                  \
		RING_IDX ring_old_ = (_r)->sring->rsp_prod;                   \
		RING_IDX ring_new_ = (_r)->rsp_prod_pvt;                      \
		xen_wmb();                                                    \
		(_r)->sring->rsp_prod = ring_new_;                            \
		xen_mb();                                                     \
		(_notify) = ((RING_IDX)(ring_new_ - (_r)->sring->rsp_event) < \
			     (RING_IDX)(ring_new_ - ring_old_));              \
	} while (0)

/* Before going to sleep: ask to be notified of the next message, unless there is one already. */
#define RING_FINAL_CHECK_FOR_REQUESTS(_r, _work_to_do)            \
	do {                                                      \
		(_work_to_do) = RING_HAS_UNCONSUMED_REQUESTS(_r); \
		if (_work_to_do)                                  \
			break;                                    \
		(_r)->sring->req_event = (_r)->req_cons + 1;      \
		xen_mb();                                         \
		(_work_to_do) = RING_HAS_UNCONSUMED_REQUESTS(_r); \
	} while (0)
#define RING_FINAL_CHECK_FOR_RESPONSES(_r, _work_to_do)            \
	do {                                                       \
		(_work_to_do) = RING_HAS_UNCONSUMED_RESPONSES(_r); \
		if (_work_to_do)                                   \
			break;                                     \
		(_r)->sring->rsp_event = (_r)->rsp_cons + 1;       \
		xen_mb();                                          \
		(_work_to_do) = RING_HAS_UNCONSUMED_RESPONSES(_r); \
	} while (0)

/*
 * Two rings of bytes, one for each direction, each half of 2^order pages; indexes count up as above, or
 * are kept reduced ("masked") where a function says so. DEFINE_XEN_FLEX_RING(NAME) declares
 *
 *	NAME_mask(idx, size)                  the place of an index
 *	NAME_get_ring_ptr(buf, idx, size)     the address of a byte
 *	NAME_read_packet(to, buf, n, masked_prod, &masked_cons, size)
 *	NAME_write_packet(buf, from, n, &masked_prod, masked_cons, size)
 *	                                      copy n bytes, which must be there or have room, and advance
 *	NAME_queued(prod, cons, size)         how many bytes are in the ring; indexes not masked
 *	struct NAME_data                      the addresses of the two rings
 *
 * and DEFINE_XEN_FLEX_RING_AND_INTF(NAME) also struct NAME_data_intf, the shared page with the indexes
 * and the grants of the ring's pages.
 */
#ifndef XEN_PAGE_SHIFT
#define XEN_PAGE_SHIFT 12
#endif
#define XEN_FLEX_RING_SIZE(order) (1UL << ((order) + XEN_PAGE_SHIFT - 1))

#define DEFINE_XEN_FLEX_RING(name)                                                                 \
	static inline RING_IDX name##_mask(RING_IDX idx, RING_IDX ring_size)                       \
	{                                                                                          \
		return idx & (ring_size - 1);                                                      \
	}                                                                                          \
	static inline unsigned char *name##_get_ring_ptr(unsigned char *buf, RING_IDX idx,         \
							 RING_IDX ring_size)                       \
	{                                                                                          \
		return buf + name##_mask(idx, ring_size);                                          \
	}                                                                                          \
	static inline void name##_read_packet(void *opaque, const unsigned char *buf, size_t size, \
					      RING_IDX masked_prod, RING_IDX *masked_cons,         \
					      RING_IDX ring_size)                                  \
	{                                                                                          \
		size_t to_end = ring_size - *masked_cons;                                          \
		size_t first = *masked_cons < masked_prod || size <= to_end ? size : to_end;       \
                                                                                                   \
		memcpy(opaque, buf + *masked_cons, first);                                         \
		if (first < size)                                                                  \
			memcpy((unsigned char *)opaque + first, buf, size - first);                \
		*masked_cons = name##_mask(*masked_cons + size, ring_size);                        \
	}                                                                                          \
	static inline void name##_write_packet(unsigned char *buf, const void *opaque,             \
					       size_t size, RING_IDX *masked_prod,                 \
					       RING_IDX masked_cons, RING_IDX ring_size)           \
	{                                                                                          \
		size_t to_end = ring_size - *masked_prod;                                          \
		size_t first = *masked_prod < masked_cons || size <= to_end ? size : to_end;       \
                                                                                                   \
		memcpy(buf + *masked_prod, opaque, first);                                         \
		if (first < size)                                                                  \
			memcpy(buf, (const unsigned char *)opaque + first, size - first);          \
		*masked_prod = name##_mask(*masked_prod + size, ring_size);                        \
	}                                                                                          \
	static inline RING_IDX name##_queued(RING_IDX prod, RING_IDX cons, RING_IDX ring_size)     \
	{                                                                                          \
		RING_IDX masked = name##_mask(prod - cons, ring_size);                             \
                                                                                                   \
		/* Indexes apart by a multiple of the size: a full ring, or an empty one. */       \
		return masked || prod == cons ? masked : ring_size;                                \
	}                                                                                          \
	struct name##_data {                                                                       \
		unsigned char *in;                                                                 \
		unsigned char *out;                                                                \
	}

#define DEFINE_XEN_FLEX_RING_AND_INTF(name)  \
	struct name##_data_intf {            \
		RING_IDX in_cons, in_prod;   \
		uint8_t pad1[56];            \
		RING_IDX out_cons, out_prod; \
		uint8_t pad2[56];            \
		RING_IDX ring_order;         \
		grant_ref_t ref[];           \
	};                                   \
	DEFINE_XEN_FLEX_RING(name)

#endif /* __XEN_PUBLIC_IO_RING_H__ */
