/*
 * top: what policies deny, as the rules log it: on a terminal a table of the flows with most packets, else a line for
 * each flow of which there is news. The rules log some packets of many a second (apply --log GROUP), so that counts are
 * shares and no totals.
 */
#include "base/loop.h"
#include "describe/json.h"
#include "describe/table.h"
#include "kernel/nflog.h"
#include "policy/denied.h"
#include "session.h"

#include <signal.h>
#include <sys/epoll.h>

#define TICK_MS     1000
#define LINES_MAX   1000
#define SECONDS_MAX 86400

const struct field verb_top_fields[] = {
	ROW_FILE,
	ROW("group", FIELD_UINT32, group, "of NFLOG, that `apply --log` names", .letter = 'g',
	    .min = 1, .max = 65535),
	ROW("lines", FIELD_UINT32, lines, "flows in the table, or told of in a second",
	    .letter = 'n', .min = 1, .max = LINES_MAX),
	ROW("seconds", FIELD_UINT32, seconds, "end after these; unset: when interrupted",
	    .letter = 's', .min = 1, .max = SECONDS_MAX),
	ROW("packets", FIELD_UINT32, packets, "end after these", .letter = 'c', .min = 1,
	    .max = INT32_MAX),
	ROW("once", FIELD_BOOL, once, "say nothing before the end, then one table", .letter = '1'),
	ROW_JSON,
	FIELDS_END,
};

struct top {
	struct invocation *call;
	const struct options *options;
	struct netlink *nl;
	struct loop *loop;
	struct denied denied;
	unsigned seconds;
	uint64_t lost;
	bool live; /* a table that is drawn again and again */
	struct error err;
};

/* ---- what is said ---- */

static size_t sorted_flows(const struct top *top, bool by_news, struct arena *arena,
			   const struct denied_flow ***sorted)
{
	size_t n = top->denied.flows.n;

	*sorted = arena_alloc(arena, (n + 1) * sizeof(**sorted));
	denied_sort(&top->denied, by_news, *sorted);
	return n < top->options->lines ? n : top->options->lines;
}

static void print_json_line(FILE *out, const struct denied_flow *flow, struct arena *arena)
{
	auto_json struct json *json = json_encode(denied_fields, flow);

	fprintf(out, "%s\n", json_text(json, JSON_STYLE_COMPACT, arena));
}

static void print_line(FILE *out, const struct denied_flow *flow, struct arena *arena)
{
	struct denied_row row = denied_row_of(flow, arena);

	fprintf(out, "%s -> %s, %s: %s%sdenied by %s, %llu\n", row.from, row.to, row.port,
		row.direction ? row.direction : "", row.direction ? " " : "", row.policies,
		(unsigned long long)(flow->count - flow->shown));
}

/* Flows with news since the last time. */
static void print_news(struct top *top)
{
	auto_arena struct arena scratch = { 0 };
	const struct denied_flow **sorted;
	size_t n = sorted_flows(top, true, &scratch, &sorted);

	for (size_t i = 0; i < n && sorted[i]->count > sorted[i]->shown; i++) {
		if (top->options->json)
			print_json_line(top->call->out, sorted[i], &scratch);
		else
			print_line(top->call->out, sorted[i], &scratch);
	}
	list_each(flow, &top->denied.flows)
		flow->shown = flow->count;
	fflush(top->call->out);
}

static void print_table(struct top *top)
{
	auto_arena struct arena scratch = { 0 };
	const struct denied_flow **sorted;
	LIST(struct denied_row) rows = { 0 };
	LIST(struct denied_flow) flows = { 0 };
	size_t n = sorted_flows(top, false, &scratch, &sorted);

	for (size_t i = 0; i < n; i++) {
		*list_add(&scratch, &rows) = denied_row_of(sorted[i], &scratch);
		*list_add(&scratch, &flows) = *sorted[i];
	}
	if (top->options->json)
		table_print(top->call->out, denied_fields, flows.items, n, sizeof(*flows.items),
			    true);
	else
		table_print(top->call->out, denied_row_fields, rows.items, n, sizeof(*rows.items),
			    false);
}

