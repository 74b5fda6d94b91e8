/*
 * Which variant of iptables the node's Kubernetes uses. kubelet and kube-proxy leave chains without rules in the mangle
 * table as a hint; all who make rules should use the same.
 */
#ifndef FIREWALL_KUBELET_H
#define FIREWALL_KUBELET_H

enum kubelet_variant { KUBELET_NONE, KUBELET_NFT, KUBELET_LEGACY };

/* NONE: there is no hint. The legacy tables are looked at only where the kernel says that they are in use. */
enum kubelet_variant kubelet_variant(void);

#endif
