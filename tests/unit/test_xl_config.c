/* SPDX-License-Identifier: MIT */
// sources: dom0-tools/xl/config.c dom0-tools/xl/pool.c
/* The syntax of xl.cfg(5): what is taken, how it is read, and what is said about the rest. */
#include "unit.h"
#include "xl/config.h"

static struct {
	struct report report;
	char text[4096];
} said;

static void say(struct report *report, const char *message)
{
	strncat(said.text, message, sizeof(said.text) - strlen(said.text) - 2);
	strcat(said.text, "\n");
}

static struct config config;

static bool parse(const char *text)
{
	config_free(&config);
	memset(&said, 0, sizeof(said));
	said.report.say = say;
	return config_parse(&config, "a.cfg", text, strlen(text), &said.report);
}

/* The value of `a` as text: strings and numbers as they are, lists in brackets. */
static void flatten(const struct config_value *value, char *to)
{
	if (value->kind == CONFIG_STRING)
		sprintf(to + strlen(to), "\"%s\"", value->text);
	else if (value->kind == CONFIG_NUMBER)
		sprintf(to + strlen(to), "%s", value->text);
	else {
		strcat(to, "[");
		for (const struct config_value *item = value->items; item; item = item->next) {
			flatten(item, to);
			strcat(to, item->next ? " " : "");
		}
		strcat(to, "]");
	}
}

static void assert_a(const char *text, const char *expected)
{
	char flat[1024] = "";

	if (!parse(text))
		fail_msg("%s: %s", text, said.text);
	assert_non_null(config_find(&config, "a"));
	flatten(&config_find(&config, "a")->value, flat);
	assert_string_equal(flat, expected);
	assert_string_equal(said.text, "");
}

static void assert_wrong(const char *text, const char *message)
{
	if (parse(text))
		fail_msg("accepted: %s", text);
	assert_string_equal(said.text, message);
	assert_int_equal(said.report.errors, 1);
}

/* As libxlutil of 4.17 reads them. */
static void test_values(void **state)
{
	assert_a("a=1\n", "1");
	assert_a("a=1", "1");
	assert_a("a=010\n", "010");
	assert_a("a=0x1f\n", "0x1f");
	assert_a("a=0x1F\n", "0x1F");
	assert_a("a = 'x y'\n", "\"x y\"");
	assert_a("a=\"\"\n", "\"\"");
	assert_a("a='\"'\n", "\"\"\"");
	assert_a("a=[]\n", "[]");
	assert_a("a=[#\n]\n", "[]");
	assert_a("a=[1,'x']\n", "[1 \"x\"]");
	assert_a("a=[\n\"x\"\n,\n\"y\"\n]\n", "[\"x\" \"y\"]");
	assert_a("a=['x' # one\n,'y',\n\n]\n", "[\"x\" \"y\"]");
	assert_a("a=[['p','q'],'z']\n", "[[\"p\" \"q\"] \"z\"]");
}

static void test_escapes(void **state)
{
	assert_a("a='x\\ny\\x41\\101\\'q'\n", "\"x\nyAA'q\"");
	assert_a("a=\"\\a\\b\\f\\v\\r\\t\\\"\\\\\"\n", "\"\a\b\f\v\r\t\"\\\"");
	assert_wrong(
	    "a='\\q'\n",
	    "a.cfg:1: expected one of a b f n r t v \\ ' \", x and two hexadecimal digits, or "
	    "three octal digits after \\, found `q''\n");
	assert_wrong(
	    "a='\\x4'\n",
	    "a.cfg:1: expected one of a b f n r t v \\ ' \", x and two hexadecimal digits, or "
	    "three octal digits after \\, found `x4''\n");
	assert_false(parse("a='\\0'\n"));
	assert_false(parse("a='\\400'\n"));
	assert_false(parse("a='\\18'\n"));
	assert_wrong("a='\\000'\n", "a.cfg:1: a string cannot hold a character 0\n");
}

static void test_separators(void **state)
{
	assert_a("# c\n\n a=1 # d\n#e", "1");
	assert_a(";;a=1;;\n", "1");
	assert_a("b=2;a=1;c=3", "1");
	assert_a("b=['x'];a=['y'];\n", "[\"y\"]");
	assert_a("a=1\r\nb=2\r\n", "1");
	assert_a("a=1;a=2\n", "2");
	assert_a("a.b=1\na_=3\na=2\n", "2");
}

static void test_append(void **state)
{
	assert_a("a=['x']\na+=['y','z']\n", "[\"x\" \"y\" \"z\"]");
	assert_a("a='x'\na += 'y'\n", "\"xy\"");
	assert_a("a=1\na+=2\n", "\"12\"");
	assert_a("a+=['y']\n", "[\"y\"]");
	assert_wrong("a=[]\n\na+='y'\n", "a.cfg:3: a: expected a list after `+=', as in line 1\n");
	assert_wrong("a='y'\na+=[]\n", "a.cfg:2: a: expected a string after `+=', as in line 1\n");
}

static void test_lines(void **state)
{
	assert_true(parse("b=1\n\n# x\na=[\n'x',\n'y'\n]\nc=2"));
	assert_int_equal(config_find(&config, "a")->line, 4);
	assert_int_equal(config_find(&config, "a")->value.items->next->line, 6);
	assert_int_equal(config_find(&config, "c")->line, 8);
	assert_string_equal(config_find(&config, "c")->file, "a.cfg");
	assert_null(config_find(&config, "d"));
}

