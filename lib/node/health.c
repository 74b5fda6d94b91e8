/* All checks, one after the other; then what is safe is mended, when that is asked for. */
#include "node/health.h"

#include "node/health_internal.h"
#include "node/paint.h"

#include <errno.h>

#include "base/text.h"

enum { COLUMN = 12 };

/* clang-format off */
static const char *const state_names[] = { "found", "mended", "failed", NULL };

static const struct field ailment_fields[] = {
	{ .key = "check",  .type = FIELD_STRING, .offset = offsetof(struct ailment, check) },
	{ .key = "text",   .type = FIELD_STRING, .offset = offsetof(struct ailment, text) },
	{ .key = "why",    .type = FIELD_STRING, .offset = offsetof(struct ailment, why) },
	{ .key = "remedy", .type = FIELD_STRING, .offset = offsetof(struct ailment, remedy) },
	{ .key = "look",   .type = FIELD_STRING, .offset = offsetof(struct ailment, look) },
	{ .key = "safe",   .type = FIELD_BOOL,   .offset = offsetof(struct ailment, safe), .flags = FIELD_KEEP_EMPTY },
	{ .key = "state",  .type = FIELD_ENUM,   .offset = offsetof(struct ailment, state), .flags = FIELD_KEEP_EMPTY,
	  .names = state_names },
	{ .key = "failure", .type = FIELD_STRING, .offset = offsetof(struct ailment, failure) },
	FIELDS_END
};
const struct field health_fields[] = {
	{ .key = "version",  .type = FIELD_INT, .offset = offsetof(struct health_report, version) },
	{ .key = "problems", .type = FIELD_LIST, .offset = offsetof(struct health_report, ailments), .flags = FIELD_KEEP_EMPTY,
	  .element = FIELD_OBJECT, .size = sizeof(struct ailment), .fields = ailment_fields },
	FIELDS_END
};

static const struct {
	const char *name;
	health_check_fn *run;
} checks[] = {
	{ "attachment", health_check_attachments },
	{ "attachment", health_check_kept },
	{ "lease",      health_check_leases },
	{ "veth",       health_check_veths },
	{ "ifb",        health_check_ifbs },
	{ "device",     health_check_loans },
	{ "rules",      health_check_rules },
	{ "firewall",   health_check_firewall },
	{ "spoof check", health_check_spoof_checks },
	{ "file",       health_check_files },
	{ "lease",      health_check_dhcp },
	{ "address",    health_check_addresses },
	{ "sysctl",     health_check_sysctls },
	{ "network",    health_check_networks },
	{ "conflict",   health_check_conflicts },
	{ "kernel",     health_check_kernel },
	{ "plugin",     health_check_plugins },
	{ "peer",       health_check_peers },
};
/* clang-format on */

static void run_checks(struct health *health)
{
	for (size_t i = 0; i < ARRAY_SIZE(checks); i++) {
		struct error err = { 0 };

		if (checks[i].run(health, &err) < 0)
			health_add(health, checks[i].name,
				   health_text(health, "cannot be checked: %s", err.message), NULL,
				   NULL);
	}
}

static void mend(struct health *health)
{
	list_each(ailment, &health->report->ailments) {
		struct error err = { 0 };

		if (!ailment->mend)
			continue;
		ailment->state = AILMENT_MENDED;
		if (ailment->mend(health, ailment, &err) >= 0)
			continue;
		ailment->state = AILMENT_FAILED;
		ailment->failure = arena_strdup(health->arena, err.message);
	}
}

/* A node without the folder is one without networks; what is wrong with it is told by its check. */
static void read_networks(struct health *health)
{
	int r = networks_load(health->query->conf_dir, health->arena, &health->networks,
			      &health->networks_error);

	health->networks_read = r == -ENOENT || r == -ENOTDIR ? 0 : r;
}

static void health_close(struct health *health)
{
	networks_release(&health->kept);
	networks_release(&health->networks);
	scene_close(&health->scene);
}

/* Leases and networks that cannot be read are told by their checks. */
int health_look(const struct health_query *query, struct arena *arena, struct health_report *report,
		struct error *err)
{
	struct health health on_leave(
		health_close) = { .query = query, .arena = arena, .report = report };
	int r;

	*report = (struct health_report){ .version = HEALTH_VERSION };
	health.networks.arena = health.kept.arena = arena;
	r = scene_load(&health.scene, query->cache_dir, arena, err);
	if (r >= 0)
		r = scene_enter(&health.scene, health.scene.here, err);
	if (r < 0)
		return r;
	read_networks(&health);
	run_checks(&health);
	list_each(ailment, &report->ailments)
		ailment->safe = ailment->mend;
	if (query->fix)
		mend(&health);
	return 0;
}

size_t health_left(const struct health_report *report)
{
	size_t n = 0;

	list_each(ailment, &report->ailments)
		n += ailment->state != AILMENT_MENDED;
	return n;
}

/* ---- for people ---- */

static void print_ailment(FILE *out, const struct ailment *ailment, bool colour)
{
	bool mended = ailment->state == AILMENT_MENDED;

	paint(out, colour, mended ? PAINT_GREEN : PAINT_RED, mended ? "ok " : "X  ");
	fprintf(out, "%-*s ", COLUMN, ailment->check);
	paint(out, colour, PAINT_BOLD, ailment->text);
	fputs(mended ? ": mended\n" : "\n", out);
	if (mended)
		return;
	if (ailment->why)
		fprintf(out, "   %-*s %s\n", COLUMN, "", ailment->why);
	if (ailment->failure)
		fprintf(out, "   %-*s mending it failed: %s\n", COLUMN, "", ailment->failure);
	if (ailment->remedy)
		fprintf(out, "   %-*s mend it: %s%s\n", COLUMN, "", ailment->remedy,
			ailment->safe && !has_prefix(ailment->remedy, HEALTH_FIX) ? " (or --fix)"
										  : "");
	if (ailment->look)
		fprintf(out, "   %-*s look at: %s\n", COLUMN, "", ailment->look);
}

void health_print(FILE *out, const struct health_report *report, bool fixed, bool colour)
{
	size_t left = health_left(report), safe = 0;

	list_each(ailment, &report->ailments) {
		print_ailment(out, ailment, colour);
		safe += ailment->safe && ailment->state == AILMENT_FOUND;
	}
	if (report->ailments.n)
		fputc('\n', out);
	if (!left)
		paint(out, colour, PAINT_GREEN,
		      report->ailments.n ? "all of it is mended\n" : "nothing is wrong\n");
	else if (safe && !fixed)
		fprintf(out, "%zu found; --fix mends %zu of them\n", left, safe);
	else
		fprintf(out, "%zu %s\n", left, fixed ? "left" : "found");
}
