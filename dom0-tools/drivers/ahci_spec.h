/* SPDX-License-Identifier: MIT */
/* AHCI 1.3.1 and what travels over it: what the driver uses of them. Numbers in brackets are sections of AHCI. */
#ifndef DRIVERS_AHCI_SPEC_H
#define DRIVERS_AHCI_SPEC_H

#include <stdint.h>

/* Registers of the host bus adapter [3.1]. */
#define AHCI_CAP	    0x00
#define AHCI_GHC	    0x04
#define AHCI_IS		    0x08 /* a bit for each port */
#define AHCI_PI		    0x0c /* which ports there are */
#define AHCI_CAP2	    0x24
#define AHCI_BOHC	    0x28

#define AHCI_CAP_SLOTS(cap) (((cap) >> 8 & 0x1f) + 1)
#define AHCI_CAP_NCQ	    (1u << 30)
#define AHCI_CAP_64BIT	    (1u << 31)
#define AHCI_GHC_RESET	    (1u << 0)
#define AHCI_GHC_INTERRUPTS (1u << 1)
#define AHCI_GHC_AHCI	    (1u << 31)
#define AHCI_CAP2_HANDOFF   (1u << 0)
#define AHCI_BOHC_BIOS	    (1u << 0) /* the firmware owns it */
#define AHCI_BOHC_OS	    (1u << 1)
#define AHCI_BOHC_BUSY	    (1u << 4)

/* Registers of a port [3.3]. */
#define AHCI_PORT(n)   (0x100u + 0x80u * (n))
#define AHCI_PORTS     32
#define AHCI_PORT_CLB  0x00 /* 64 bits: command list */
#define AHCI_PORT_FB   0x08 /* 64 bits: received FIS */
#define AHCI_PORT_IS   0x10
#define AHCI_PORT_IE   0x14
#define AHCI_PORT_CMD  0x18
#define AHCI_PORT_TFD  0x20
#define AHCI_PORT_SIG  0x24
#define AHCI_PORT_SSTS 0x28
#define AHCI_PORT_SCTL 0x2c
#define AHCI_PORT_SERR 0x30
#define AHCI_PORT_SACT 0x34
#define AHCI_PORT_CI   0x38

/* Interrupts of a port: a command ended; the link changed; something is wrong [3.3.5]. */
#define AHCI_INTERRUPT_ENDED 0x0000000f
#define AHCI_INTERRUPT_LINK  0x00400040
#define AHCI_INTERRUPT_TASK  0x40000000 /* the device says that a command failed */
#define AHCI_INTERRUPT_BUS   0x3d000010 /* the way to it, or to memory, failed */

#define AHCI_CMD_ST	     (1u << 0)
#define AHCI_CMD_SUD	     (1u << 1)
#define AHCI_CMD_POD	     (1u << 2)
#define AHCI_CMD_FRE	     (1u << 4)
#define AHCI_CMD_FR	     (1u << 14)
#define AHCI_CMD_CR	     (1u << 15)
#define AHCI_CMD_ICC	     0xf0000000 /* link power */
#define AHCI_CMD_ACTIVE	     0x10000000

#define AHCI_DETECT(ssts)    ((ssts)&0xf)
#define AHCI_DETECT_READY    3
#define AHCI_SCTL_RESET	     0x301 /* no power saving; interface initialisation */
#define AHCI_SCTL_NONE	     0x300

/* Status and error of the device, as in PxTFD. */
#define ATA_STATUS_ERR	    0x01
#define ATA_STATUS_DRQ	    0x08
#define ATA_STATUS_BSY	    0x80
#define ATA_ERROR(tfd)	    ((tfd) >> 8 & 0xff)
#define ATA_ERROR_ABRT	    0x04
#define ATA_ERROR_ICRC	    0x80

#define ATA_SIGNATURE_DISK  0x00000101
#define ATA_SIGNATURE_ATAPI 0xeb140101

/* An element of the command list [4.2.2]. */
struct ahci_header {
	uint32_t flags; /* 4:0 length of the FIS in words, 6 write, 31:16 elements of the PRDT */
	uint32_t transferred; /* bytes, by the controller */
	uint64_t table;
	uint32_t reserved[4];
};
#define AHCI_HEADER_WRITE (1u << 6)
#define AHCI_FIS_WORDS	  5

/* A piece of memory of a command [4.2.3.3]. */
struct ahci_region {
	uint64_t address;
	uint32_t reserved;
	uint32_t length; /* bytes minus one; even with that one */
};

/* 56 pieces make it 1024 bytes. */
#define AHCI_REGIONS 56
struct ahci_table {
	uint8_t fis[64];
	uint8_t atapi[16];
	uint8_t reserved[48];
	struct ahci_region regions[AHCI_REGIONS];
};
_Static_assert(sizeof(struct ahci_table) == 1024, "4.2.3");

/* What of the memory of a port lies where: the command list and, at 1024, what the device sends. */
#define AHCI_RECEIVED 1024

/* ATA commands (ACS-3). */
#define ATA_DATASET	  0x06
#define ATA_READ_DMA_EXT  0x25
#define ATA_READ_LOG_EXT  0x2f
#define ATA_WRITE_DMA_EXT 0x35
#define ATA_WRITE_DMA_FUA 0x3d
#define ATA_READ_QUEUED	  0x60
#define ATA_WRITE_QUEUED  0x61
#define ATA_FLUSH_EXT	  0xea
#define ATA_IDENTIFY	  0xec

#define ATA_DATASET_TRIM  0x1
#define ATA_LOG_NCQ_ERROR 0x10
#define ATA_DEVICE_LBA	  0x40
#define ATA_DEVICE_FUA	  0x80 /* of queued commands */

#endif
