/* What Kubernetes takes as a name: of objects, namespaces, labels and ports. NULL when right, else what is wrong. */
#ifndef POLICY_NAME_H
#define POLICY_NAME_H

#include "base/base.h"

const char *name_wrong_object(const char *name);    /* DNS subdomain (RFC 1123) */
const char *name_wrong_namespace(const char *name); /* DNS label (RFC 1123) */
const char *name_wrong_label_key(const char *key);  /* [subdomain/]name */
const char *name_wrong_label_value(const char *value);
const char *name_wrong_domain(const char *name); /* of hosts; "*." may stand in front */
const char *name_wrong_port(const char *name);   /* IANA service name (RFC 6335) in lower case */

#endif
