/* The runner of the unit tests: see unit.h. */
#include "unit.h"

#include <stdarg.h>

extern const struct unit_test *const __start_unit_tests[], *const __stop_unit_tests[];
static unsigned failures;

void unit_check(bool ok, const char *file, int line, const char *format, ...)
{
	va_list args;

	if (ok)
		return;
	failures++;
	printf("# %s:%d: ", file, line);
	va_start(args, format);
	for (char text[4096], *p = text; p == text; p++) {
		vsnprintf(text, sizeof(text), format, args);
		for (char *c = text; *c; c++) {
			putchar(*c);
			if (*c == '\n')
				printf("# ");
		}
	}
	va_end(args);
	putchar('\n');
}

static bool matches(const struct unit_test *test, int argc, char **argv)
{
	char name[512];

	snprintf(name, sizeof(name), "%s: %s", test->file, test->name);
	for (int i = 1; i < argc; i++)
		if (strstr(name, argv[i]))
			return true;
	return argc < 2;
}

int main(int argc, char **argv)
{
	unsigned n = 0, failed = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	for (const struct unit_test *const *p = __start_unit_tests; p < __stop_unit_tests; p++) {
		if (!matches(*p, argc, argv))
			continue;
		failures = 0;
		(*p)->run();
		failed += failures > 0;
		printf("%s %u %s: %s\n", failures ? "not ok" : "ok", ++n, (*p)->file, (*p)->name);
	}
	printf("1..%u\n", n);
	return failed || n == 0;
}
