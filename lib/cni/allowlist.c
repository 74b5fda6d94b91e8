/* The list of sysctls that may be set; see allowlist.h. */
#include "cni/allowlist.h"

#include <ctype.h>
#include <errno.h>

#include "base/file.h"
#include "base/pattern.h"

#define FILE_MAX ((size_t)1 << 20)

/* The next line without the blanks around it, in place; NULL behind the last. */
static char *next_line(char **text)
{
	char *line = strsep(text, "\n"), *end;

	if (!line)
		return NULL;
	while (isspace((unsigned char)*line))
		line++;
	for (end = line + strlen(line); end > line && isspace((unsigned char)end[-1]); end--)
		;
	*end = '\0';
	return line;
}

int allowlist_read(const char *path, struct arena *arena, struct allowlist *list, struct error *err)
{
	struct error why = { 0 };
	char *text, *line;

	*list = (struct allowlist){ .path = path };
	if (file_read(path, FILE_MAX, arena, &text, NULL, &why))
		return why.errnum == ENOENT ? 0
					    : fail(err, why.errnum, "allow-list: %s", why.message);
	list->present = true;
	while ((line = next_line(&text)))
		if (*line && *line != '#')
			*list_add(arena, &list->patterns) = line;
	return 0;
}

static int refuse(const struct allowlist *list, const char *sysctl, struct error *err)
{
	struct arena arena auto_arena = { 0 };
	const char *all = "";

	list_each(pattern, &list->patterns)
		all = arena_printf(&arena, "%s%s%s", all, *all ? " " : "", *pattern);
	fail_code(err, CNI_INVALID_CONFIG, EACCES,
		  "Sysctl %s is not allowed. Only the following sysctls are allowed: [%s]", sysctl,
		  all);
	return -EACCES;
}

int allowlist_check(const struct allowlist *list, const char *sysctl, struct error *err)
{
	bool matches = !list->present;

	list_each(pattern, &list->patterns) {
		if (matches)
			break;
		if (pattern_match(*pattern, sysctl, &matches, err))
			return wrap(err, "allow-list: %s", list->path);
	}
	return matches ? 0 : refuse(list, sysctl, err);
}
