/* SPDX-License-Identifier: MIT */
/* Weak, so that a C library's versions take over where one is linked. */
#include <guest/string.h>
#include <stdint.h>

__attribute__((weak)) void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size) : : "memory");
	return to;
}

__attribute__((weak)) void *memmove(void *to, const void *from, size_t size)
{
	char *at = (char *)to + size - 1;
	const char *source = (const char *)from + size - 1;

	if ((uintptr_t)to - (uintptr_t)from >= size)
		return memcpy(to, from, size);
	__asm__ volatile("std; rep movsb; cld" : "+D"(at), "+S"(source), "+c"(size) : : "memory");
	return to;
}

__attribute__((weak)) void *memset(void *to, int byte, size_t size)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(byte) : "memory");
	return to;
}

__attribute__((weak)) int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *left = a, *right = b;

	for (; size; left++, right++, size--)
		if (*left != *right)
			return *left - *right;
	return 0;
}

__attribute__((weak)) size_t strlen(const char *text)
{
	const char *end = text;

	/* The empty statement keeps the compiler from seeing a strlen here and calling it. */
	for (; *end; end++)
		__asm__ volatile("");
	return end - text;
}

__attribute__((weak)) int strcmp(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		;
	return (unsigned char)*a - (unsigned char)*b;
}

__attribute__((weak)) int strncmp(const char *a, const char *b, size_t size)
{
	for (; size && *a && *a == *b; a++, b++, size--)
		;
	return size ? (unsigned char)*a - (unsigned char)*b : 0;
}
