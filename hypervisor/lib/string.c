/* SPDX-License-Identifier: MIT */
/*
 * Memory and strings. Copies use the string instructions: 8 bytes a step, which costs one instruction
 * a step where instructions are counted and is as fast as anything else where they are microcoded.
 * The names stand in parentheses because lib.h makes macros of them.
 */
#include "lib/lib.h"

void *(memcpy)(void *dst, const void *src, size_t n)
{
	void *d = dst;
	size_t words = n / 8;

	__asm__ volatile("rep movsq\n\t"
			 "mov %[tail], %%ecx\n\t"
			 "rep movsb"
			 : "+&D"(d), "+&S"(src), "+&c"(words)
			 : [tail] "r"((uint32_t)n & 7)
			 : "memory");
	return dst;
}

void *(memmove)(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	/* Ascending is right unless dst lies inside the source: a word is read before any of it is overwritten. */
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		return (memcpy)(dst, src, n);
	while (n) {
		n--;
		d[n] = s[n];
		barrier(); /* or the compiler makes a call of memmove() of it */
	}
	return dst;
}

void *(memset)(void *dst, int c, size_t n)
{
	void *d = dst;
	size_t words = n / 8;

	__asm__ volatile("rep stosq\n\t"
			 "mov %[tail], %%ecx\n\t"
			 "rep stosb"
			 : "+&D"(d), "+&c"(words)
			 : [tail] "r"((uint32_t)n & 7), "a"((uint8_t)c * 0x0101010101010101UL)
			 : "memory");
	return dst;
}

int(memcmp)(const void *a, const void *b, size_t n)
{
	const uint8_t *x = a, *y = b;

	for (; n; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

size_t(strlen)(const char *s)
{
	const char *e = s;

	while (*e) {
		e++;
		barrier();
	}
	return e - s;
}

size_t(strnlen)(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n])
		n++;
	return n;
}

int(strcmp)(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

int(strncmp)(const char *a, const char *b, size_t n)
{
	for (; n; n--, a++, b++) {
		if (*a != *b || !*a)
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

char *(strchr)(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (!*s)
			return NULL;
	}
	return (char *)s;
}

char *(strstr)(const char *haystack, const char *needle)
{
	size_t n = strlen(needle);

	for (; *haystack; haystack++) {
		if (strncmp(haystack, needle, n) == 0)
			return (char *)haystack;
	}
	return n ? NULL : (char *)haystack;
}

size_t copy_string(char *dst, const char *src, size_t size)
{
	size_t len = strlen(src), n = min(len, size - 1);

	memcpy(dst, src, n);
	dst[n] = '\0';
	return len;
}
