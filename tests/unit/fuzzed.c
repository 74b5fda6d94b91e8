/* What fuzzing found and no table of another file has a place for. */
#include "base/text.h"
#include "unit.h"

TEST(base64_that_is_none_has_no_size)
{
	static const char *const bad[] = { "YWJj!GVm", "abc", "YWJjZGV", "YWJj====", "YR==" };
	auto_arena struct arena arena = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		size_t size = 17;

		check(!base64_decode(&arena, bad[i], &size));
		check_int(size, 0);
	}
}
