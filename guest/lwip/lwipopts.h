/* SPDX-License-Identifier: MIT */
/*
 * lwIP's options (lwip/opt.h has them all), for the example web server and dom0 alike. All memory is fixed: what
 * peers on the network can make it take is bounded by these numbers.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

/* Threads: whoever calls lwIP's core functions holds the core's lock (LOCK_TCPIP_CORE). */
#define NO_SYS			0
#define LWIP_TCPIP_CORE_LOCKING 1
#define SYS_LIGHTWEIGHT_PROT	1
/* Buffers that a driver has sent are given back in its event handler. */
#define LWIP_ALLOW_MEM_FREE_FROM_OTHER_CONTEXT 1
#define TCPIP_THREAD_NAME		       "tcpip"
#define TCPIP_THREAD_STACKSIZE		       0
#define TCPIP_THREAD_PRIO		       0
#define DEFAULT_THREAD_STACKSIZE	       0
#define DEFAULT_THREAD_PRIO		       0
#define TCPIP_MBOX_SIZE			       32
#define DEFAULT_RAW_RECVMBOX_SIZE	       8
#define DEFAULT_UDP_RECVMBOX_SIZE	       8
#define DEFAULT_TCP_RECVMBOX_SIZE	       32
#define DEFAULT_ACCEPTMBOX_SIZE		       8

/* Memory. */
#define MEM_ALIGNMENT		8
#define MEM_SIZE		(320 * 1024)
#define MEMP_NUM_PBUF		64
#define MEMP_NUM_RAW_PCB	4
#define MEMP_NUM_UDP_PCB	8
#define MEMP_NUM_TCP_PCB	32
#define MEMP_NUM_TCP_PCB_LISTEN 4
#define MEMP_NUM_TCP_SEG	256
#define MEMP_NUM_REASSDATA	4
#define MEMP_NUM_FRAG_PBUF	32
#define MEMP_NUM_NETBUF		16
#define MEMP_NUM_NETCONN	24
/* Its own, and one of network disks. */
#define MEMP_NUM_SYS_TIMEOUT	 (LWIP_NUM_SYS_TIMEOUT_INTERNAL + 1)
#define MEMP_NUM_TCPIP_MSG_API	 16
#define MEMP_NUM_TCPIP_MSG_INPKT 16
/* What is received stays in the driver's buffers (netif.c); the pool is for what lwIP makes itself. */
#define PBUF_POOL_SIZE		 8
#define LWIP_SUPPORT_CUSTOM_PBUF 1
/* That the window fits into the pool is not needed therefore. */
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1

/* Protocols. */
#define LWIP_IPV4	    1
#define LWIP_IPV6	    0
#define LWIP_ARP	    1
#define ARP_TABLE_SIZE	    32
#define ARP_QUEUEING	    1
#define ARP_QUEUE_LEN	    4
#define MEMP_NUM_ARP_QUEUE  16
#define IP_REASS_MAX_PBUFS  16
#define LWIP_ICMP	    1
#define LWIP_RAW	    1
#define LWIP_DHCP	    1
#define LWIP_DNS	    1
#define DNS_MAX_NAME_LENGTH 128
#define LWIP_UDP	    1
#define LWIP_TCP	    1
#define TCP_MSS		    1460
#define TCP_WND		    (32 * TCP_MSS)
#define TCP_SND_BUF	    (16 * TCP_MSS)
#define TCP_SND_QUEUELEN    64
#define TCP_OVERSIZE	    TCP_MSS
#define LWIP_TCP_KEEPALIVE  1
#define TCP_LISTEN_BACKLOG  1
#define TCP_OOSEQ_MAX_PBUFS 16

/* Network interfaces. */
#define LWIP_NETIF_HOSTNAME	     1
#define LWIP_NETIF_STATUS_CALLBACK   1
#define LWIP_NETIF_LINK_CALLBACK     1
#define LWIP_NETIF_LOOPBACK	     1
#define LWIP_LOOPBACK_MAX_PBUFS	     16
#define LWIP_CHECKSUM_CTRL_PER_NETIF 1
/* A driver that reads a buffer in place must not have its headers changed under it by a retransmission. */
#define LWIP_NETIF_TX_SINGLE_PBUF 0

/* Interfaces for programs: those of lwip/api.h and lwip/sockets.h, the latter with a prefix. */
#define LWIP_NETCONN		    1
#define LWIP_SOCKET		    1
#define LWIP_COMPAT_SOCKETS	    0
#define LWIP_POSIX_SOCKETS_IO_NAMES 0
#define LWIP_SO_SNDTIMEO	    1
#define LWIP_SO_RCVTIMEO	    1
#define SO_REUSE		    1
#define LWIP_TIMEVAL_PRIVATE	    0

#define LWIP_STATS		    1
#define LWIP_STATS_DISPLAY	    0

/* Of segments that come in. */
#define LWIP_HOOK_FILENAME "hooks.h"
#define LWIP_HOOK_TCP_INPACKET_PCB(pcb, header, length, in_first, second, p) \
	lwip_check_segment(pcb, header, length, in_first, second)

#endif
