/* SPDX-License-Identifier: MIT */
/* Marks for the plugin of count.c: nopl with a displacement of 32 bits, which holds the number and a magic one. */
#ifndef BENCH_MARK_H
#define BENCH_MARK_H

#define MARK_MAGIC 0x5a17

/* number: a constant below 65536. */
#define bench_mark(number)                                   \
	__asm__ volatile(".byte 0x0f, 0x1f, 0x80; .long %c0" \
			 :                                   \
			 : "i"(MARK_MAGIC << 16 | (number))  \
			 : "memory")

#endif
