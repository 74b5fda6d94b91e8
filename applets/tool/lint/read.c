/* What a file is, by what is in it: a network list, a flannel network, a manifest with either in a ConfigMap, a folder. */
#include "lint.h"

#include "base/file.h"
#include "base/text.h"
#include "describe/documents.h"
#include "describe/json.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#define FILE_MAX ((size_t)4 << 20)

/* Networks that came from files by themselves. */
static void add_sources(struct lint_session *session)
{
	while (session->sources.n < session->networks.all.n) {
		const struct network *network = &session->networks.all.items[session->sources.n];

		*list_add(session->arena, &session->sources) =
			(struct source){ .file = network->file,
					 .text = network->source,
					 .size = network->source_size,
					 .line = 1 };
	}
}

static void add_network(struct lint_session *session, const struct source *source)
{
	networks_add_source(&session->networks, source->inside ? "" : source->file, source->text,
			    source->size);
	session->networks.all.items[session->networks.all.n - 1].file = source->file;
	*list_add(session->arena, &session->sources) = *source;
}

/* ---- manifests ---- */

struct manifest {
	struct lint_session *session;
	struct source source; /* the file */
	const char *at;       /* behind what has been found so far */
	unsigned found;
};

static unsigned lines_before(const char *text, const char *end)
{
	unsigned n = 0;

	for (; text < end; text++)
		n += *text == '\n';
	return n;
}

/* The next place of the key with a colon behind it; NULL = none. */
static const char *find_key(const char *text, const char *key)
{
	const char *at = text;

	while ((at = strstr(at, key))) {
		const char *behind = at + strlen(key);

		if (behind[strspn(behind, "\"' ")] == ':')
			return at;
		at = behind;
	}
	return NULL;
}

/* Where the value of a key stands: behind `key: |` on the lines that follow, else on the key's line. */
static void find_value(struct manifest *manifest, const char *key, struct source *inner)
{
	/* of the text that YAML made of it, which may be another number than in the file */
	unsigned n = lines_before(inner->text, inner->text + inner->size);
	const char *text = manifest->source.text, *at = find_key(manifest->at, key), *value;
	unsigned line;

	if (!at)
		at = find_key(text, key);
	line = 1 + (at ? lines_before(text, at) : 0);
	inner->only = line;
	if (!at)
		return;
	manifest->at = at + strlen(key);
	value = manifest->at + strspn(manifest->at, "\"' ");
	value += strspn(value, ": ");
	if ((*value == '|' || *value == '>') &&
	    line + n <= lines_before(text, text + manifest->source.size))
		inner->line = line + 1;
}

static void read_value(struct manifest *manifest, const char *key, const struct json *value)
{
	struct lint_session *session = manifest->session;
	const char *text = json_string(value);
	struct source inner = { .file = manifest->source.file };
	auto_json struct json *json = NULL;

	if (!text ||
	    !(has_suffix(key, ".json") || has_suffix(key, ".conf") || has_suffix(key, ".conflist")))
		return;
	inner.text = arena_strdup(session->arena, text);
	inner.size = strlen(text);
	find_value(manifest, key, &inner);
	inner.inside = arena_printf(session->arena, "data.%s", key);
	json = json_parse(text, inner.size, NULL);
	manifest->found++;
	if (json && lint_is_flannel(json))
		lint_flannel(session, &inner, json, false);
	else
		add_network(session, &inner);
}

static void read_object(void *arg, const struct json *object, const struct json *list)
{
	const char *kind = json_string(json_member(object, "kind"));
	const struct json *data = json_member(object, "data");

	(void)list;
	if (!kind || !streq(kind, "ConfigMap"))
		return;
	for (void *i = json_first(data); i; i = json_next(data, i))
		read_value(arg, json_iter_key(i), json_iter_value(i));
}

