/*
 * A back end of policies as a command, for tests of it alone:
 *
 *   policy BACKEND apply NODE FILE [WORD...]    bring the node to what the objects say: "written", or "same"
 *   policy BACKEND check NODE FILE [WORD...]    what differs, a line each; status 1 when anything does
 *   policy BACKEND remove
 *   policy BACKEND forget SET ADDRESS           take an element out of a set of ipset; policy BACKEND sets: how many
 *   policy BACKEND time NODE FILE [WORD...]     CPU and wall time of reading, comparing and writing
 *
 * WORD: reject accept established nflog=GROUP close=CIDR
 */
#include "policy/enforce.h"
#include "policy/input.h"
#include "base/clock.h"
#include "base/text.h"
#include "kernel/ipset.h"

#include <errno.h>
#include <stdio.h>
#include <sys/resource.h>

static struct arena arena;

static void report(void *arg unused, bool is_error, const char *object, const char *text)
{
	if (is_error)
		fprintf(stderr, "%s: %s\n", object, text);
}

static int read_words(struct enforcement *enforcement, char **words, struct error *err)
{
	struct treatment *treatment = &enforcement->treatment;

	for (; *words; words++)
		if (streq(*words, "reject"))
			treatment->reject = true;
		else if (streq(*words, "accept"))
			treatment->accept = true;
		else if (streq(*words, "established"))
			treatment->established = true;
		else if (has_prefix(*words, "nflog="))
			treatment->nflog = (uint16_t)atoi(*words + 6);
		else if (!has_prefix(*words, "close=") ||
			 !cidr_parse(*words + 6, list_add(&arena, &enforcement->close)))
			return fail(err, EINVAL, "%s?", *words);
	return 0;
}

static void print_difference(const struct enforcement *enforcement)
{
	const struct difference *difference = &enforcement->difference;

	list_each(damage, &enforcement->found.damages)
		printf("damage: %s: %s\n", damage->place, damage->what);
	list_each(set, &difference->new_sets)
		printf("new set: %s\n", (*set)->name);
	list_each(set, &difference->old_sets)
		printf("old set: %s\n", (*set)->name);
	list_each(change, &difference->sets)
		printf("set: %s: +%zu -%zu\n", change->to->name, change->more.n, change->gone.n);
	list_each(group, &difference->new_groups)
		printf("new group: %s: %s\n", (*group)->name, (*group)->comment);
	list_each(group, &difference->old_groups)
		printf("old group: %s: %s\n", (*group)->name, (*group)->comment);
	list_each(change, &difference->groups)
		printf("group: %s: %s\n", change->to->name, change->to->comment);
	if (difference->closed)
		printf("closed addresses\n");
	if (difference->damaged)
		printf("damaged\n");
}

static void print_cost(const char *what, int64_t *wall)
{
	struct rusage own, children;
	int64_t now = clock_ms();

	getrusage(RUSAGE_SELF, &own);
	getrusage(RUSAGE_CHILDREN, &children);
	printf("%s: %ld ms wall; so far %ld ms CPU, %ld ms of programs\n", what,
	       (long)(now - *wall),
	       own.ru_utime.tv_sec * 1000 + own.ru_utime.tv_usec / 1000 +
		       own.ru_stime.tv_sec * 1000 + own.ru_stime.tv_usec / 1000,
	       children.ru_utime.tv_sec * 1000 + children.ru_utime.tv_usec / 1000 +
		       children.ru_stime.tv_sec * 1000 + children.ru_stime.tv_usec / 1000);
	*wall = now;
}

static int run(struct enforcement *enforcement, char **argv, struct error *err)
{
	struct world world;
	struct reader reader = { &world, report, NULL };
	bool timed = streq(argv[2], "time");
	int64_t wall = clock_ms();
	int r;

	world_init(&world, &arena);
	r = input_read(argv[4], &reader, err);
	if (r < 0)
		return r;
	world_index(&world);
	r = read_words(enforcement, argv + 5, err);
	if (timed)
		print_cost("objects", &wall);
	if (r == 0)
		r = enforce_plan(enforcement, &world, symbol_find(&world.symbols, argv[3]), &arena,
				 err);
	if (r < 0)
		return r;
	if (timed)
		print_cost("plan", &wall);
	if (streq(argv[2], "check")) {
		print_difference(enforcement);
		return !difference_is_empty(&enforcement->difference);
	}
	r = enforce(enforcement, err);
	if (timed)
		print_cost("write", &wall);
	if (r == 0)
		printf("%s\n", difference_is_empty(&enforcement->difference) ? "same" : "written");
	return r;
}

static int spoil(const char *set, const char *address, struct error *err)
{
	auto_ipset struct ipset_session *session = NULL;
	struct ipset_element element = { 0 };
	struct ip ip;
	int r = ipset_open(&session, err);

	if (r < 0 || !ip_parse(address, &ip))
		return r;
	element.cidr = cidr_host(&ip);
	ipset_queue_del(session, set, &element, 1);
	return ipset_commit(session, err);
}

static int count_sets(struct error *err)
{
	auto_ipset struct ipset_session *session = NULL;
	ipsets_t sets = { 0 };
	int r = ipset_open(&session, err);

	if (r == 0)
		r = ipset_list(session, "", false, &arena, &sets, err);
	if (r == 0)
		printf("%zu\n", sets.n);
	return r;
}

static int run_verb(struct enforcement *enforcement, int argc, char **argv, struct error *err)
{
	if (streq(argv[2], "remove"))
		return enforcement->backend->remove(err);
	if (streq(argv[2], "sets"))
		return count_sets(err);
	if (argc < 5)
		return fail(err, EINVAL, "see tests/lib/policy.c");
	return streq(argv[2], "forget") ? spoil(argv[3], argv[4], err)
					: run(enforcement, argv, err);
}

int main(int argc, char **argv)
{
	struct error err = { 0 };
	struct enforcement enforcement = { 0 };
	int r;

	if (argc < 3)
		return 2;
	r = backend_find(argv[1], &enforcement.backend, &err);
	if (r == 0)
		r = run_verb(&enforcement, argc, argv, &err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.message);
	return r < 0 ? 3 : r;
}
