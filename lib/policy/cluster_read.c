/*
 * ClusterNetworkPolicy of policy.networking.k8s.io/v1alpha2 from JSON, with the validation of its CustomResourceDefinition.
 * Peers and protocols are unions that later versions may add to: a kind that is not known here, and no slip of the pen,
 * makes the rule fail closed, since to pass the object over would open what it closes.
 */
#include "base/text.h"
#include "policy/cluster_form.h"
#include "policy/name.h"

#define NAME_LEN_MAX 100
#define CIDR_LEN_MAX 43

/* ---- unions ---- */

struct rule_reading {
	struct reader *reader;
	enum direction direction;
	struct cluster_rule *rule;
	bool outside; /* a peer is no pod, and has no names of ports */
};

static void close_rule(struct rule_reading *reading, const struct path *path, const char *why)
{
	struct cluster_rule *rule = reading->rule;

	reader_warn(reading->reader, path, "%s: the rule fails closed, and %s", why,
		    rule->action == ACTION_ACCEPT ? "accepts nothing" : "denies everything");
	rule->closed = why;
}

/* Of a union's keys one that is not known: a slip is refused, another is of a later version. False: none. */
static bool find_unknown(struct rule_reading *reading, const struct path *path,
			 const struct json *json, const struct field *fields)
{
	const char *keys[8], *nearest;
	size_t n = 0;
	bool found = false;

	for (const struct field *field = fields; field->type && n < ARRAY_SIZE(keys); field++)
		keys[n++] = field->key;
	for (void *i = json_first(json); i; i = json_next(json, i)) {
		const char *key = json_iter_key(i);
		const struct field *field = field_find(fields, key);

		if (field && streq(field->key, key))
			continue;
		found = true;
		nearest = nearest_word(key, keys, n);
		if (nearest)
			reader_complain(reading->reader, NODE(path, key),
					"unknown key; did you mean \"%s\"?", nearest);
		else if (fields == cluster_peer_fields[INGRESS] &&
			 field_find(cluster_peer_fields[EGRESS], key))
			reader_complain(reading->reader, NODE(path, key), "only for egress");
		else
			close_rule(reading, NODE(path, key),
				   "it is of a kind that is not known here");
	}
	return found;
}

/* An object with one key that is known, decoded into out; false: it says nothing, and that was reported. */
static bool read_union(struct rule_reading *reading, const struct path *path,
		       const struct json *json, const struct field *fields, void *out,
		       struct arena *arena)
{
	struct reader *reader = reading->reader;

	if (!json_is_object(json)) {
		reader_complain(reader, path, "expected an object");
		return false;
	}
	if (find_unknown(reading, path, json, fields))
		return false;
	if (json_length(json) != 1) {
		reader_complain(reader, path,
				json_length(json) ? "only one of its keys may be there"
						  : "is empty, and must not be");
		return false;
	}
	if (json_is_null(json_iter_value(json_first(json)))) {
		reader_complain(reader, NODE(path, json_iter_key(json_first(json))), "is null");
		return false;
	}
	return reader_decode_below(reader, path, json, fields, out, arena);
}

/* ---- peers ---- */

static struct peer *add_peer(struct rule_reading *reading, size_t place)
{
	struct peer *peer = list_add(reading->reader->world->arena, &reading->rule->match.peers);

	peer->place = (uint32_t)place;
	return peer;
}

static void read_pods(struct reader *reader, const struct path *path, const struct pods_form *form,
		      struct selector *spaces, struct selector *pods)
{
	selector_read(reader, NODE(path, "namespaceSelector"), &form->spaces, spaces);
	selector_read(reader, NODE(path, "podSelector"), &form->pods, pods);
}

static bool check_length(struct reader *reader, const struct path *path, size_t n)
{
	if (n < 1 || n > CLUSTER_LIST_MAX)
		reader_complain(reader, path, "there are %zu, and have to be 1 to %d", n,
				CLUSTER_LIST_MAX);
	return n >= 1 && n <= CLUSTER_LIST_MAX;
}

