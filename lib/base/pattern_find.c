/* Where a pattern is found: all ways through its steps at once, so that no pattern takes longer than its length times the subject's. */
#include "base/pattern_internal.h"

#include <errno.h>

struct ways {
	const struct step *steps;
	unsigned *seen; /* by step: the place where it was last reached, counted from 1 */
	size_t *stack;
};

/* Does a step that takes no letter let pass at this place of the subject? */
static bool is_open(enum step_kind kind, const char *subject, bool first)
{
	bool before = !first && is_word((unsigned char)subject[-1]);
	bool edge = before != !!is_word((unsigned char)*subject);

	switch (kind) {
	case STEP_BEGIN: return first;
	case STEP_END: return !*subject;
	case STEP_EDGE: return edge;
	default: return !edge;
	}
}

/* Follow what takes no letter; true when the end is among it. Those that take one go to `list`. */
static bool follow(struct ways *ways, size_t step, unsigned place, const char *subject,
		   size_t *list, size_t *n)
{
	size_t depth = 0;

	ways->stack[depth++] = step;
	while (depth > 0) {
		size_t at = ways->stack[--depth];
		const struct step *one = ways->steps + at;

		if (ways->seen[at] == place)
			continue;
		ways->seen[at] = place;
		if (one->kind == STEP_FOUND)
			return true;
		if (one->kind == STEP_BYTE)
			list[(*n)++] = at;
		else if (one->kind == STEP_SPLIT || one->kind == STEP_JUMP)
			ways->stack[depth++] = at + (size_t)(ssize_t)one->to;
		else if (is_open(one->kind, subject, place == 1))
			ways->stack[depth++] = at + 1;
		if (one->kind == STEP_SPLIT)
			ways->stack[depth++] = at + (size_t)(ssize_t)one->or_to;
	}
	return false;
}

bool pattern_found(const struct pattern *pattern, const char *subject)
{
	auto_arena struct arena arena = { 0 };
	size_t size = pattern->steps.n * sizeof(size_t), n = 0, n_next;
	size_t *now = arena_alloc(&arena, size), *next = arena_alloc(&arena, size), *swap;
	struct ways ways = {
		.steps = pattern->steps.items,
		.seen = arena_alloc(&arena, pattern->steps.n * sizeof(unsigned)),
		.stack = arena_alloc(&arena, 2 * size + sizeof(size_t)),
	};

	for (unsigned place = 1;; place++, subject++) {
		if (follow(&ways, 0, place, subject, now, &n))
			return true;
		if (!*subject)
			return false;
		n_next = 0;
		for (size_t i = 0; i < n; i++)
			if (set_has(&ways.steps[now[i]].set, (unsigned char)*subject) &&
			    follow(&ways, now[i] + 1, place + 1, subject + 1, next, &n_next))
				return true;
		swap = now, now = next, next = swap;
		n = n_next;
	}
}

int pattern_match(const char *pattern, const char *text, bool *matches, struct error *err)
{
	auto_arena struct arena arena = { 0 };
	const struct pattern *read = pattern_read(pattern, &arena, err);

	*matches = read && pattern_found(read, text);
	return read ? 0 : -EINVAL;
}
