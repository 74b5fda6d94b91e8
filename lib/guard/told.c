/*
 * What plugins told at the gate, kept beside its socket: a guard that is killed takes nothing of it along, and the next one has these
 * pods in force with addresses that their objects do not say yet. It is written before the plugin is answered, and read once, when
 * all objects have been told: a pod that is gone, or another by now, is left out. A question for each line.
 */
#include <errno.h>
#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "guard/guard_internal.h"
#include "policy/gate.h"

enum { TOLD_MAX = 4 << 20 };

static const char *told_path(const struct guard *guard, struct arena *arena)
{
	return arena_printf(arena, "%s.told", guard->options->socket);
}

static void tell_again(struct guard *guard, const char *line, struct arena *arena)
{
	struct gate_question question;
	struct error err = { 0 };

	if (gate_question_parse(line, strlen(line), arena, &question, &err) < 0)
		log_warning("%s: %s", told_path(guard, arena), err.message);
	else if (!live_tell(guard->live, &(struct live_pod){ question.space, question.name,
							     question.uid, question.ips }))
		log_debug("pod %s/%s is gone, or another", question.space, question.name);
}

void told_read(struct guard *guard)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	char *rest;
	size_t size;
	int r = file_read(told_path(guard, &arena), TOLD_MAX, &arena, &rest, &size, &err);

	if (r < 0 && r != -ENOENT)
		log_warning("%s", err.message);
	if (r < 0)
		return;
	/* Zeroes, as a crash may leave them, end lines: what follows is read, and the file is written again. */
	for (size_t i = 0; i < size; i++)
		rest[i] = rest[i] ? rest[i] : '\n';
	guard->told = strdup(rest);
	for (char *line; (line = strsep(&rest, "\n"));)
		if (*line)
			tell_again(guard, line, &arena);
}

static char *told_text(const struct guard *guard)
{
	auto_arena struct arena arena = { 0 };
	live_pods_t pods = { 0 };
	char *text = NULL;
	size_t size = 0;
	FILE *out = text_stream(&text, &size);

	live_told(guard->live, &arena, &pods);
	list_each(pod, &pods) {
		const struct gate_question question = {
			.space = pod->space, .name = pod->name, .uid = pod->uid, .ips = pod->ips
		};

		fprintf(out, "%s\n", gate_question_text(&question, &arena));
	}
	fclose(out);
	return text;
}

int told_keep(struct guard *guard, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	auto_free char *text = told_text(guard);
	int r;

	if (streq(text, guard->told ? guard->told : ""))
		return 0;
	r = file_replace(told_path(guard, &arena), 0600, text, strlen(text), false, err);
	if (r < 0)
		return wrap(err, "keep what plugins told of their pods");
	free(guard->told);
	guard->told = take_ptr(text);
	return 0;
}
