/* SPDX-License-Identifier: MIT */
/*
 * The screen that the boot loader set up: VGA text, or a linear framebuffer on which the font is
 * drawn. What it shows is kept in memory, since reading a framebuffer back is slow.
 */
#include "console/internal.h"
#include "console/console.h"
#include "boot/boot.h"
#include "cpu/x86.h"
#include "lib/errno.h"
#include "lib/lib.h"
#include "lib/option.h"
#include "mm/mm.h"

#define CELL_WIDTH    8
#define CELL_HEIGHT   16
#define MAX_COLUMNS   512
#define MAX_ROWS      256
#define FB_RGB	      1
#define FB_TEXT	      2
#define FB_NONE	      0xff
#define VGA_TEXT_BASE 0xb8000
#define VGA_ATTRIBUTE 0x0700 /* light grey on black */
#define VGA_CRTC      0x3d4

static struct {
	bool ready; /* mapped and understood */
	bool shown; /* not handed over */
	bool text;
	uint8_t *base;
	uint32_t pitch;
	unsigned int bytes; /* of a pixel */
	uint32_t colour;
	unsigned int columns, rows, column, row;
	char *cells; /* columns * rows characters */
} video;

static bool vga_keep;

/* Modes are the boot loader's business; what Xen accepts is accepted. */
static int parse_vga(const char *value)
{
	while (*value) {
		size_t len =
		    strchr(value, ',') ? (size_t)(strchr(value, ',') - value) : strlen(value);

		if (len == 4 && strncmp(value, "keep", len) == 0)
			vga_keep = true;
		else if (strncmp(value, "text-", 5) != 0 && strncmp(value, "gfx-", 4) != 0 &&
			 strncmp(value, "mode-", 5) != 0 &&
			 !(len == 7 && strncmp(value, "current", len) == 0) &&
			 !(len == 3 && strncmp(value, "ask", len) == 0))
			return -EINVAL;
		value += len;
		if (*value == ',')
			value++;
	}
	return 0;
}
CUSTOM_OPTION("vga", parse_vga, "keep, current, text-..., gfx-... or mode-...");

static uint32_t colour_field(uint8_t pos, uint8_t size)
{
	/* Light grey: 3/4 of full intensity. */
	return pos < 32 && size && size <= 8 ? ((1U << size) - 1) * 3 / 4 << pos : 0;
}

/* Where the picture is; false: none that can be used. */
static bool find_screen(paddr_t *address, size_t *len)
{
	uint8_t type = boot_info.fb.type;

	if (type == FB_RGB) {
		*address = boot_info.fb.address;
		video.pitch = boot_info.fb.pitch;
		video.bytes = (boot_info.fb.bpp + 7) / 8;
		video.columns = min(boot_info.fb.width / CELL_WIDTH, MAX_COLUMNS + 0U);
		video.rows = min(boot_info.fb.height / CELL_HEIGHT, MAX_ROWS + 0U);
		video.colour = colour_field(boot_info.fb.red_pos, boot_info.fb.red_size) |
			       colour_field(boot_info.fb.green_pos, boot_info.fb.green_size) |
			       colour_field(boot_info.fb.blue_pos, boot_info.fb.blue_size);
		if (video.bytes < 2 || video.bytes > 4 || video.pitch > 1U << 20 ||
		    video.pitch < video.columns * CELL_WIDTH * video.bytes)
			return false;
		*len = (size_t)video.pitch * video.rows * CELL_HEIGHT;
	} else if (type == FB_TEXT || (type == FB_NONE && !boot_info.efi)) {
		video.text = true;
		*address = type == FB_TEXT ? boot_info.fb.address : VGA_TEXT_BASE;
		video.columns = type == FB_TEXT ? boot_info.fb.width : 80;
		video.rows = type == FB_TEXT ? boot_info.fb.height : 25;
		video.pitch =
		    type == FB_TEXT && boot_info.fb.pitch ? boot_info.fb.pitch : video.columns * 2;
		*len = (size_t)video.pitch * video.rows;
		if (video.columns > MAX_COLUMNS || video.rows > MAX_ROWS ||
		    video.pitch < video.columns * 2 || *len > 0x8000)
			return false;
	} else {
		return false;
	}
	return video.columns >= 20 && video.rows >= 4;
}

