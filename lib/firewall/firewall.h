/*
 * Rules of CNI plugins, independent of the tool that carries them. Names and comments are those of the reference
 * plugins in both forms (cni-plugins.md, section 2.0), so that rules made by either are removed by either.
 *
 * nftables form: netlink, no program. iptables form: netlink where iptables-nft has made its table, else one
 * iptables-restore per family, which makes it. Nothing here flushes a shared chain. Deletion needs names only, no
 * addresses, and looks into every back end that may hold something.
 */
#ifndef FIREWALL_FIREWALL_H
#define FIREWALL_FIREWALL_H

#include "base/error.h"
#include "base/ip.h"
#include "base/owner.h"
#include "base/text.h"

enum firewall_backend { FIREWALL_IPTABLES, FIREWALL_NFTABLES };

/* wanted: "iptables", "nftables", NULL or "" = the reference's choice: iptables when usable, else nftables.
 * Anything else: `unknown ipmasq backend "x"`, code 7. No program is executed to find out, and
 * the kernel is not asked: that it has no nf_tables is said by masquerade_add(). */
int firewall_choose(const char *wanted, enum firewall_backend *backend,
		    struct error *err) must_check;

/* Masquerade what the addresses send out of their own subnet (multicast left out). Adding twice is harmless. */
int masquerade_add(enum firewall_backend backend, const struct owner *owner,
		   const struct cidr *addresses, size_t n, struct error *err) must_check;
/* Both back ends; nothing there is success. */
int masquerade_del(const struct owner *owner, struct error *err) must_check;
/* Remove those of the network that no valid attachment owns. */
int masquerade_gc(const char *network, const owners_t *valid, struct error *err) must_check;
/* Are the rules of these addresses there, in either form? 0, or -ENOENT naming what is missing. */
int masquerade_check(const struct owner *owner, const struct cidr *addresses, size_t n,
		     struct error *err) must_check;

/* Drop frames entering from port `veth` with a source MAC other than mac (bridge's macspoofchk). */
int spoof_check_add(const struct owner *owner, const char *veth, const struct mac *mac,
		    struct error *err) must_check;
int spoof_check_del(const struct owner *owner, struct error *err) must_check;
/* The rules do not tell their network, so those go whose port is gone and whose attachment is not valid. */
int spoof_check_gc(const owners_t *valid, struct error *err) must_check;
/* The ports of those that spoof_check_gc() would remove. */
int spoof_check_stale(const owners_t *valid, struct arena *arena, words_t *ports,
		      struct error *err) must_check;
int spoof_check_check(const struct owner *owner, struct error *err) must_check;

#endif
