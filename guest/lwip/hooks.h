/* SPDX-License-Identifier: MIT */
/* What lwIP does not judge of the packets that it is given. Its sources include this (LWIP_HOOK_FILENAME). */
#ifndef LWIP_HOOKS_H
#define LWIP_HOOKS_H

#include <lwip/tcp.h>
#include <lwip/priv/tcp_priv.h>

/* A byte of a segment's options, which may be in two pieces. */
static inline u8_t *lwip_option_byte(struct tcp_hdr *header, u16_t in_first, u8_t *second, u16_t at)
{
	return at < in_first ? (u8_t *)(header + 1) + at : second + (at - in_first);
}

/* A maximum segment size becomes padding of the same length. */
static inline void lwip_drop_segment_size(struct tcp_hdr *header, u16_t length, u16_t in_first,
					  u8_t *second)
{
	u16_t at = 0, size;

	while (at < length) {
		u8_t kind = *lwip_option_byte(header, in_first, second, at);

		if (kind == LWIP_TCP_OPT_EOL)
			return;
		if (kind == LWIP_TCP_OPT_NOP) {
			at++;
			continue;
		}
		size = at + 1 < length
			   ? *lwip_option_byte(header, in_first, second, (u16_t)(at + 1))
			   : 0;
		if (size < 2 || size > length - at)
			return;
		for (u16_t n = 0; kind == LWIP_TCP_OPT_MSS && n < size; n++)
			*lwip_option_byte(header, in_first, second, (u16_t)(at + n)) =
			    LWIP_TCP_OPT_NOP;
		at = (u16_t)(at + size);
	}
}

/*
 * What is put behind a segment that waits may not make it longer than segments now are, which tcp_write() asserts: so they never
 * get shorter. A peer could make them so by another maximum segment size in the midst of a connection (RFC 9293, 3.7.1: only with
 * SYN), or by a window of one or none that becomes small, of which segments have half. Windows that are smaller than segments are dealt
 * with when they are sent. The packet is nobody else's.
 */
static inline err_t lwip_check_segment(struct tcp_pcb *pcb, struct tcp_hdr *header, u16_t length,
				       u16_t in_first, u8_t *second)
{
	if (pcb->state < SYN_RCVD)
		return ERR_OK;
	lwip_drop_segment_size(header, length, in_first, second);
	if (pcb->snd_wnd_max < 2 * (tcpwnd_size_t)pcb->mss)
		pcb->snd_wnd_max = 2 * (tcpwnd_size_t)pcb->mss;
	return ERR_OK;
}

#endif
