/* firewalld: addresses as sources of a zone, through its D-Bus interface org.fedoraproject.FirewallD1.zone. */
#ifndef FIREWALL_FIREWALLD_H
#define FIREWALL_FIREWALLD_H

#include "base/dbus.h"
#include "base/ip.h"

/* The bus, when there is one and firewalld is on it, else NULL. Never an error: what cannot be asked does not run. */
struct dbus *firewalld_find(void);
/* The bus; firewalld need not be there, and is started by the first call where the bus knows how. */
int firewalld_open(struct dbus **bus, struct error *err) must_check;

/* Already in this zone is fine; in another one it is an error. */
int firewalld_add(struct dbus *bus, const char *zone, const struct ip *address,
		  struct error *err) must_check;
/* Not in this zone, no such zone, no firewalld: success. */
int firewalld_remove(struct dbus *bus, const char *zone, const struct ip *address,
		     struct error *err) must_check;
/* 0, or -ENOENT when it is not there. */
int firewalld_check(struct dbus *bus, const char *zone, const struct ip *address,
		    struct error *err) must_check;

/* Does it run? */
int firewalld_status(struct dbus *bus, struct error *err) must_check;

#endif
