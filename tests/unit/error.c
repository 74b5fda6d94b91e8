/* The error value, and the undo stack which joins errors. */
#include "unit.h"

#include "base/undo.h"

#include <errno.h>

TEST(error_fail_fills_and_returns)
{
	struct error err = { .code = 7, .details = "old" };

	check_int(fail(&err, ENOENT, "no such thing \"%s\"", "x"), -ENOENT);
	check_str(err.message, "no such thing \"x\"");
	check_str(err.details, "");
	check_int(err.errnum, ENOENT);
	check_int(err.code, 0);
	check_int(fail_errno(&err, EPERM, "create %s", "veth0"), -EPERM);
	check_str(err.message, "create veth0: Operation not permitted");
	check_int(fail_code(&err, CNI_TRY_AGAIN_LATER, EBUSY, "busy"), -EBUSY);
	check_int(err.code, 11);
	check_int(fail(&err, EINVAL, "again: %s", err.message), -EINVAL);
	check_str(err.message, "again: busy");
	check_int(fail(NULL, EINVAL, "nobody asks"), -EINVAL);
}

TEST(error_wrap_puts_context_in_front)
{
	struct error err = { 0 };

	fail_code(&err, 7, EINVAL, "bad");
	check_int(wrap(&err, "read %d", 5), -EINVAL);
	check_str(err.message, "read 5: bad");
	check_int(err.code, 7);
	check_int(wrap(NULL, "x"), -EIO);
}

TEST(error_has_the_key_it_is_about)
{
	struct error err = { 0 };

	check_int(fail_key(&err, "subnet", "%s is bad", "x"), -EINVAL);
	check_str(err.message, "x is bad");
	check_str(err.key, "subnet");
	check_int(err.code, CNI_INVALID_CONFIG);
	check_int(error_at(&err, "[%d]", 1), -EINVAL);
	check_int(error_at(&err, "ipam.%s", "ranges"), -EINVAL);
	check_str(err.key, "ipam.ranges[1].subnet");
	wrap(&err, "context");
	check_str(err.key, "ipam.ranges[1].subnet");
	for (int i = 0; i < 20; i++)
		error_at(&err, "longer");
	check_int(strlen(err.key), sizeof(err.key) - 1);
	fail(&err, EIO, "another");
	check_str(err.key, "");
	check_int(fail_key(NULL, "x", "y"), -EINVAL);
	check_int(error_at(NULL, "x"), -EIO);
}

TEST(error_is_cut_not_overrun)
{
	struct error err = { 0 };
	char long_text[3000];

	memset(long_text, 'x', sizeof(long_text) - 1);
	long_text[sizeof(long_text) - 1] = '\0';
	fail(&err, EIO, "%s", long_text);
	check_int(strlen(err.message), sizeof(err.message) - 1);
	for (int i = 0; i < 300; i++)
		wrap(&err, "context");
	check_int(strlen(err.message), sizeof(err.message) - 1);
	check(strncmp(err.message, "context: context: ", 18) == 0);
	check_str(err.message + strlen(err.message) - 3, "...");
}

TEST(error_join_keeps_the_first)
{
	struct error err = { 0 }, first = { 0 }, second = { 0 };

	error_join(&err, &first);
	check_int(err.errnum, 0);
	fail_code(&first, 5, EIO, "first");
	fail_code(&second, 6, EPERM, "second");
	error_join(&err, &first);
	error_join(&err, &second);
	check_str(err.message, "first; second");
	check_int(err.code, 5);
	check_int(err.errnum, EIO);
	error_join(NULL, &first);
}

TEST(error_code_does_not_overrule)
{
	struct error err = { 0 };

	fail(&err, EINVAL, "bad");
	check_int(error_code(&err, 7), -EINVAL);
	check_int(err.code, 7);
	error_code(&err, 11);
	check_int(err.code, 7);
	check_int(error_code(NULL, 7), -EIO);
}

static char trace[100];

static int undo_note(void *arg, struct error *err)
{
	const char *name = arg;

	strcat(trace, name);
	return *name == 'X' ? fail(err, EBUSY, "still in use") : 0;
}

static int undo_mute(void *arg, struct error *err)
{
	(void)arg;
	(void)err;
	return -ENODEV;
}

TEST(undo_runs_backwards_and_all)
{
	struct undo undo = { 0 };
	struct error err = { 0 };

	trace[0] = '\0';
	undo_push(&undo, undo_note, (void *)"a", "remove a");
	undo_push(&undo, undo_note, (void *)"X", "remove x");
	undo_push(&undo, undo_mute, NULL, "remove link");
	undo_push(&undo, undo_note, (void *)"c", "remove c");
	undo_run(&undo, &err);
	check_str(trace, "cXa");
	check_str(err.message, "remove link: failed: No such device; remove x: still in use");
	undo_run(&undo, &err);
	check_str(trace, "cXa");
}

TEST(undo_leaves_with_the_scope_unless_cleared)
{
	trace[0] = '\0';
	for (int i = 0; i < 2; i++) {
		auto_undo struct undo undo = { 0 };

		undo_push(&undo, undo_note, (void *)"1", "one");
		undo_push(&undo, undo_note, (void *)"2", "two");
		if (i == 0)
			undo_clear(&undo);
	}
	check_str(trace, "21");
}
