/*
 * The wall clock, and its times as text; see clock.h. Not with libc's functions for that: they bring time zones and
 * languages along.
 */
#include "base/clock.h"

#include <ctype.h>
#include <stdlib.h>

enum { DAY = 24 * 60 * 60, LAST_YEAR = 9999 };

int64_t clock_wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of_month(int year, int month)
{
	static const int8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month - 1] + (month == 2 && is_leap(year));
}

/* From 1970 to the first day of the year. */
static int64_t days_before(int year)
{
	int past = year - 1;

	return past * 365LL + past / 4 - past / 100 + past / 400 - 719162;
}

static void put_number(char *text, int number, int len, char behind)
{
	text[len] = behind;
	for (; len-- > 0; number /= 10)
		text[len] = (char)('0' + number % 10);
}

char *clock_format(int64_t wall_ms, char text[CLOCK_TEXT_SIZE])
{
	int64_t seconds = wall_ms / 1000, days = seconds / DAY;
	int year = 1970 + (int)(days / 366), month = 1, rest = (int)(seconds % DAY);

	*text = '\0';
	if (wall_ms < 0 || days >= days_before(LAST_YEAR + 1))
		return text;
	while (days >= days_before(year + 1))
		year++;
	for (days -= days_before(year); days >= days_of_month(year, month); month++)
		days -= days_of_month(year, month);
	put_number(text, year, 4, '-');
	put_number(text + 5, month, 2, '-');
	put_number(text + 8, (int)days + 1, 2, 'T');
	put_number(text + 11, rest / 3600, 2, ':');
	put_number(text + 14, rest / 60 % 60, 2, ':');
	put_number(text + 17, rest % 60, 2, 'Z');
	text[CLOCK_TEXT_SIZE - 1] = '\0';
	return text;
}

/* Letters of the form that stand for digits are 0; anything else is itself. */
static bool has_form(const char *text, const char *form)
{
	for (; *form; text++, form++)
		if (*form == '0' ? !isdigit((unsigned char)*text) : *text != *form)
			return false;
	return *text == 'Z' || *text == '.';
}

static int number_at(const char *text, int len)
{
	int number = 0;

	while (len-- > 0)
		number = number * 10 + (*text++ - '0');
	return number;
}

bool clock_parse(const char *text, int64_t *wall_ms)
{
	int64_t hour, minute, second;
	int year, month, day;
	int64_t days;

	if (!has_form(text, "0000-00-00T00:00:00"))
		return false;
	year = number_at(text, 4), month = number_at(text + 5, 2), day = number_at(text + 8, 2);
	hour = number_at(text + 11, 2), minute = number_at(text + 14, 2);
	second = number_at(text + 17, 2);
	if (year < 1 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) ||
	    hour > 23 || minute > 59 || second > 60)
		return false;
	days = days_before(year) + day - 1;
	while (--month > 0)
		days += days_of_month(year, month);
	*wall_ms = (days * DAY + hour * 3600 + minute * 60 + second) * 1000;
	return true;
}

unsigned clock_next_pause(unsigned pause_ms, unsigned min_ms, unsigned max_ms)
{
	unsigned pause = pause_ms ? pause_ms * 2 : min_ms;

	if (pause > max_ms)
		pause = max_ms;
	return pause - (unsigned)random() % (pause / 4 + 1);
}
