/* Times as text, and back. */
#include "unit.h"

#include "base/clock.h"
#include "base/text.h"

TEST(times_are_written_and_read)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },          { "1970-12-31T23:59:59Z", 31535999 },
		{ "1972-02-29T12:00:00Z", 68212800 },   { "2000-02-29T00:00:00Z", 951782400 },
		{ "2000-03-01T00:00:01Z", 951868801 },  { "2026-11-26T12:34:56Z", 1795696496 },
		{ "2100-03-01T00:00:00Z", 4107542400 }, { "9999-12-31T23:59:59Z", 253402300799 },
	};
	char text[CLOCK_TEXT_SIZE];
	int64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		check_str(clock_format(rows[i].seconds * 1000 + 999, text), rows[i].text);
		check(clock_parse(rows[i].text, &ms));
		check_int(ms, rows[i].seconds * 1000);
	}
	check_str(clock_format(-1, text), "");
	check_str(clock_format(253402300800000, text), "");
	check_str(clock_format(INT64_MAX, text), "");
}

TEST(every_day_comes_back)
{
	char text[CLOCK_TEXT_SIZE];
	int64_t ms;

	for (int64_t day = 0; day < 366 * 450; day++) {
		check(clock_parse(clock_format(day * 86400000, text), &ms));
		check_int(ms, day * 86400000);
	}
}

TEST(what_is_no_time_is_refused)
{
	static const char *const rows[] = {
		"",
		"2026-11-26",
		"2026-11-26T12:34:56",
		"2026-11-26T12:34:56+01:00",
		"2026-11-26 12:34:56Z",
		"2026-13-01T00:00:00Z",
		"2026-00-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-1-01T00:00:00Z",
		"-026-11-26T12:34:56Z",
	};
	int64_t ms;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(!clock_parse(rows[i], &ms));
	check(clock_parse("2026-11-26T12:34:56.789012345Z", &ms));
}

TEST(text_between_two_others)
{
	auto_arena struct arena arena = { 0 };

	check_str(text_between(&arena, "a: b, c: d", "a: ", ","), "b");
	check_str(text_between(&arena, "a: b, c: d", "c: ", ","), "d");
	check_str(text_between(&arena, "a: b, c: d", "c: ", ""), "d");
	check(!text_between(&arena, "a: , c: d", "a: ", ","));
	check(!text_between(&arena, "a: b", "x", ","));
}

TEST(pauses_grow_to_a_bound_and_differ_by_chance)
{
	unsigned seen = 0, pause = 0, last = 0;

	pause = clock_next_pause(0, 100, 10000);
	check(pause >= 75 && pause <= 100);
	for (int i = 0; i < 200; i++) {
		unsigned next = clock_next_pause(pause, 100, 10000), whole = pause * 2;

		whole = whole < 10000 ? whole : 10000;
		check(next >= whole - whole / 4 && next <= whole);
		pause = next;
		seen += next != last;
		last = next;
	}
	check(pause >= 7500);
	check(seen > 150);
}
