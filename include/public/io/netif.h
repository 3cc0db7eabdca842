/* SPDX-License-Identifier: MIT */
/*
 * Network devices: the protocol between a frontend in a guest and a backend.
 *
 * Two rings (io/ring.h): on tx the frontend sends packets, on rx it offers empty pages that the backend
 * fills. Data is in pages of the frontend's, granted to the backend. Responses of rx come in the same
 * slot of the ring as the requests that they answer.
 *
 * Agreement goes through the store (states: io/xenbus.h). Numbers are decimal, features 0 or 1; what is
 * not there has the default. What either end can take from the other, in its own directory:
 *
 *   feature-no-csum-offload        not IPv4 packets whose TCP or UDP checksum is missing (default 0)
 *   feature-ipv6-csum-offload      IPv6 packets whose checksum is missing (default 0)
 *   feature-sg                     packets of several fragments (default 0)
 *   feature-gso-tcpv4, -tcpv6      TCP packets larger than the link's, to be cut (default 0)
 *
 * In the backend's directory also:
 *
 *   feature-rx-copy                the backend copies into rx pages (always so today)
 *   feature-split-event-channels   a channel for each ring is possible (default 0)
 *   multi-queue-max-queues         so many pairs of rings (default 1)
 *   feature-multicast-control      it can filter multicast packets, as request-multicast-control in the
 *                                  frontend's directory asks before it connects; with
 *                                  feature-dynamic-multicast-control, at any time
 *   feature-ctrl-ring              a control ring is possible (default 0)
 *   carrier                        1 if the link is up (default 1)
 *
 * In the frontend's directory also:
 *
 *   mac                            its address
 *   tx-ring-ref, rx-ring-ref       grants of the rings
 *   event-channel                  port that the backend is to bind; or event-channel-tx and -rx
 *   multi-queue-num-queues         so many pairs (default 1). From 2 on, the nodes above are not here
 *                                  but in queue-0, queue-1, ...; packets may come on any queue
 *   ctrl-ring-ref, event-channel-ctrl   the control ring
 *   request-rx-copy                1: please copy into rx pages
 *   feature-rx-notify              it sends on the channel for rx requests
 *   mtu                            largest payload (default 1500)
 *   trusted                        0: take care, the backend may be hostile (default 1)
 */
#ifndef __XEN_PUBLIC_IO_NETIF_H__
#define __XEN_PUBLIC_IO_NETIF_H__

#include "ring.h"
#include "../grant_table.h"

/* A packet may always take so many slots of a ring; more only by agreement. */
#define XEN_NETIF_NR_SLOTS_MIN 18

/*
 * Hashes, by which the backend distributes packets among queues. The bytes hashed, in the order of the
 * packet: IP source and destination address; with TCP also source and destination port.
 */
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV4	       0
#define XEN_NETIF_CTRL_HASH_TYPE_IPV4	       (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV4)
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP     1
#define XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP      (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP)
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV6	       2
#define XEN_NETIF_CTRL_HASH_TYPE_IPV6	       (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV6)
#define _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP     3
#define XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP      (1 << _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

#define XEN_NETIF_CTRL_HASH_ALGORITHM_NONE     0
#define XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ 1

/*
 * The Toeplitz hash: for each 1 bit of the data, from the first byte's highest on, the 32 bits of the key
 * that begin at the same position are added without carry. Beyond its end the key is 0.
 */
#ifdef XEN_NETIF_DEFINE_TOEPLITZ
static uint32_t xen_netif_toeplitz_hash(const uint8_t *key, unsigned int keylen, const uint8_t *buf,
					unsigned int buflen)
{
	uint32_t hash = 0, window = 0;

	for (unsigned int i = 0; i < 4; i++)
		window = window << 8 | (i < keylen ? key[i] : 0);
	for (unsigned int i = 0; i < buflen; i++) {
		uint8_t next = i + 4 < keylen ? key[i + 4] : 0;

		for (int bit = 7; bit >= 0; bit--) {
			if (buf[i] >> bit & 1)
				hash ^= window;
			window = window << 1 | (next >> bit & 1);
		}
	}
	return hash;
}
#endif

