/* SPDX-License-Identifier: MIT */
/* NVM Express, base specification 1.4: what the driver uses of it. Numbers in brackets are its sections. */
#ifndef DRIVERS_NVME_SPEC_H
#define DRIVERS_NVME_SPEC_H

#include <stdint.h>

/* Controller registers [3.1]: offsets. */
#define NVME_CAP	     0x00 /* 64 bits */
#define NVME_VS		     0x08
#define NVME_INTMS	     0x0c
#define NVME_INTMC	     0x10
#define NVME_CC		     0x14
#define NVME_CSTS	     0x1c
#define NVME_AQA	     0x24
#define NVME_ASQ	     0x28 /* 64 bits */
#define NVME_ACQ	     0x30 /* 64 bits */
#define NVME_DOORBELLS	     0x1000

#define NVME_CAP_MQES(cap)   ((uint32_t)((cap)&0xffff))	      /* entries in a queue, minus one */
#define NVME_CAP_TO(cap)     ((uint32_t)((cap) >> 24 & 0xff)) /* units of 500 ms */
#define NVME_CAP_DSTRD(cap)  ((uint32_t)((cap) >> 32 & 0xf))  /* doorbells are 4 << this apart */
#define NVME_CAP_CSS(cap)    ((uint32_t)((cap) >> 37 & 0xff)) /* bit 0: the NVM command set */
#define NVME_CAP_MPSMIN(cap) ((uint32_t)((cap) >> 48 & 0xf))  /* smallest page: 4096 << this */

#define NVME_CC_EN	     0x1
#define NVME_CC_IOSQES	     (6u << 16) /* entries of 64 bytes */
#define NVME_CC_IOCQES	     (4u << 20) /* entries of 16 bytes */
#define NVME_CC_SHN	     (3u << 14)
#define NVME_CC_SHN_NORMAL   (1u << 14)

#define NVME_CSTS_RDY	     0x1
#define NVME_CSTS_CFS	     0x2 /* fatal */
#define NVME_CSTS_SHST(csts) ((csts) >> 2 & 3)
#define NVME_CSTS_SHUT	     2		/* of it: shut down */
#define NVME_GONE	     0xffffffff /* what reads of an absent device give */

/* An entry of a submission queue [4.2]. */
struct nvme_command {
	uint8_t opcode, flags;
	uint16_t cid;
	uint32_t nsid;
	uint32_t cdw2, cdw3;
	uint64_t metadata;
	uint64_t prp1, prp2;
	uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
};
_Static_assert(sizeof(struct nvme_command) == 64, "4.2");

/* An entry of a completion queue [4.6]. */
struct nvme_completion {
	uint32_t result;
	uint32_t reserved;
	uint16_t sq_head, sq_id;
	uint16_t cid;
	uint16_t status; /* bit 0: phase */
};
_Static_assert(sizeof(struct nvme_completion) == 16, "4.6");

/* Status without the phase: type in bits 8 to 10, code below. [4.6.1] */
#define NVME_STATUS(field)	((field) >> 1 & 0x7ff)
#define NVME_DNR		0x8000 /* of the field: do not retry */
#define NVME_SUCCESS		0x000
#define NVME_INVALID_OPCODE	0x001
#define NVME_ABORTED_BY_REQUEST 0x007
#define NVME_WRITE_PROTECTED	0x020
#define NVME_INTERRUPTED	0x021
#define NVME_CAPACITY_EXCEEDED	0x081
#define NVME_NOT_READY		0x082
#define NVME_WRITE_TO_READ_ONLY 0x182

/* Admin commands [5]. */
#define NVME_ADMIN_CREATE_SQ	  0x01
#define NVME_ADMIN_GET_LOG_PAGE	  0x02
#define NVME_ADMIN_CREATE_CQ	  0x05
#define NVME_ADMIN_IDENTIFY	  0x06
#define NVME_ADMIN_ABORT	  0x08
#define NVME_ADMIN_SET_FEATURES	  0x09
#define NVME_ADMIN_ASYNC_EVENT	  0x0c

#define NVME_QUEUE_CONTIGUOUS	  0x1 /* CDW11 of create queue */
#define NVME_QUEUE_INTERRUPTS	  0x2 /* of create completion queue */

#define NVME_FEATURE_QUEUES	  0x07
#define NVME_FEATURE_ASYNC_EVENTS 0x0b
#define NVME_EVENT_NAMESPACES	  0x100 /* bit of that feature, and of OAES */

/* Asynchronous events [5.2]: fields of the result. */
#define NVME_EVENT_TYPE(result)	    ((result)&7)
#define NVME_EVENT_INFO(result)	    ((result) >> 8 & 0xff)
#define NVME_EVENT_PAGE(result)	    ((result) >> 16 & 0xff)
#define NVME_EVENT_NOTICE	    2
#define NVME_LOG_CHANGED_NAMESPACES 0x04

/* Identify [5.15]: CDW10. */
#define NVME_IDENTIFY_NAMESPACE	 0x00
#define NVME_IDENTIFY_CONTROLLER 0x01
#define NVME_IDENTIFY_ACTIVE	 0x02 /* a list of namespaces */

/* NVM commands [6]. */
#define NVME_FLUSH		0x00
#define NVME_WRITE		0x01
#define NVME_READ		0x02
#define NVME_DATASET		0x09
#define NVME_FUA		0x40000000 /* CDW12 of read and write */
#define NVME_MAX_BLOCKS		0x10000	   /* in a read or write */
#define NVME_DATASET_DEALLOCATE 0x4	   /* CDW11 */

/* A range of dataset management [6.7]. */
struct nvme_range {
	uint32_t attributes;
	uint32_t blocks;
	uint64_t first;
};

#endif
