/* A seccomp filter as a list of what is refused (seccomp(2)); a list of what is allowed would break with the next libc. */
#include "kernel/confine.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#if defined(__x86_64__)
#define MACHINE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MACHINE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define MACHINE AUDIT_ARCH_RISCV64
#else
#define MACHINE 0
#endif

#define X32_BIT 0x40000000u /* x86-64: the same calls by other numbers */

static const uint32_t refused[] = {
	SYS_bpf, /* the first: it may stay */
	/* files and namespaces */
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_unshare,
	SYS_setns,
	SYS_quotactl,
	SYS_swapon,
	SYS_swapoff,
	SYS_acct,
	SYS_open_by_handle_at,
/* other processes; the leak checker of a sanitized build looks at this one */
#ifndef __SANITIZE_ADDRESS__
	SYS_ptrace,
#endif
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_kcmp,
	SYS_pidfd_getfd,
	SYS_perf_event_open,
	SYS_userfaultfd,
	/* the kernel */
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_settimeofday,
	SYS_clock_settime,
	SYS_adjtimex,
	SYS_sethostname,
	SYS_setdomainname,
	SYS_syslog,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
};

#define REFUSE BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
static const struct sock_filter begin[] = {
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MACHINE, 1, 0),
	REFUSE,
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#ifdef __x86_64__
	BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, X32_BIT, 0, 1),
	REFUSE,
#endif
};
static const struct sock_filter end[] = {
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	REFUSE,
};

/* Jumps count lines behind their own; each of a call is either to the next, or to the refusal at the end. */
static int refuse(bool bpf, struct error *err)
{
	struct sock_filter lines[ARRAY_SIZE(begin) + ARRAY_SIZE(refused) + ARRAY_SIZE(end)];
	struct sock_fprog program = { ARRAY_SIZE(begin), lines };

	memcpy(lines, begin, sizeof(begin));
	for (size_t i = bpf; i < ARRAY_SIZE(refused); i++)
		lines[program.len++] =
			(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i],
						     (unsigned char)(ARRAY_SIZE(refused) - i), 0);
	memcpy(&lines[program.len], end, sizeof(end));
	program.len += ARRAY_SIZE(end);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) && errno != EINVAL)
		return fail_errno(err, errno, "refuse system calls");
	return 0;
}

int confine(const enum capability *keep, size_t n, bool bpf, struct error *err)
{
	int r = capability_keep_only(keep, n, err);

	return r < 0 || !MACHINE ? r : refuse(bpf, err);
}