static void test_wrong(void **state)
{
	assert_wrong(
	    "a=x\n",
	    "a.cfg:1: expected a string in quotes, a number or a list after `=', found `x'\n");
	assert_wrong(
	    "\na=\n1\n",
	    "a.cfg:2: expected a string in quotes, a number or a list after `=', found the end of the line\n");
	assert_wrong(
	    "a=",
	    "a.cfg:1: expected a string in quotes, a number or a list after `=', found the end\n");
	assert_wrong("a\n",
		     "a.cfg:1: expected `=' or `+=' after a key, found the end of the line\n");
	assert_wrong("a-b=1\n", "a.cfg:1: expected `=' or `+=' after a key, found `-b=1'\n");
	assert_wrong("1a=2\n", "a.cfg:1: expected a key, found `1a=2'\n");
	assert_wrong("a=1 b=2\n",
		     "a.cfg:1: expected `;' or the end of the line after a value, found `b=2'\n");
	assert_wrong("a=1K\n", "a.cfg:1: expected a number to end, found `K'\n");
	assert_wrong("a=0x\n",
		     "a.cfg:1: expected a hexadecimal digit, found the end of the line\n");
	assert_wrong(
	    "a=08\n",
	    "a.cfg:1: expected an octal digit, since the number begins with 0, found `8'\n");
	assert_wrong(
	    "a=-5\n",
	    "a.cfg:1: expected a string in quotes, a number or a list after `=', found `-5'\n");
	assert_wrong("a=1.5\n", "a.cfg:1: expected a number to end, found `.5'\n");
	assert_wrong("b=1\na='x\n",
		     "a.cfg:2: expected ' before the end of the line: the string is not closed\n");
	assert_wrong("a=\"x\\\"",
		     "a.cfg:1: expected \" before the end of the line: the string is not closed\n");
	assert_wrong("a=['x' 'y']\n", "a.cfg:1: expected `,' or `]' in a list, found `'y']'\n");
	assert_wrong(
	    "a=['x',,'y']\n",
	    "a.cfg:1: expected a string in quotes, a number, a list or `]', found `,'y']'\n");
	assert_wrong("a=['x'\n", "a.cfg:2: expected `,' or `]' in a list, found the end\n");
	assert_wrong("a=[[[[[[[[[1]]]]]]]]]", "a.cfg:1: lists are nested more than 8 deep\n");
	assert_wrong("\x01", "a.cfg:1: expected a key, found character 0x01\n");
}

static void assert_argument(const char *argument, const char *expected)
{
	char flat[256] = "";

	assert_true(parse("a='old'"));
	if (!config_parse_argument(&config, argument, &said.report))
		fail_msg("%s: %s", argument, said.text);
	flatten(&config_find(&config, "a")->value, flat);
	assert_string_equal(flat, expected);
	assert_string_equal(config_find(&config, "a")->file, "command line");
}

static void test_arguments(void **state)
{
	assert_argument("a=7", "7");
	assert_argument("a='x'", "\"x\"");
	assert_argument("a=new", "\"new\"");
	assert_argument("a=/boot/example", "\"/boot/example\"");
	assert_argument("a=0-3", "\"0-3\"");
	assert_argument("a=console=hvc0 quiet", "\"console=hvc0 quiet\"");
	assert_argument("b=1; a=['x','y']", "[\"x\" \"y\"]");
	assert_argument("a+='x'", "\"oldx\"");
	assert_true(parse(""));
	assert_false(config_parse_argument(&config, "a=", &said.report));
	assert_string_equal(
	    said.text, "command line:1: expected a string in quotes, a number or a list after `=', "
		       "found the end\n");
	assert_false(config_parse_argument(&config, "a", &said.report));
	assert_false(config_parse_argument(&config, "-x=1", &said.report));
	assert_false(config_parse_argument(&config, "a=x;b=y", &said.report));
}

/* What is printed reads back as the same. */
static void test_print(void **state)
{
	char *first;

	assert_true(parse("a='x\\n\"\\\\\\x7f\\377'\nb=[1,['y',[]],0x10]\nc=010\n"));
	first = strdup(config_print(&config));
	assert_string_equal(first, "a=\"x\\x0a\\\"\\\\\x7f\xff\"\nb=[1,[\"y\",[]],0x10]\nc=010\n");
	assert_true(parse(first));
	assert_string_equal(config_print(&config), first);
	free(first);
}

/* Items of lists come and go; what is no list, or has no such place, stays as it is. */
static void test_lists(void **state)
{
	assert_true(parse("a=1\nb=['x','y']\n"));
	assert_true(config_list_set(&config, "b", 2, "z"));
	assert_true(config_list_set(&config, "b", 0, "w"));
	assert_true(config_list_remove(&config, "b", 1));
	assert_true(config_list_set(&config, "c", 0, "new"));
	assert_false(config_list_set(&config, "b", 3, "far"));
	assert_false(config_list_set(&config, "a", 0, "x"));
	assert_false(config_list_remove(&config, "b", 2));
	assert_false(config_list_remove(&config, "d", 0));
	assert_string_equal(config_print(&config), "a=1\nb=[\"w\",\"z\"]\nc=[\"new\"]\n");
}

static int teardown(void **state)
{
	config_free(&config);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),     cmocka_unit_test(test_escapes),
	    cmocka_unit_test(test_separators), cmocka_unit_test(test_append),
	    cmocka_unit_test(test_lines),      cmocka_unit_test(test_wrong),
	    cmocka_unit_test(test_arguments),  cmocka_unit_test(test_print),
	    cmocka_unit_test(test_lists),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