static void read_manifest(struct lint_session *session, const struct source *source)
{
	struct manifest manifest = { session, *source, source->text, 0 };
	struct error err = { 0 };

	if (documents_each(source->text, source->size, read_object, &manifest, &err) < 0)
		lint_find(session, source->file, true, err.message);
	else if (!manifest.found)
		lint_find(session, source->file, true,
			  "neither a configuration of CNI or flannel nor a ConfigMap with one");
}

/* ---- files ---- */

/* JSON is what begins with a brace; a manifest has a kind. */
static void read_text(struct lint_session *session, const struct source *source)
{
	size_t blank = strspn(source->text, " \t\r\n");
	auto_json struct json *json = NULL;

	if (source->text[blank] && source->text[blank] != '{') {
		read_manifest(session, source);
		return;
	}
	json = json_parse(source->text, source->size, NULL);
	if (json_string(json_member(json, "kind")))
		read_manifest(session, source);
	else if (lint_is_flannel(json))
		lint_flannel(session, source, json, true);
	else
		add_network(session, source);
}

/* Others drop plugins in beside the file. */
static const char *folder_of(const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/" : arena_printf(arena, "%.*s", (int)(slash - path), path);
}

static void read_file(struct lint_session *session, const char *path)
{
	struct source source = { .file = path, .line = 1 };
	struct error err = { 0 };
	char *text;

	session->networks.folder = folder_of(path, session->arena);
	if (file_read(path, FILE_MAX, session->arena, &text, &source.size, &err) < 0) {
		networks_add_file(&session->networks, path); /* its words for it */
		add_sources(session);
		return;
	}
	source.text = text;
	read_text(session, &source);
}

static void read_stdin(struct lint_session *session)
{
	struct source source = { .file = "stdin", .line = 1 };
	struct error err = { 0 };
	char *text;

	session->networks.folder = NULL;
	if (fd_read_all(STDIN_FILENO, FILE_MAX, session->arena, &text, &source.size, &err) < 0) {
		lint_find(session, source.file, true, err.message);
		return;
	}
	source.text = text;
	read_text(session, &source);
}

/* ---- folders ---- */

/* What nobody reads, and is not hidden: a copy, or a misspelt ending. */
static const char *unread_names(const char *folder, struct arena *arena)
{
	DIR *dir = opendir(folder);
	const char *names = NULL;

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		const char *name = entry->d_name;

		if (*name != '.' && entry->d_type == DT_REG && !has_suffix(name, ".conf") &&
		    !has_suffix(name, ".conflist") && !has_suffix(name, ".json"))
			names = arena_printf(arena, "%s%s%s", names ? names : "", names ? ", " : "",
					     name);
	}
	if (dir)
		closedir(dir);
	return names;
}

/* Which one the runtimes of Kubernetes take: the first by name that can be used. */
static void read_folder(struct lint_session *session, const char *folder)
{
	size_t first = session->networks.all.n;
	const char *unread = unread_names(folder, session->arena);
	struct subject *subject;
	struct error err = { 0 };
	const struct network *used = NULL;

	if (networks_add_folder(&session->networks, folder, &err) < 0) {
		lint_find(session, folder, true, err.message);
		return;
	}
	add_sources(session);
	for (size_t i = first; !used && i < session->networks.all.n; i++)
		if (!session->networks.all.items[i].unusable)
			used = &session->networks.all.items[i];
	subject = list_add(session->arena, &session->subjects);
	*subject = (struct subject){ .file = folder, .kind = "folder" };
	if (used)
		*list_add(session->arena, &subject->words) = arena_printf(
			session->arena,
			"containerd and CRI-O take %s (network %s), the first by name that can be used",
			used->file, used->name);
	else
		lint_find(session, folder, true, "no network in it that can be used");
	if (unread)
		*list_add(session->arena, &subject->words) = arena_printf(
			session->arena, "nobody reads %s: names end in .conf, .conflist or .json",
			unread);
}

void lint_read(struct lint_session *session, const char *path)
{
	struct stat st;

	if (streq(path, "-"))
		read_stdin(session);
	else if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		read_folder(session, path);
	else
		read_file(session, path);
}
