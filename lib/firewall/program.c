/* See program.h. Nothing is run to find out which variant a program is: its name, or what it links to, tells. */
#include "firewall/program.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "base/file.h"
#include "base/process.h"

#define LOCK_SECONDS   "30" /* how long iptables-restore waits for the legacy lock */
#define RUN_TIMEOUT_MS 60000
#define SAVE_MAX       (64 << 20)

static bool is_nft(const char *path)
{
	char target[PATH_MAX];
	const char *base;

	if (!realpath(path, target))
		return false;
	base = strrchr(target, '/');
	return strstr(base ? base : target, "nft");
}

const char *iptables_program(struct arena *arena, bool v6, enum iptables_kind kind,
			     const char *verb)
{
	const char *six = v6 ? "6" : "", *name;
	char path[PATH_MAX];

	name = arena_printf(arena, "ip%stables-%s-%s", six, kind == IPTABLES_NFT ? "nft" : "legacy",
			    verb);
	if (process_find(name, path, sizeof(path)))
		return name;
	name = arena_printf(arena, "ip%stables-%s", six, verb);
	return process_find(name, path, sizeof(path)) && is_nft(path) == (kind == IPTABLES_NFT)
		       ? name
		       : NULL;
}

/* Its last word on the matter, on one line. */
static const char *last_line(char *text)
{
	char *line;

	for (size_t len = strlen(text); len && isspace((unsigned char)text[len - 1]); len--)
		text[len - 1] = '\0';
	line = strrchr(text, '\n');
	return line ? line + 1 : text;
}

static int run(const char *program, struct process *process, struct arena *arena,
	       struct process_result *result, struct error *err)
{
	char path[PATH_MAX];
	int r;

	if (!process_find(program, path, sizeof(path)))
		return fail(err, ENOENT, "%s: not found", program);
	process->path = arena_strdup(arena, path);
	process->timeout_ms = RUN_TIMEOUT_MS;
	process->keep_stderr = true;
	r = process_run(process, arena, result, err);
	if (r < 0)
		return wrap(err, "%s", program);
	if (result->status)
		return fail(err, EIO, "%s: exit status %d: %s", program, result->status,
			    last_line(result->errors));
	return 0;
}

int iptables_restore(const char *program, const char *text, struct arena *arena, struct error *err)
{
	const char *const argv[] = { program, "--noflush", "-w", LOCK_SECONDS, NULL };
	struct process process = { .argv = argv, .input = text, .input_size = strlen(text) };
	struct process_result result = { 0 };

	return run(program, &process, arena, &result, err);
}

int iptables_save(const char *program, const char *table, struct arena *arena, char **text,
		  struct error *err)
{
	const char *const argv[] = { program, "-t", table, NULL };
	struct process process = { .argv = argv, .output_max = SAVE_MAX };
	struct process_result result = { 0 };
	int r = run(program, &process, arena, &result, err);

	if (r == 0)
		*text = result.output;
	return r;
}

bool iptables_legacy_active(bool v6, const char *table)
{
	auto_arena struct arena arena = { 0 };
	char *names, *rest;
	size_t size;

	if (file_read(v6 ? "/proc/self/net/ip6_tables_names" : "/proc/self/net/ip_tables_names",
		      4096, &arena, &names, &size, NULL) < 0)
		return false;
	for (char *name = strtok_r(names, "\n", &rest); name; name = strtok_r(NULL, "\n", &rest))
		if (streq(name, table))
			return true;
	return false;
}
