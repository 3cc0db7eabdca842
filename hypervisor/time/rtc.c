/* SPDX-License-Identifier: MIT */
/* The MC146818 real-time clock of the PC: battery-backed time of day, in UTC by our convention. */
#include "time/clock.h"
#include "cpu/x86.h"
#include "lib/lib.h"

#define CMOS_INDEX	  0x70
#define CMOS_DATA	  0x71
#define RTC_STATUS_A	  0x0a
#define RTC_STATUS_B	  0x0b
#define STATUS_A_UPDATING 0x80
#define STATUS_B_24_HOURS 0x02
#define STATUS_B_BINARY	  0x04
#define HOUR_PM		  0x80

static int number(uint8_t value, bool binary)
{
	if (binary)
		return value;
	if ((value & 0xf) > 9 || value >> 4 > 9)
		return -1;
	return (value >> 4) * 10 + (value & 0xf);
}

/* Days from 1970-01-01 to a date of the Gregorian calendar. */
static int64_t days(int year, int month, int day)
{
	static const uint16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
	int y = year - 1;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return y * 365L + y / 4 - y / 100 + y / 400 - 719162 + before[month - 1] +
	       (leap && month > 2) + day - 1;
}

int64_t rtc_to_seconds(const struct rtc_registers *r)
{
	bool binary = r->status_b & STATUS_B_BINARY, pm = false;
	int sec = number(r->sec, binary), min_ = number(r->min, binary), hour;
	int day = number(r->day, binary), month = number(r->month, binary);
	int year = number(r->year, binary), century = number(r->century, binary);

	if (r->status_b & STATUS_B_24_HOURS) {
		hour = number(r->hour, binary);
	} else {
		pm = r->hour & HOUR_PM;
		hour = number(r->hour & ~HOUR_PM, binary);
		if (hour < 1 || hour > 12)
			return -1;
		hour = hour % 12 + (pm ? 12 : 0);
	}
	if (sec < 0 || sec > 59 || min_ < 0 || min_ > 59 || hour < 0 || hour > 23 || day < 1 ||
	    day > 31 || month < 1 || month > 12 || year < 0 || year > 99)
		return -1;
	/* Without a century that makes sense, the years 70 to 99 are the last century's. */
	if (century < 19 || century > 30)
		century = year < 70 ? 20 : 19;
	year += century * 100;
	if (year < 1970)
		return -1;
	return ((days(year, month, day) * 24 + hour) * 60 + min_) * 60 + sec;
}

static uint8_t cmos_read(uint8_t index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static void read_registers(struct rtc_registers *r, uint8_t century_index)
{
	/* The registers are in motion for two milliseconds at most. */
	for (unsigned int i = 0; i < 100000 && cmos_read(RTC_STATUS_A) & STATUS_A_UPDATING; i++)
		cpu_relax();
	r->sec = cmos_read(0);
	r->min = cmos_read(2);
	r->hour = cmos_read(4);
	r->day = cmos_read(7);
	r->month = cmos_read(8);
	r->year = cmos_read(9);
	r->century = century_index ? cmos_read(century_index) : 0;
	r->status_b = cmos_read(RTC_STATUS_B);
}

int64_t rtc_read(uint8_t century_index)
{
	struct rtc_registers a, b;
	int64_t seconds;

	/* Two equal readings have no update between them. */
	read_registers(&b, century_index);
	for (int i = 0; i < 10; i++) {
		a = b;
		read_registers(&b, century_index);
		if (memcmp(&a, &b, sizeof(a)) == 0)
			break;
	}
	seconds = rtc_to_seconds(&b);
	return max(seconds, (int64_t)0);
}