/*
 * The control ring
 * ----------------
 *  type                    data[0]            data[1]   data[2]   answer's data
 *  SET_HASH_ALGORITHM      HASH_ALGORITHM_*                       (NONE: the backend distributes as it likes)
 *  GET_HASH_FLAGS                                                 the HASH_TYPE_* it can do
 *  SET_HASH_FLAGS          HASH_TYPE_*                            (0: no hashing)
 *  SET_HASH_KEY            grant of the key   its size            (0 bytes: no key)
 *  GET_HASH_MAPPING_SIZE                                          entries that the table may have
 *  SET_HASH_MAPPING_SIZE   entries                                (0: hash modulo queues); table all 0
 *  SET_HASH_MAPPING        grant of a table   entries   first     (32-bit queue numbers; queue is table[hash
 *                                                                 modulo entries])
 *  GET_GREF_MAPPING_SIZE   queue                                  grants that it can keep mapped
 *  ADD_GREF_MAPPING        queue              grant     entries   (struct xen_netif_gref[]: map them; all
 *                                                                 or none)
 *  DEL_GREF_MAPPING        queue              grant     entries   how many were unmapped (each has its status)
 *
 * The flags can be asked for and set only once an algorithm is. Each request gets one response.
 */
struct xen_netif_ctrl_request {
	uint16_t id;   /* the frontend's own, repeated in the response */
	uint16_t type; /* XEN_NETIF_CTRL_TYPE_* */
#define XEN_NETIF_CTRL_TYPE_INVALID		  0
#define XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS	  1
#define XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS	  2
#define XEN_NETIF_CTRL_TYPE_SET_HASH_KEY	  3
#define XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE 4
#define XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE 5
#define XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING	  6
#define XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM	  7
#define XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE 8
#define XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING	  9
#define XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING	  10
	uint32_t data[3];
};

struct xen_netif_ctrl_response {
	uint16_t id;
	uint16_t type;
	uint32_t status;
#define XEN_NETIF_CTRL_STATUS_SUCCESS		0
#define XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED	1
#define XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER 2
#define XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW	3 /* more than the backend can take */
	uint32_t data;
};

/* A grant to be kept mapped by the backend. */
struct xen_netif_gref {
	grant_ref_t ref; /* IN */
	uint16_t flags;	 /* IN */
#define _XEN_NETIF_CTRLF_GREF_readonly 0
#define XEN_NETIF_CTRLF_GREF_readonly  (1U << _XEN_NETIF_CTRLF_GREF_readonly)
	uint16_t status; /* OUT of DEL: XEN_NETIF_CTRL_STATUS_* */
};

DEFINE_RING_TYPES(xen_netif_ctrl, struct xen_netif_ctrl_request, struct xen_netif_ctrl_response);

/*
 * Packets
 * -------
 * A packet on tx: a netif_tx_request with the size of the whole packet; then, if its flags have
 * extra_info, netif_extra_infos, each but the last with XEN_NETIF_EXTRA_FLAG_MORE; then, while the
 * request before has more_data, further requests, each with the size of its fragment. So the first
 * fragment has what the others leave of the total. Each request gets a response; an extra info gets one
 * with NETIF_RSP_NULL.
 *
 * A packet on rx: a netif_rx_response, then likewise extra infos, then further responses, each with the
 * size of its own fragment in status.
 */

/* flags of tx requests */
#define _NETTXF_csum_blank     (0)
#define NETTXF_csum_blank      (1U << _NETTXF_csum_blank) /* the checksum is not filled in */
#define _NETTXF_data_validated (1)
#define NETTXF_data_validated  (1U << _NETTXF_data_validated) /* the checksum is known to be right */
#define _NETTXF_more_data      (2)
#define NETTXF_more_data       (1U << _NETTXF_more_data) /* another fragment follows */
#define _NETTXF_extra_info     (3)
#define NETTXF_extra_info      (1U << _NETTXF_extra_info) /* extra infos follow */

