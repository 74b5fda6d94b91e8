/* See input.h. */
#include "policy/input.h"

#include <dirent.h>
#include <errno.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "describe/documents.h"

static void add_document(void *arg, const struct json *document, const struct json *list)
{
	reader_add(arg, document, list);
}

int input_parse(const char *text, size_t size, struct reader *reader, struct error *err)
{
	return documents_each(text, size, add_document, reader, err);
}

static int read_file(const char *path, struct reader *reader, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	char *text;
	size_t size;
	int r;

	if (streq(path, "-"))
		r = fd_read_all(STDIN_FILENO, INPUT_SIZE_MAX, &scratch, &text, &size, err);
	else
		r = file_read(path, INPUT_SIZE_MAX, &scratch, &text, &size, err);
	if (r < 0)
		return r;
	r = input_parse(text, size, reader, err);
	return r < 0 ? wrap(err, "%s", streq(path, "-") ? "standard input" : path) : 0;
}

static int is_object_file(const struct dirent *entry)
{
	const char *name = entry->d_name;

	return *name != '.' &&
	       (has_suffix(name, ".json") || has_suffix(name, ".yaml") || has_suffix(name, ".yml"));
}

/* Not in the order of a language, as alphasort() would have it. */
static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_folder(const char *path, struct arena *arena, input_files_t *files,
		       struct error *err)
{
	struct dirent **entries;
	int n = scandir(path, &entries, is_object_file, by_name);

	if (n < 0)
		return fail_errno(err, errno, "%s", path);
	for (int i = 0; i < n; i++) {
		*list_add(arena, files) = arena_printf(arena, "%s/%s", path, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

int input_files(const char *path, struct arena *arena, input_files_t *files, struct error *err)
{
	struct stat status;

	if (!streq(path, "-") && stat(path, &status) == 0 && S_ISDIR(status.st_mode))
		return list_folder(path, arena, files, err);
	*list_add(arena, files) = arena_strdup(arena, path);
	return 0;
}

int input_read(const char *path, struct reader *reader, struct error *err)
{
	auto_arena struct arena scratch = { 0 };
	input_files_t files = { 0 };
	int r = input_files(path, &scratch, &files, err);

	list_each(file, &files)
		if (r >= 0)
			r = read_file(*file, reader, err);
	return r;
}