/* One peer for each; the same word twice is refused, as in any list that is a set. */
static void read_networks(struct rule_reading *reading, const struct path *path,
			  const struct cluster_peer_form *form, size_t place)
{
	struct reader *reader = reading->reader;

	check_length(reader, path, form->networks.n);
	for (size_t i = 0; i < form->networks.n && i < CLUSTER_LIST_MAX; i++) {
		const char *word = form->networks.items[i];
		struct cidr cidr;

		for (size_t j = 0; j < i; j++)
			if (streq(word, form->networks.items[j]))
				reader_complain(reader, ITEM(path, i), "\"%s\" is there twice",
						word);
		if (strlen(word) > CIDR_LEN_MAX || !cidr_parse(word, &cidr)) {
			reader_complain(reader, ITEM(path, i), "\"%s\" is not a CIDR", word);
			continue;
		}
		*add_peer(reading, place) = (struct peer){ .has_block = true,
							   .block.cidr = cidr_network(&cidr),
							   .place = (uint32_t)place };
	}
}

static void read_domains(struct rule_reading *reading, const struct path *path,
			 const struct cluster_peer_form *form)
{
	struct reader *reader = reading->reader;

	if (reading->rule->action != ACTION_ACCEPT)
		reader_complain(reader, path, "only with the action Accept");
	check_length(reader, path, form->domains.n);
	for (size_t i = 0; i < form->domains.n && i < CLUSTER_LIST_MAX; i++) {
		const char *word = form->domains.items[i], *wrong = name_wrong_domain(word);

		if (wrong)
			reader_complain(reader, ITEM(path, i), "\"%s\" %s", word, wrong);
	}
	close_rule(reading, path, "names of hosts are not supported");
}

static void read_peer(struct rule_reading *reading, const struct path *path,
		      const struct json *json, size_t place)
{
	auto_arena struct arena scratch = { 0 };
	struct cluster_peer_form form = { 0 };
	struct peer *peer;

	if (!read_union(reading, path, json, cluster_peer_fields[reading->direction], &form,
			&scratch))
		return;
	reading->outside |= form.has_networks || form.has_domains || form.nodes.given;
	if (form.has_networks) {
		read_networks(reading, NODE(path, "networks"), &form, place);
	} else if (form.has_domains) {
		read_domains(reading, NODE(path, "domainNames"), &form);
	} else if (form.nodes.given) {
		peer = add_peer(reading, place);
		peer->has_nodes = true;
		selector_read(reading->reader, NODE(path, "nodes"), &form.nodes, &peer->nodes);
	} else if (form.spaces.given) {
		peer = add_peer(reading, place);
		peer->has_spaces = true;
		selector_read(reading->reader, NODE(path, "namespaces"), &form.spaces,
			      &peer->spaces);
	} else {
		peer = add_peer(reading, place);
		peer->has_spaces = peer->has_pods = true;
		read_pods(reading->reader, NODE(path, "pods"), &form.pods, &peer->spaces,
			  &peer->pods);
	}
}

/* ---- protocols ---- */

static void add_port(struct rule_reading *reading, enum protocol protocol, symbol_t name, int first,
		     int last)
{
	*list_add(reading->reader->world->arena, &reading->rule->match.ports) = (struct port_match){
		.protocol = protocol, .name = name, .first = (uint16_t)first, .last = (uint16_t)last
	};
}

static void read_number(struct rule_reading *reading, const struct path *path,
			const struct number_form *form, enum protocol protocol)
{
	struct reader *reader = reading->reader;

	if (form->numbered == form->range.given)
		reader_complain(reader, path, "one of number and range is required");
	else if (form->numbered)
		add_port(reading, protocol, 0, form->number, form->number);
	else if (form->range.start >= form->range.end)
		reader_complain(reader, NODE(path, "range"), "%d is not below %d",
				form->range.start, form->range.end);
	else
		add_port(reading, protocol, 0, form->range.start, form->range.end);
}

/* Whatever protocol the container's port of that name has. */
static void read_name(struct rule_reading *reading, const struct path *path, const char *name)
{
	struct reader *reader = reading->reader;
	const char *wrong = name_wrong_port(name);

	if (wrong)
		reader_complain(reader, path, "\"%s\" %s", name, wrong);
	if (reading->outside)
		reader_complain(
			reader, path,
			"does not go with networks, nodes or domainNames, which have no names");
	for (int protocol = 0; protocol < PROTOCOL_OTHER; protocol++)
		add_port(reading, (enum protocol)protocol,
			 symbol_add(&reader->world->symbols, name), 0, 0);
}

