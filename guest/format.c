/* SPDX-License-Identifier: MIT */
#include <guest/format.h>
#include <stdbool.h>
#include <stdint.h>

struct output {
	char *buffer;
	size_t size, length;
};

/* One conversion: flags and numbers between '%' and the letter. */
struct spec {
	bool left, zero, plus, space, alternate;
	int width, precision; /* precision -1: none given */
	int longs;	      /* -2 hh, -1 h, 0, 1 l or z, 2 ll */
};

static void put(struct output *out, char c)
{
	if (out->length + 1 < out->size)
		out->buffer[out->length] = c;
	out->length++;
}

static void put_many(struct output *out, char c, int count)
{
	for (; count > 0; count--)
		put(out, c);
}

static void put_text(struct output *out, const struct spec *spec, const char *text)
{
	int length = 0;

	if (!text)
		text = "(null)";
	while (text[length] && (spec->precision < 0 || length < spec->precision))
		length++;
	if (!spec->left)
		put_many(out, ' ', spec->width - length);
	for (int i = 0; i < length; i++)
		put(out, text[i]);
	if (spec->left)
		put_many(out, ' ', spec->width - length);
}

/* prefix: sign or 0x. */
static void put_number(struct output *out, const struct spec *spec, uint64_t value,
		       unsigned int base, bool upper, const char *prefix)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char reversed[24];
	int count = 0, prefix_length = 0, zeros, padding;

	for (; value; value /= base)
		reversed[count++] = digits[value % base];
	while (prefix[prefix_length])
		prefix_length++;
	zeros = (spec->precision < 0 ? 1 : spec->precision) - count;
	if (zeros < 0)
		zeros = 0;
	padding = spec->width - prefix_length - zeros - count;
	if (padding > 0 && spec->zero && !spec->left && spec->precision < 0) {
		zeros += padding;
		padding = 0;
	}
	if (!spec->left)
		put_many(out, ' ', padding);
	while (*prefix)
		put(out, *prefix++);
	put_many(out, '0', zeros);
	while (count)
		put(out, reversed[--count]);
	if (spec->left)
		put_many(out, ' ', padding);
}

static int64_t signed_argument(va_list *arguments, int longs)
{
	int value;

	if (longs == 2)
		return va_arg(*arguments, long long);
	if (longs == 1)
		return va_arg(*arguments, long);
	value = va_arg(*arguments, int);
	if (longs == -1)
		return (short)value;
	if (longs == -2)
		return (signed char)value;
	return value;
}

static uint64_t unsigned_argument(va_list *arguments, int longs)
{
	unsigned int value;

	if (longs == 2)
		return va_arg(*arguments, unsigned long long);
	if (longs == 1)
		return va_arg(*arguments, unsigned long);
	value = va_arg(*arguments, unsigned int);
	if (longs == -1)
		return (unsigned short)value;
	if (longs == -2)
		return (unsigned char)value;
	return value;
}

static const char *parse_number(const char *at, va_list *arguments, int *number)
{
	if (*at == '*') {
		*number = va_arg(*arguments, int);
		return at + 1;
	}
	*number = 0;
	for (; *at >= '0' && *at <= '9'; at++)
		if (*number < 10000)
			*number = *number * 10 + (*at - '0');
	return at;
}

/* Reads what stands between '%' and the letter; returns where the letter is. */
static const char *parse(const char *at, va_list *arguments, struct spec *spec)
{
	*spec = (struct spec){.precision = -1};
	for (;; at++) {
		if (*at == '-')
			spec->left = true;
		else if (*at == '0')
			spec->zero = true;
		else if (*at == '+')
			spec->plus = true;
		else if (*at == ' ')
			spec->space = true;
		else if (*at == '#')
			spec->alternate = true;
		else
			break;
	}
	at = parse_number(at, arguments, &spec->width);
	if (spec->width < 0) {
		spec->left = true;
		spec->width = -spec->width;
	}
	if (*at == '.')
		at = parse_number(at + 1, arguments, &spec->precision);
	for (;; at++) {
		if (*at == 'l' || *at == 'z')
			spec->longs++;
		else if (*at == 'h')
			spec->longs--;
		else
			return at;
	}
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
	const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

	put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, false, sign);
}

/* One conversion, `at` on its letter. False when the letter is none of ours. */
static bool convert(struct output *out, struct spec *spec, char letter, va_list *arguments)
{
	char one[2] = {0, 0};
	uint64_t value;

	switch (letter) {
	case 'd':
	case 'i':
		put_signed(out, spec, signed_argument(arguments, spec->longs));
		return true;
	case 'u':
		put_number(out, spec, unsigned_argument(arguments, spec->longs), 10, false, "");
		return true;
	case 'x':
	case 'X':
		value = unsigned_argument(arguments, spec->longs);
		put_number(out, spec, value, 16, letter == 'X',
			   !spec->alternate || !value ? ""
			   : letter == 'X'	      ? "0X"
						      : "0x");
		return true;
	case 'p':
		put_number(out, spec, (uintptr_t)va_arg(*arguments, void *), 16, false, "0x");
		return true;
	case 's':
		put_text(out, spec, va_arg(*arguments, const char *));
		return true;
	case 'c':
		one[0] = (char)va_arg(*arguments, int);
		if (one[0]) {
			spec->precision = -1;
			put_text(out, spec, one);
		} else {
			put(out, 0);
		}
		return true;
	case '%':
		put(out, '%');
		return true;
	default:
		return false;
	}
}

int format_string_v(char *buffer, size_t size, const char *format, va_list arguments)
{
	struct output out = {buffer, size, 0};
	struct spec spec;
	va_list list;

	va_copy(list, arguments);
	while (*format) {
		const char *start = format;

		if (*format != '%') {
			put(&out, *format++);
			continue;
		}
		format = parse(format + 1, &list, &spec);
		if (*format && convert(&out, &spec, *format, &list)) {
			format++;
			continue;
		}
		while (start < format)
			put(&out, *start++);
	}
	va_end(list);
	if (size)
		buffer[out.length < size ? out.length : size - 1] = 0;
	return (int)out.length;
}

int format_string(char *buffer, size_t size, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = format_string_v(buffer, size, format, arguments);
	va_end(arguments);
	return length;
}
