/*
 * The error value: one per call, owned by whoever called first, passed down as last parameter.
 *
 * Fallible functions return 0 (or a count) or a negative errno, and fill the error once, where the
 * cause is known; callers on the way up put context in front with wrap(). The buffers are fixed, so
 * failing cannot fail. A NULL error is allowed everywhere: the caller wants the return value only.
 */
#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include "base/base.h"

/* CNI specification 1.1.0, section "Error"; 8 and 999 are constants of the reference library. */
/* clang-format off */
enum cni_code {
	CNI_INCOMPATIBLE_VERSION = 1,
	CNI_UNSUPPORTED_FIELD    = 2,
	CNI_UNKNOWN_CONTAINER    = 3,
	CNI_INVALID_ENVIRONMENT  = 4,
	CNI_IO_FAILURE           = 5,
	CNI_DECODE_FAILURE       = 6,
	CNI_INVALID_CONFIG       = 7,
	CNI_INVALID_NETNS        = 8,
	CNI_TRY_AGAIN_LATER      = 11,
	CNI_NOT_AVAILABLE        = 50,
	CNI_LIMITED              = 51,
	CNI_INTERNAL             = 999,
};
/* clang-format on */

struct error {
	int errnum; /* positive errno; 0 = no error yet */
	int code;   /* enum cni_code or a foreign plugin's; 0 = not decided (reported as 999) */
	char message[1024];
	char details[512];
	char key[128]; /* of a configuration, `ipam.ranges[0][1].subnet`: what it is about; "" = not said */
};

/* Fill the error and return -errnum: `return fail(err, ENOENT, "no such thing \"%s\"", name);` */
int fail(struct error *err, int errnum, const char *format, ...) printf_like(3, 4);
/* The same with ": " and the errno's text behind the message. */
int fail_errno(struct error *err, int errnum, const char *format, ...) printf_like(3, 4);
/* The same with a CNI code decided here. */
int fail_code(struct error *err, int code, int errnum, const char *format, ...) printf_like(4, 5);
/* A key of a configuration has a wrong value: code 7, EINVAL. */
int fail_key(struct error *err, const char *key, const char *format, ...) printf_like(3, 4);
/* Whoever knows where the key's object is puts that in front of the key; returns -err->errnum. */
int error_at(struct error *err, const char *format, ...) printf_like(2, 3);
/* Put "context: " in front of the message; returns -err->errnum (or -EIO when err is NULL). */
int wrap(struct error *err, const char *format, ...) printf_like(2, 3);
/* Tear-down keeps going: append "; message" of a later failure to what is there already. */
void error_join(struct error *err, const struct error *later);
/* The same, and empty later for the next one. */
void error_move(struct error *err, struct error *later);
/* One line for a person: the message, the details behind it in parentheses; what a foreign plugin or a file put
 * into it cannot touch the terminal. Returns out. */
const char *error_line(const struct error *err, char *out, size_t size);
/* Memory, buffers or descriptors are short: nothing is said about what was looked at. */
bool errnum_is_shortage(int errnum);
/* Set the code unless one was decided deeper down; returns -err->errnum. */
int error_code(struct error *err, int code);

#endif
