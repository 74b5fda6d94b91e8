/* The iptables programs of each variant: which are there, and what goes in and out of them as text. */
#ifndef FIREWALL_PROGRAM_H
#define FIREWALL_PROGRAM_H

#include "base/arena.h"
#include "base/error.h"

enum iptables_kind { IPTABLES_NONE, IPTABLES_NFT, IPTABLES_LEGACY };

/* The save or restore program ("save", "restore") of the variant: "ip6tables-legacy-save", or the plain name where that is
 * this variant; NULL = none is in PATH. */
const char *iptables_program(struct arena *arena, bool v6, enum iptables_kind kind,
			     const char *verb);

/* Run PROGRAM --noflush -w, text as its input. A refusal (-EIO) carries what the program said. */
int iptables_restore(const char *program, const char *text, struct arena *arena,
		     struct error *err) must_check;
/* What PROGRAM -t TABLE prints. */
int iptables_save(const char *program, const char *table, struct arena *arena, char **text,
		  struct error *err) must_check;

/* Is the legacy table in use in this namespace? The kernel is asked, no module is loaded. */
bool iptables_legacy_active(bool v6, const char *table);

#endif