static void read_protocol(struct rule_reading *reading, const struct path *path,
			  const struct json *json)
{
	auto_arena struct arena scratch = { 0 };
	struct protocols_form form = { 0 };

	if (!read_union(reading, path, json, protocols_form_fields, &form, &scratch))
		return;
	if (form.name)
		read_name(reading, NODE(path, "destinationNamedPort"), form.name);
	for (int i = 0; i < PROTOCOL_OTHER; i++) {
		const struct path *protocol = NODE(path, protocols_form_fields[i].key);

		if (form.by[i].given)
			read_number(reading, NODE(protocol, "destinationPort"), &form.by[i].port,
				    (enum protocol)i);
	}
}

/* ---- the policy ---- */

static void read_rule(struct rule_reading *reading, const struct path *path,
		      const struct cluster_rule_form *form)
{
	struct reader *reader = reading->reader;
	const struct path *peers = NODE(path, reading->direction == INGRESS ? "from" : "to");
	const struct path *protocols = NODE(path, "protocols");

	reading->rule->name = arena_strdup(reader->world->arena, form->name);
	reading->rule->action = (enum action)form->action;
	if (form->name && strlen(form->name) > NAME_LEN_MAX)
		reader_complain(reader, NODE(path, "name"), "is longer than %d", NAME_LEN_MAX);
	if (check_length(reader, peers, form->peers.n))
		for (size_t i = 0; i < form->peers.n; i++)
			read_peer(reading, ITEM(peers, i), form->peers.items[i], i);
	if (form->has_protocols && check_length(reader, protocols, form->protocols.n))
		for (size_t i = 0; i < form->protocols.n; i++)
			read_protocol(reading, ITEM(protocols, i), form->protocols.items[i]);
}

static void read_rules(struct reader *reader, const struct path *spec,
		       const struct cluster_form *form, enum direction direction,
		       struct cluster_policy *policy)
{
	const struct path *path = NODE(spec, direction_names[direction]);

	if (form->rules[direction].n > CLUSTER_LIST_MAX)
		reader_complain(reader, path, "there are %zu, and at most %d may be",
				form->rules[direction].n, CLUSTER_LIST_MAX);
	for (size_t i = 0; i < form->rules[direction].n && i < CLUSTER_LIST_MAX; i++) {
		struct rule_reading reading = {
			.reader = reader,
			.direction = direction,
			.rule = list_add(reader->world->arena, &policy->rules[direction]),
		};

		read_rule(&reading, ITEM(path, i), &form->rules[direction].items[i]);
	}
}

static void read_subject(struct reader *reader, const struct path *spec,
			 const struct cluster_form *form, struct cluster_policy *policy)
{
	const struct path *path = NODE(spec, "subject");

	if (form->subject.spaces.given == form->subject.pods.given)
		reader_complain(reader, path, "one of namespaces and pods is required");
	else if (form->subject.spaces.given)
		selector_read(reader, NODE(path, "namespaces"), &form->subject.spaces,
			      &policy->spaces);
	else
		read_pods(reader, NODE(path, "pods"), &form->subject.pods, &policy->spaces,
			  &policy->pods);
}

void cluster_policy_read(struct reader *reader, const struct object_meta *meta,
			 const struct json *json)
{
	static const struct path spec = { .key = "spec" };
	auto_arena struct arena scratch = { 0 };
	struct world *world = reader->world;
	struct cluster_form form = { 0 };
	struct cluster_policy policy = { 0 };
	symbol_t number;

	if (!reader_decode_strict(reader, json, cluster_form_fields, &form, &scratch))
		return;
	policy.tier = (enum tier)form.tier;
	policy.priority = form.priority;
	read_subject(reader, &spec, &form, &policy);
	for (int direction = 0; direction < DIRECTIONS; direction++)
		read_rules(reader, &spec, &form, (enum direction)direction, &policy);
	if (reader->failed)
		return;
	policy.name = symbol_add(&world->symbols, meta->name);
	number = symbol_add(&world->cluster_names, meta->name);
	if (number > world->clusters.n)
		*list_add(world->arena, &world->clusters) = policy;
	else if (reader->replace)
		world->clusters.items[number - 1] = policy;
	else
		reader_complain(reader, NULL, "is there twice");
}

/* Its number stays: it has no rules. */
void cluster_policy_remove(struct world *world, unused const char *space, const char *name)
{
	symbol_t number = symbol_find(&world->cluster_names, name);
	struct cluster_policy *policy = number ? &world->clusters.items[number - 1] : NULL;

	if (policy)
		*policy = (struct cluster_policy){ .name = policy->name, .gone = true };
}
