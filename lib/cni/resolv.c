/* Reading resolv.conf(5) into a result's dns, by the rules of the reference's host-local. */
#include "cni/resolv.h"

#include "base/file.h"

#define RESOLV_MAX ((size_t)1 << 20)
#define BLANKS     " \t\r\n\v\f"

static void resolv_words(char *words, struct arena *arena, strings_t *list)
{
	char *save;

	for (char *word = strtok_r(words, BLANKS, &save); word;
	     word = strtok_r(NULL, BLANKS, &save))
		*list_add(arena, list) = word;
}

/* resolv.conf(5): a keyword and its values; the last domain counts, everything else adds up. */
static void resolv_line(char *line, struct arena *arena, struct cni_dns *dns)
{
	char *rest;
	const char *keyword = strtok_r(line, BLANKS, &rest);
	strings_t values = { 0 };

	if (!keyword || *keyword == '#' || *keyword == ';')
		return;
	resolv_words(rest, arena, &values);
	if (values.n == 0)
		return;
	if (streq(keyword, "nameserver"))
		*list_add(arena, &dns->nameservers) = values.items[0];
	else if (streq(keyword, "domain"))
		dns->domain = values.items[0];
	list_each(value, &values) {
		if (streq(keyword, "search"))
			*list_add(arena, &dns->search) = *value;
		else if (streq(keyword, "options"))
			*list_add(arena, &dns->options) = *value;
	}
}

int resolv_read(const char *path, struct arena *arena, struct cni_dns *dns, struct error *err)
{
	char *text;
	int r = file_read(path, RESOLV_MAX, arena, &text, NULL, err);

	if (r < 0)
		return r;
	for (char *line; (line = strsep(&text, "\n"));)
		resolv_line(line, arena, dns);
	return 0;
}
