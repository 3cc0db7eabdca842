/* SPDX-License-Identifier: MIT */
/* printf's formatting (C11 7.21.6.1) without floating point and without %n. */
#include "lib/lib.h"

struct out {
	char *buf;
	size_t size;  /* of buf; one byte of it is for the NUL */
	size_t count; /* of the whole text, what did not fit included */
};

enum { LEFT = 1, ZERO = 2, PLUS = 4, SPACE = 8, ALTERNATE = 16, UPPER = 32 };

struct spec {
	unsigned int flags;
	int width;
	int precision;	     /* -1: none given */
	unsigned int length; /* bytes of an integer argument */
};

static void put(struct out *o, char c)
{
	if (o->count + 1 < o->size)
		o->buf[o->count] = c;
	o->count++;
}

/* n times c, bounded so that a mad width costs no time: what is beyond the buffer is only counted. */
static void put_n(struct out *o, char c, int n)
{
	while (n > 0 && o->count + 1 < o->size) {
		put(o, c);
		n--;
	}
	if (n > 0)
		o->count += n;
}

static void put_text(struct out *o, const struct spec *s, const char *text, int len)
{
	if (!(s->flags & LEFT))
		put_n(o, ' ', s->width - len);
	for (int i = 0; i < len; i++)
		put(o, text[i]);
	if (s->flags & LEFT)
		put_n(o, ' ', s->width - len);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	size_t len;

	if (!text)
		text = "(null)";
	len = s->precision >= 0 ? strnlen(text, s->precision) : strlen(text);
	put_text(o, s, text, (int)min(len, (size_t)INT32_MAX));
}

/* sign: the character before the digits, or 0. */
static void put_number(struct out *o, const struct spec *s, uint64_t n, unsigned int base,
		       char sign)
{
	const char *digits = s->flags & UPPER ? "0123456789ABCDEF" : "0123456789abcdef";
	char text[24];
	const char *prefix = "";
	int len = 0, zeros, total;

	if ((s->flags & ALTERNATE) && base == 16 && n)
		prefix = s->flags & UPPER ? "0X" : "0x";
	for (; n; n /= base)
		text[len++] = digits[n % base];
	zeros = (s->precision >= 0 ? s->precision : 1) - len;
	if ((s->flags & ALTERNATE) && base == 8 && zeros <= 0)
		zeros = 1;
	if (zeros < 0)
		zeros = 0;
	total = len + zeros + (sign != 0) + (int)strlen(prefix);
	if ((s->flags & ZERO) && !(s->flags & LEFT) && s->precision < 0 && s->width > total) {
		zeros += s->width - total;
		total = s->width;
	}

	if (!(s->flags & LEFT))
		put_n(o, ' ', s->width - total);
	if (sign)
		put(o, sign);
	while (*prefix)
		put(o, *prefix++);
	put_n(o, '0', zeros);
	while (len)
		put(o, text[--len]);
	if (s->flags & LEFT)
		put_n(o, ' ', s->width - total);
}

static void put_signed(struct out *o, const struct spec *s, int64_t n)
{
	char sign = 0;

	if (n < 0)
		sign = '-';
	else if (s->flags & PLUS)
		sign = '+';
	else if (s->flags & SPACE)
		sign = ' ';
	put_number(o, s, n < 0 ? -(uint64_t)n : (uint64_t)n, 10, sign);
}

/* Digits of a width or precision; stops growing before it overflows. */
static int parse_int(const char **fmt)
{
	int n = 0;

	for (; **fmt >= '0' && **fmt <= '9'; (*fmt)++) {
		if (n < 100000)
			n = n * 10 + (**fmt - '0');
	}
	return n;
}

static unsigned int parse_flags(const char **fmt)
{
	static const char chars[] = "-0+ #";
	unsigned int flags = 0;
	const char *c;

	while (**fmt && (c = strchr(chars, **fmt))) {
		flags |= 1U << (c - chars);
		(*fmt)++;
	}
	return flags;
}

static unsigned int parse_length(const char **fmt)
{
	switch (*(*fmt)++) {
	case 'h':
		if (**fmt != 'h')
			return sizeof(short);
		(*fmt)++;
		return sizeof(char);
	case 'l':
		if (**fmt == 'l')
			(*fmt)++;
		return sizeof(long);
	case 'z':
	case 'j':
	case 't':
		return sizeof(long);
	default:
		(*fmt)--;
		return sizeof(int);
	}
}

int format_va(char *buf, size_t size, const char *fmt, va_list ap)
{
	struct out o = {buf, size, 0};

	while (*fmt) {
		const char *start = fmt;
		struct spec s = {.precision = -1};
		uint64_t u = 0;
		char c;

		if (*fmt != '%') {
			put(&o, *fmt++);
			continue;
		}
		fmt++;
		s.flags = parse_flags(&fmt);
		if (*fmt == '*') {
			fmt++;
			s.width = va_arg(ap, int);
			if (s.width < 0) {
				s.flags |= LEFT;
				s.width = s.width == INT32_MIN ? 0 : -s.width;
			}
		} else {
			s.width = parse_int(&fmt);
		}
		if (*fmt == '.') {
			fmt++;
			if (*fmt == '*') {
				fmt++;
				s.precision = max(va_arg(ap, int), -1);
			} else {
				s.precision = parse_int(&fmt);
			}
		}
		s.length = parse_length(&fmt);

		switch (*fmt) {
		case 'd':
		case 'i': {
			int64_t n = s.length == sizeof(long) ? va_arg(ap, long) : va_arg(ap, int);

			/* Sign-extended from the length that was named. */
			n = (int64_t)((uint64_t)n << (64 - 8 * s.length)) >> (64 - 8 * s.length);
			put_signed(&o, &s, n);
			break;
		}
		case 'u':
		case 'x':
		case 'X':
		case 'o':
			u = s.length == sizeof(long) ? va_arg(ap, unsigned long)
						     : va_arg(ap, unsigned int);
			if (s.length < sizeof(int))
				u &= (1UL << (8 * s.length)) - 1;
			if (*fmt == 'X')
				s.flags |= UPPER;
			put_number(&o, &s, u, *fmt == 'u' ? 10 : *fmt == 'o' ? 8 : 16, 0);
			break;
		case 'p':
			s.flags |= ALTERNATE;
			put_number(&o, &s, (uintptr_t)va_arg(ap, void *), 16, 0);
			break;
		case 's':
			put_string(&o, &s, va_arg(ap, const char *));
			break;
		case 'c':
			c = (char)va_arg(ap, int);
			put_text(&o, &s, &c, 1);
			break;
		case '%':
			put(&o, '%');
			break;
		default: /* not known: shown, its argument not taken */
			while (start < fmt)
				put(&o, *start++);
			continue;
		}
		fmt++;
	}
	if (size)
		buf[min(o.count, size - 1)] = '\0';
	return (int)min(o.count, (size_t)INT32_MAX);
}

int format(char *buf, size_t size, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = format_va(buf, size, fmt, ap);
	va_end(ap);
	return n;
}
