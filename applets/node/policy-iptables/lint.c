/* lint: what is wrong with objects, or surely not meant. */
#include "describe/table.h"
#include "policy/lint.h"
#include "session.h"

const struct field verb_lint_fields[] = { ROW_FILE, ROW_JSON, FIELDS_END };

int verb_lint(struct invocation *call, void *options_, struct error *err)
{
	const struct options *options = options_;
	struct session session;
	int r = session_load(&session, call, options, err);

	if (r < 0)
		return r;
	world_lint(&session.world, session_report, &session);
	if (options->json)
		table_print(call->out, problem_fields, session.problems.items, session.problems.n,
			    sizeof(struct problem), true);
	else
		list_each(problem, &session.problems)
			fprintf(call->out, "%s: %s: %s\n", problem->severity, problem->object,
				problem->text);
	return session.n_errors ? 1 : 0;
}
