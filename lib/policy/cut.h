/*
 * Connections that were allowed when they began. Rules leave them alone, since they see what begins; after a tightening,
 * those that are denied now can be cut: their entries of the connection tracking are deleted, and their next packet is
 * judged like a new connection's. No other connection is touched.
 */
#ifndef POLICY_CUT_H
#define POLICY_CUT_H

#include "base/error.h"
#include "policy/compiled.h"

/* Their number is stored in *n. */
int flows_cut(const struct compiled *compiled, size_t *n, struct error *err) must_check;

#endif
