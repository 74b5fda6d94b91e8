/* See job.h. */
#include "job.h"

#include <errno.h>
#include <sys/utsname.h>

#define BLOCKS_MAX 64 /* more of them, and the rest is not asked for */

struct treatment job_treatment(const struct options *options)
{
	return (struct treatment){
		.reject = options->reject,
		.accept = options->accept,
		.nflog = options->log,
		.established = options->invalid,
	};
}

const char *job_node_name(struct invocation *call, const struct options *options)
{
	struct utsname host;

	return options->node       ? options->node
	       : uname(&host) == 0 ? arena_strdup(call->arena, host.nodename)
				   : NULL;
}

static int find_node(struct job *job, const struct options *options, struct error *err)
{
	struct world *world = &job->session.world;
	symbol_t number;

	job->node_name = job_node_name(job->session.call, options);
	number = job->node_name ? symbol_find(&world->node_names, job->node_name) : 0;
	if (!number)
		return fail(err, ENOENT,
			    "no Node and no pod's spec.nodeName is \"%s\"; say which with --node",
			    job->node_name ? job->node_name : "");
	job->node = world->nodes.items[number - 1].name;
	return 0;
}

int job_start(struct job *job, struct invocation *call, const struct options *options,
	      struct error *err)
{
	int r;

	*job = (struct job){ 0 };
	if (backend_find(options->backend ? options->backend : "auto", &job->enforcement.backend,
			 err) < 0)
		return -USAGE_ERROR;
	r = session_load_all(&job->session, call, options, err);
	if (r == 0)
		r = find_node(job, options, err);
	job->enforcement.close = options->close;
	job->enforcement.treatment = job_treatment(options);
	return r;
}

static bool has_end(const struct matrix *matrix, const struct ip *ip)
{
	list_each(end, &matrix->ends)
		list_each(have, &end->ips)
			if (ip_equal(have, ip))
				return true;
	return false;
}

static void add_block(struct matrix *matrix, const struct cidr *block)
{
	struct cidr network = cidr_network(block);
	struct ip ip = ip_add(&network.ip, network.prefix < ip_bits(&network.ip));

	if (!has_end(matrix, &ip))
		matrix_add_ip(matrix, &ip);
}

static void add_blocks(struct matrix *matrix, const rules_t *rules, size_t max)
{
	list_each(rule, rules)
		list_each(peer, &rule->peers)
			if (peer->has_block && matrix->ends.n < max)
				add_block(matrix, &peer->block.cidr);
}

int job_matrix(const struct job *job, const struct options *options, bool blocks,
	       struct matrix *matrix, struct error *err)
{
	const struct world *world = &job->session.world;

	matrix_init(matrix, world, job->session.call->arena);
	list_each(ip, &options->addresses)
		matrix_add_ip(matrix, ip);
	if (blocks) {
		size_t max = matrix->ends.n + BLOCKS_MAX;

		list_each(policy, &world->policies)
			for (int direction = 0; direction < DIRECTIONS; direction++)
				add_blocks(matrix, &policy->rules[direction], max);
	}
	return session_ports(options, matrix, err);
}
