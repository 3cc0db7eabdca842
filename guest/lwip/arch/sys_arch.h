/* SPDX-License-Identifier: MIT */
/* lwIP's mutexes, semaphores, mailboxes and threads, made of guest/thread.h. */
#ifndef GUEST_LWIP_ARCH_SYS_ARCH_H
#define GUEST_LWIP_ARCH_SYS_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <guest/thread.h>

typedef struct {
	struct mutex mutex;
	bool valid;
} sys_mutex_t;

typedef struct {
	struct wait_queue wait;
	unsigned int count;
	bool valid;
} sys_sem_t;

/* Messages that every mailbox has room for, whatever size it is asked to have: all that lwipopts.h asks for fit. */
#define SYS_MBOX_ROOM 32

typedef struct {
	struct wait_queue readers, writers;
	unsigned int first, used, size;
	void *messages[SYS_MBOX_ROOM];
} sys_mbox_t;

typedef struct thread *sys_thread_t;

#define sys_mutex_valid(mutex)	     ((mutex)->valid)
#define sys_mutex_set_invalid(mutex) ((mutex)->valid = false)
#define sys_sem_valid(sem)	     ((sem)->valid)
#define sys_sem_set_invalid(sem)     ((sem)->valid = false)
#define sys_mbox_valid(mbox)	     ((mbox)->size != 0)
#define sys_mbox_set_invalid(mbox)   ((mbox)->size = 0)

#endif
