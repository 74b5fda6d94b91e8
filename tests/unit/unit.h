/*
 * Unit tests register themselves: TEST(name) { check...; }. The runner (unit.c) prints TAP, `unit PATTERN` runs
 * those whose "file: name" contains PATTERN. A test that fails goes on, so that it shows everything at once.
 */
#ifndef UNIT_H
#define UNIT_H

#include "base/arena.h"
#include "base/error.h"

#include <stdio.h>

struct unit_test {
	const char *file, *name;
	void (*run)(void);
};

#define TEST(test_name)                                                                   \
	static void test_##test_name(void);                                               \
	static const struct unit_test unit_##test_name = { __FILE__, #test_name,          \
							   test_##test_name };            \
	static const struct unit_test *const unit_p_##test_name                           \
		__attribute__((used, retain, section("unit_tests"))) = &unit_##test_name; \
	static void test_##test_name(void)

/* Added to what the clocks of base/clock.h say, in this process; zero again when a test has ended. */
extern int64_t unit_wall_jump_ms, unit_boot_jump_ms;

void unit_check(bool ok, const char *file, int line, const char *format, ...) printf_like(4, 5);

#define check(condition) unit_check((condition), __FILE__, __LINE__, "%s", #condition)
#define check_int(got, want)                                                                      \
	do {                                                                                      \
		long long got_ = (long long)(got), want_ = (long long)(want);                     \
		unit_check(got_ == want_, __FILE__, __LINE__, "%s is %lld, not %lld", #got, got_, \
			   want_);                                                                \
	} while (0)
#define check_str(got, want)                                                               \
	do {                                                                               \
		const char *got_ = (got), *want_ = (want);                                 \
		unit_check(got_ &&want_ &&streq(got_, want_), __FILE__, __LINE__,          \
			   "%s is\n  \"%s\", not\n  \"%s\"", #got, got_ ? got_ : "(null)", \
			   want_ ? want_ : "(null)");                                      \
	} while (0)
/* The call succeeds; its error text is shown when not. `err` is a struct error. */
#define check_ok(call, err)                                                                      \
	do {                                                                                     \
		int r_ = (call);                                                                 \
		unit_check(r_ >= 0, __FILE__, __LINE__, "%s: %d: %s", #call, r_, (err).message); \
	} while (0)
/* The call fails with just this message. */
#define check_fails(call, err, text)                                               \
	do {                                                                       \
		struct error *e_ = &(err);                                         \
		*e_ = (struct error){ 0 };                                         \
		unit_check((call) < 0, __FILE__, __LINE__, "%s succeeded", #call); \
		check_str(e_->message, (text));                                    \
	} while (0)

#endif
