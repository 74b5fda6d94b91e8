/* See name.h; the limits are those of the API server's validation (apimachinery's util/validation). */
#include "policy/name.h"

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"
#define ALNUM  LOWER DIGITS
#define ANY    ALNUM "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

/* All len characters are from `inner`, the first and the last from `outer`, and there is one. */
static bool made_of(const char *text, size_t len, const char *outer, const char *inner)
{
	for (size_t i = 0; i < len; i++)
		if (!text[i] || !strchr(i == 0 || i == len - 1 ? outer : inner, text[i]))
			return false;
	return len > 0;
}

static bool is_subdomain(const char *text, size_t len)
{
	size_t part;

	if (len > 253)
		return false;
	for (;; text += part + 1, len -= part + 1) {
		const char *dot = memchr(text, '.', len);

		part = dot ? (size_t)(dot - text) : len;
		if (!made_of(text, part, ALNUM, ALNUM "-"))
			return false;
		if (!dot)
			return true;
	}
}

const char *name_wrong_object(const char *name)
{
	return is_subdomain(name, strlen(name))
		       ? NULL
		       : "is no DNS subdomain (at most 253 of a-z, 0-9, '-' and '.')";
}

const char *name_wrong_namespace(const char *name)
{
	size_t len = strlen(name);

	return len <= 63 && made_of(name, len, ALNUM, ALNUM "-")
		       ? NULL
		       : "is no DNS label (at most 63 of a-z, 0-9 and '-')";
}

static bool is_label_name(const char *text, size_t len)
{
	return len <= 63 && made_of(text, len, ANY, ANY "-_.");
}

const char *name_wrong_label_key(const char *key)
{
	const char *slash = strchr(key, '/'), *name = slash ? slash + 1 : key;

	if (slash && !is_subdomain(key, (size_t)(slash - key)))
		return "is no label key: no DNS subdomain in front of the '/'";
	return is_label_name(name, strlen(name))
		       ? NULL
		       : "is no label key (at most 63 letters, digits, '-', '_' and '.')";
}

const char *name_wrong_label_value(const char *value)
{
	return !*value || is_label_name(value, strlen(value))
		       ? NULL
		       : "is no label value (at most 63 letters, digits, '-', '_' and '.')";
}

const char *name_wrong_domain(const char *name)
{
	static const char wrong[] = "is no domain name (labels with dots between, \"*.\" in front)";
	const char *text = strncmp(name, "*.", 2) ? name : name + 2, *dot;

	if (!strchr(text, '.'))
		return wrong;
	for (; (dot = strchr(text, '.')); text = dot + 1)
		if (!made_of(text, (size_t)(dot - text), ANY, ANY "-_"))
			return wrong;
	return !*text || made_of(text, strlen(text), ANY, ANY "-_") ? NULL : wrong;
}

const char *name_wrong_port(const char *name)
{
	size_t len = strlen(name);

	return len <= 15 && made_of(name, len, ALNUM, ALNUM "-") && strpbrk(name, LOWER) &&
			       !strstr(name, "--")
		       ? NULL
		       : "is no port name (at most 15 of a-z, 0-9 and single '-', one a letter)";
}