#define XEN_NETIF_MAX_TX_SIZE  0xFFFF
struct netif_tx_request {
	grant_ref_t gref; /* page with the data */
	uint16_t offset;  /* in it */
	uint16_t flags;	  /* NETTXF_* */
	uint16_t id;	  /* the frontend's own, repeated in the response */
	uint16_t size;	  /* bytes */
};
typedef struct netif_tx_request netif_tx_request_t;

/* type of extra infos */
#define XEN_NETIF_EXTRA_TYPE_NONE      (0)
#define XEN_NETIF_EXTRA_TYPE_GSO       (1) /* u.gso: the packet is to be cut */
#define XEN_NETIF_EXTRA_TYPE_MCAST_ADD (2) /* u.mcast, tx only: let this address through */
#define XEN_NETIF_EXTRA_TYPE_MCAST_DEL (3) /* u.mcast, tx only: do not any more */
#define XEN_NETIF_EXTRA_TYPE_HASH      (4) /* u.hash: the packet's hash */
#define XEN_NETIF_EXTRA_TYPE_MAX       (5)

/* flags of extra infos */
#define _XEN_NETIF_EXTRA_FLAG_MORE (0)
#define XEN_NETIF_EXTRA_FLAG_MORE  (1U << _XEN_NETIF_EXTRA_FLAG_MORE) /* another follows */

#define XEN_NETIF_GSO_TYPE_NONE	   (0)
#define XEN_NETIF_GSO_TYPE_TCPV4   (1)
#define XEN_NETIF_GSO_TYPE_TCPV6   (2)

/* In the place of a tx request or an rx response. */
struct netif_extra_info {
	uint8_t type;
	uint8_t flags;
	union {
		struct {
			uint16_t size; /* payload of each piece */
			uint8_t type;  /* XEN_NETIF_GSO_TYPE_* */
			uint8_t pad;
			uint16_t features; /* 0 */
		} gso;
		struct {
			uint8_t addr[6];
		} mcast;
		struct {
			uint8_t type;	   /* _XEN_NETIF_CTRL_HASH_TYPE_* (the bit's number) */
			uint8_t algorithm; /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
			uint8_t value[4];  /* lowest byte first */
		} hash;
		uint16_t pad[3];
	} u;
};
typedef struct netif_extra_info netif_extra_info_t;

struct netif_tx_response {
	uint16_t id;
	int16_t status; /* NETIF_RSP_* */
};
typedef struct netif_tx_response netif_tx_response_t;

struct netif_rx_request {
	uint16_t id; /* the frontend's own, repeated in the response */
	uint16_t pad;
	grant_ref_t gref; /* an empty page, writable */
};
typedef struct netif_rx_request netif_rx_request_t;

/* flags of rx responses */
#define _NETRXF_data_validated (0)
#define NETRXF_data_validated  (1U << _NETRXF_data_validated) /* the checksum is known to be right */
#define _NETRXF_csum_blank     (1)
#define NETRXF_csum_blank      (1U << _NETRXF_csum_blank) /* the checksum is not filled in */
#define _NETRXF_more_data      (2)
#define NETRXF_more_data       (1U << _NETRXF_more_data) /* another fragment follows */
#define _NETRXF_extra_info     (3)
#define NETRXF_extra_info      (1U << _NETRXF_extra_info) /* extra infos follow */
#define _NETRXF_gso_prefix     (4)
#define NETRXF_gso_prefix      (1U << _NETRXF_gso_prefix) /* older form of u.gso */

struct netif_rx_response {
	uint16_t id;
	uint16_t offset; /* of the data in the page */
	uint16_t flags;	 /* NETRXF_* */
	int16_t status;	 /* bytes, or NETIF_RSP_* if negative */
};
typedef struct netif_rx_response netif_rx_response_t;

DEFINE_RING_TYPES(netif_tx, struct netif_tx_request, struct netif_tx_response);
DEFINE_RING_TYPES(netif_rx, struct netif_rx_request, struct netif_rx_response);

#define NETIF_RSP_DROPPED -2
#define NETIF_RSP_ERROR	  -1
#define NETIF_RSP_OKAY	  0
#define NETIF_RSP_NULL	  1 /* nothing: the slot held an extra info */

#endif /* __XEN_PUBLIC_IO_NETIF_H__ */
