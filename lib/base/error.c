/*
 * The error value. Everything is formatted into a buffer on the stack first, so that a message may quote the
 * error it replaces, and what does not fit is cut with "..." at the end.
 */
#include "base/error.h"

#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static void text_set(char *out, size_t size, const char *text)
{
	size_t len = strlen(text);

	if (len < size) {
		memcpy(out, text, len + 1);
		return;
	}
	memcpy(out, text, size - 4);
	memcpy(out + size - 4, "...", 4);
}

static int fill(struct error *err, int code, int errnum, const char *behind, const char *format,
		va_list args)
{
	char text[sizeof(err->message)], whole[sizeof(err->message) + 256];

	errnum = errnum < 0 ? -errnum : errnum;
	if (!err)
		return -errnum;
	vsnprintf(text, sizeof(text), format, args);
	snprintf(whole, sizeof(whole), "%s%s%s", text, behind ? ": " : "", behind ? behind : "");
	*err = (struct error){ .errnum = errnum, .code = code };
	text_set(err->message, sizeof(err->message), whole);
	return -errnum;
}

int fail(struct error *err, int errnum, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = fill(err, 0, errnum, NULL, format, args);
	va_end(args);
	return r;
}

int fail_errno(struct error *err, int errnum, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = fill(err, 0, errnum, strerror(abs(errnum)), format, args);
	va_end(args);
	return r;
}

int fail_code(struct error *err, int code, int errnum, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = fill(err, code, errnum, NULL, format, args);
	va_end(args);
	return r;
}

int fail_key(struct error *err, const char *key, const char *format, ...)
{
	va_list args;
	int r;

	va_start(args, format);
	r = fill(err, CNI_INVALID_CONFIG, EINVAL, NULL, format, args);
	va_end(args);
	if (err)
		text_set(err->key, sizeof(err->key), key);
	return r;
}

int error_at(struct error *err, const char *format, ...)
{
	char place[sizeof(err->key)], whole[2 * sizeof(err->key) + 4];
	va_list args;

	if (!err)
		return -EIO;
	va_start(args, format);
	vsnprintf(place, sizeof(place), format, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s%s%s", place, *err->key && *err->key != '[' ? "." : "",
		 err->key);
	text_set(err->key, sizeof(err->key), whole);
	return -err->errnum;
}

int wrap(struct error *err, const char *format, ...)
{
	char context[sizeof(err->message)], whole[2 * sizeof(err->message) + 4];
	va_list args;

	if (!err)
		return -EIO;
	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	snprintf(whole, sizeof(whole), "%s: %s", context, err->message);
	text_set(err->message, sizeof(err->message), whole);
	return -err->errnum;
}

void error_join(struct error *err, const struct error *later)
{
	char whole[2 * sizeof(err->message) + 4];

	if (!err || !later->errnum)
		return;
	if (!err->errnum) {
		*err = *later;
		return;
	}
	snprintf(whole, sizeof(whole), "%s; %s", err->message, later->message);
	text_set(err->message, sizeof(err->message), whole);
}

void error_move(struct error *err, struct error *later)
{
	error_join(err, later);
	*later = (struct error){ 0 };
}

const char *error_line(const struct error *err, char *out, size_t size)
{
	bool more = *err->details != '\0';

	snprintf(out, size, "%s%s%s%s", err->message, more ? " (" : "", err->details,
		 more ? ")" : "");
	text_mask(out);
	return out;
}

int error_code(struct error *err, int code)
{
	if (!err)
		return -EIO;
	if (!err->code)
		err->code = code;
	return -err->errnum;
}

bool errnum_is_shortage(int errnum)
{
	return errnum == ENOMEM || errnum == ENOBUFS || errnum == EMFILE || errnum == ENFILE;
}