/* Nothing was denied, or nobody says so. */
#define UNHEARD "no packet; policies tell of them where they are in force with --log %u"

static void print_live(struct top *top)
{
	fprintf(top->call->out, "\033[H\033[J%llu packets denied, of %zu flows",
		(unsigned long long)top->denied.n_packets, top->denied.flows.n);
	if (top->denied.n_other)
		fprintf(top->call->out, " and %llu of more",
			(unsigned long long)top->denied.n_other);
	if (top->lost)
		fprintf(top->call->out, "; some were lost");
	fprintf(top->call->out, "\n\n");
	if (top->denied.n_packets)
		print_table(top);
	else
		fprintf(top->call->out, UNHEARD "\n", top->options->group);
	fflush(top->call->out);
}

static void print_tick(struct top *top)
{
	if (top->live)
		print_live(top);
	else if (!top->options->once)
		print_news(top);
	if (!top->options->once)
		denied_forget(&top->denied); /* who looks has seen them */
}

/* ---- what happens ---- */

static void hear(void *arg, const struct nflog_packet *packet)
{
	struct top *top = arg;

	if (top->options->packets && top->denied.n_packets >= top->options->packets)
		return;
	denied_add(&top->denied, packet);
	if (top->denied.n_packets == top->options->packets)
		loop_stop(top->loop, 0);
}

static void on_packets(struct loop *loop, void *arg)
{
	struct top *top = arg;
	int r = nflog_read(top->nl, 0, hear, top, &top->lost, &top->err);

	if (r < 0)
		loop_stop(loop, r);
}

static void on_end(struct loop *loop, unused void *arg)
{
	loop_stop(loop, 0);
}

static void on_tick(struct loop *loop, void *arg)
{
	struct top *top = arg;

	print_tick(top);
	if (top->options->seconds && ++top->seconds >= top->options->seconds)
		loop_stop(loop, 0);
	else if (loop_after(loop, TICK_MS, on_tick, top, &top->err) < 0)
		loop_stop(loop, -top->err.errnum);
}

static int run(struct top *top, struct error *err)
{
	int r = loop_watch(top->loop, netlink_fd(top->nl), EPOLLIN, on_packets, top, err);

	if (r == 0)
		r = loop_signal(top->loop, SIGINT, on_end, top, err);
	if (r == 0)
		r = loop_signal(top->loop, SIGTERM, on_end, top, err);
	if (r == 0)
		r = loop_after(top->loop, TICK_MS, on_tick, top, err);
	if (r >= 0)
		r = loop_run(top->loop, err);
	if (r < 0 && top->err.errnum)
		*err = top->err;
	if (r < 0)
		return r;
	if (top->options->once)
		print_table(top);
	else
		print_tick(top);
	if (!top->denied.n_packets && !top->live)
		fprintf(stderr, "policy-iptables top: " UNHEARD "\n", top->options->group);
	if (top->lost)
		fprintf(stderr, "policy-iptables top: packets came faster than they were read\n");
	return 0;
}

/* Names are a help: objects that are refused have none. */
static int load_names(struct session *session, struct invocation *call,
		      const struct options *options, struct error *err)
{
	int r;

	if (options->files.n) {
		r = session_load(session, call, options, err);
		return r < 0 ? r : 0;
	}
	*session = (struct session){ .call = call };
	world_init(&session->world, call->arena);
	world_index(&session->world);
	return 0;
}

int verb_top(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct netlink *nl auto_netlink = NULL;
	struct loop *loop auto_loop = NULL;
	auto_arena struct arena flows = { 0 };
	struct top top = { .call = call, .options = options };
	struct session session;
	int r = load_names(&session, call, options, err);

	top.live = !options->json && !options->once && isatty(STDOUT_FILENO);
	if (r == 0)
		r = nflog_open(&nl, (uint16_t)options->group, err);
	if (r == 0)
		r = loop_open(&loop, err);
	if (r < 0)
		return r;
	top.nl = nl;
	top.loop = loop;
	denied_init(&top.denied, &session.world, &flows);
	return run(&top, err);
}