/* The five columns of one line of a glyph; those around them stay blank. */
static void draw_pixels(uint8_t *line, uint8_t bits)
{
	if (likely(video.bytes == 4)) {
		volatile uint32_t *p = (volatile uint32_t *)line;

		p[1] = bits & 0x10 ? video.colour : 0;
		p[2] = bits & 0x08 ? video.colour : 0;
		p[3] = bits & 0x04 ? video.colour : 0;
		p[4] = bits & 0x02 ? video.colour : 0;
		p[5] = bits & 0x01 ? video.colour : 0;
		return;
	}
	for (unsigned int i = 0; i < 5; i++) {
		uint32_t c = bits >> (4 - i) & 1 ? video.colour : 0;

		memcpy(line + video.bytes * (i + 1), &c, video.bytes);
	}
}

/* Show c where old is shown. */
static void draw(unsigned int column, unsigned int row, char old, char c)
{
	const uint8_t *from, *to;
	uint8_t *cell;

	if (video.text) {
		*(volatile uint16_t *)(video.base + row * video.pitch + column * 2) =
		    VGA_ATTRIBUTE | (uint8_t)c;
		return;
	}
	from = font_glyph((unsigned char)old);
	to = font_glyph((unsigned char)c);
	cell = video.base + (size_t)row * CELL_HEIGHT * video.pitch +
	       (size_t)column * CELL_WIDTH * video.bytes;
	for (unsigned int i = 0; i < FONT_ROWS; i++, cell += (size_t)video.pitch * 2) {
		if (from[i] == to[i])
			continue;
		draw_pixels(cell, to[i]);
		draw_pixels(cell + video.pitch, to[i]);
	}
}

static void set_cell(unsigned int column, unsigned int row, char c)
{
	char *cell = &video.cells[row * video.columns + column];

	if (*cell == c)
		return;
	draw(column, row, *cell, c);
	*cell = c;
}

static void new_line(void)
{
	/* Pictures are costly to move: make room for several lines at once. */
	unsigned int step = video.text ? 1 : video.rows / 4;

	video.column = 0;
	if (++video.row < video.rows)
		return;
	for (unsigned int row = 0; row < video.rows; row++)
		for (unsigned int column = 0; column < video.columns; column++)
			set_cell(column, row,
				 row + step < video.rows
				     ? video.cells[(row + step) * video.columns + column]
				     : ' ');
	video.row = video.rows - step;
}

static void put_char(char c)
{
	if (c == '\n') {
		new_line();
	} else if (c == '\r') {
		video.column = 0;
	} else if (c == '\b') {
		if (video.column)
			video.column--;
	} else if (c == '\t') {
		do
			put_char(' ');
		while (video.column % 8);
	} else if ((unsigned char)c >= ' ') {
		if (video.column == video.columns)
			new_line();
		set_cell(video.column++, video.row, c);
	}
}

void video_write(const char *text, size_t n)
{
	if (!video.shown)
		return;
	for (size_t i = 0; i < n; i++)
		put_char(text[i]);
	if (video.text) {
		unsigned int at = video.row * video.columns + video.column;

		outw(VGA_CRTC, (at & 0xff00) | 0x0e);
		outw(VGA_CRTC, (at & 0xff) << 8 | 0x0f);
	}
}

void video_init(void)
{
	paddr_t address;
	size_t len;

	if (!find_screen(&address, &len))
		return;
	video.cells = kzalloc((size_t)video.columns * video.rows);
	video.base = ioremap(address, len, MAP_RW | (video.text ? MAP_UNCACHED : MAP_WC));
	if (!video.cells || !video.base) {
		printk(LOG_WARN "No memory for the screen at %#lx\n", address);
		return;
	}
	if (!video.text)
		memset(video.base, 0, len);
	for (unsigned int i = 0; i < video.columns * video.rows; i++) {
		video.cells[i] = ' ';
		if (video.text)
			draw(i % video.columns, i / video.columns, ' ', ' ');
	}
	video.ready = video.shown = true;
	printk(LOG_INFO "Screen: %s, %u columns, %u rows\n",
	       video.text ? "VGA text" : "framebuffer", video.columns, video.rows);
}

void video_show(bool on)
{
	video.shown = video.ready && (on || vga_keep);
}
