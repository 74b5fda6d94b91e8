/* Network namespaces and sysctls, as far as they go without privileges. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>

#include "kernel/netns.h"
#include "kernel/netns_internal.h"
#include "kernel/sysctl.h"
#include "node/filter.h"

#include <netinet/in.h>

#define ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

TEST(netns_container_id_in_a_cgroup)
{
	static const struct {
		const char *text, *id;
	} cases[] = {
		{ "0::/\n", "" },
		{ "", "" },
		{ "0::/user.slice/user-1000.slice/session-3.scope\n", "" },
		{ "12:cpu:/docker/" ID "\n0::/\n", ID },
		{ "0::/system.slice/docker-" ID ".scope\n", ID },
		{ "0::/machine.slice/libpod-" ID ".scope/container\n", ID },
		{ "0::/machine.slice/libpod-conmon-" ID ".scope\n", "" },
		{ "0::/kubepods.slice/kubepods-pod12_34.slice/cri-containerd-" ID ".scope\n", ID },
		{ "0::/system.slice/kubepods-besteffort-pod1.slice:cri-containerd:" ID "\n", ID },
		{ "1:name=systemd:/x\n0::/docker/0123456789ab/kubelet/cri-containerd-abcdefabcdef.scope\n",
		  "abcdefabcdef" },
		{ "0::/docker/0123456789\n", "" },
		{ "0::/docker/" ID "0\n", "" },
		{ "no slash\n\n:::\n", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[512], id[NETNS_CONTAINER_ID_MAX + 1];

		snprintf(text, sizeof(text), "%s", cases[i].text);
		netns_cgroup_id(text, id);
		check_str(id, cases[i].id);
	}
}

TEST(netns_open_says_what_the_reference_says)
{
	struct error err = { 0 };
	int fd = 7;

	check_fails(netns_open("/nonexistent/x", &fd, &err), err,
		    "failed to Statfs \"/nonexistent/x\": no such file or directory");
	check_int(err.errnum, ENOENT);
	check_int(fd, -1);
	check_int(netns_open("/", &fd, &err), -EINVAL);
	check(strstr(err.message, "unknown FS magic on \"/\": ") == err.message);
	check_ok(netns_open("/proc/self/ns/net", &fd, &err), err);
	check(netns_is_current(fd));
	check_int(fcntl(fd, F_GETFD), FD_CLOEXEC);
	close(fd);
}

TEST(netns_enter_where_one_is_already_does_nothing)
{
	struct error err = { 0 };
	dev_t dev;
	ino_t ino;
	int fd, back = 7;

	check_ok(netns_open("/proc/self/ns/net", &fd, &err), err);
	check_ok(netns_enter(fd, &back, &err), err);
	check_int(back, -1);
	check_ok(netns_identity(fd, &dev, &ino, &err), err);
	check(ino != 0);
	close(fd);
	check_int(netns_enter(9999, &back, &err), -EBADF);
}

TEST(netns_words)
{
	auto_arena struct arena arena = { 0 };
	struct error err = { 0 };
	char self[16], want[64], *path;

	snprintf(self, sizeof(self), "%d", getpid());
	snprintf(want, sizeof(want), "/proc/%d/ns/net", getpid());
	check_ok(netns_resolve(self, &arena, &path, &err), err);
	check_str(path, want);
	check_ok(netns_resolve("/some/path", &arena, &path, &err), err);
	check_str(path, "/some/path");
	check_fails(netns_resolve("no-such-name", &arena, &path, &err), err,
		    "no namespace \"no-such-name\" (see `cnibox netns list`)");
	check_int(netns_resolve("..", &arena, &path, &err), -ENOENT);
	check_int(netns_resolve("", &arena, &path, &err), -ENOENT);
	check_int(netns_resolve("99999999", &arena, &path, &err), -ENOENT);
	check_int(netns_resolve("99999999999999999999", &arena, &path, &err), -ENOENT);
	check_fails(netns_add("a/b", &err), err,
		    "\"a/b\" is not a name for a network namespace (a name has no \"/\")");
	check_fails(netns_add("a\nb", &err), err,
		    "\"a\nb\" is not a name for a network namespace (it has control characters)");
	check_int(netns_del("..", &err), -EINVAL);
}

TEST(sysctl_files)
{
	struct error err = { 0 };
	char value[64], spaced[80];

	check_ok(sysctl_read("net/ipv4/ip_local_port_range", value, sizeof(value), &err), err);
	check(value[0] && value[strlen(value) - 1] != '\n');
	snprintf(spaced, sizeof(spaced), " %s\n", value);
	*strchr(spaced, '\t') = ' ';
	check_ok(sysctl_ensure("net/ipv4/ip_local_port_range", spaced, &err),
		 err); /* equal: not written */
	check_fails(sysctl_read("net/no/such", value, sizeof(value), &err), err,
		    "read sysctl net/no/such: No such file or directory");
	check_fails(sysctl_write("net/no/such", "1", &err), err,
		    "set sysctl net/no/such to \"1\": No such file or directory");
	check_int(sysctl_read("net/../../etc/passwd", value, sizeof(value), &err), -EINVAL);
	check_int(sysctl_read("../../etc/passwd", value, sizeof(value), &err), -EINVAL);
	check_int(sysctl_read("net/ipv4/...x/..", value, sizeof(value), &err), -EINVAL);
	check_int(sysctl_read("net/ipv4/conf/v..1/arp_notify", value, sizeof(value), &err),
		  -ENOENT);
	sysctl_try("net/no/such", "1");
}

TEST(sockets_that_listen_by_their_lines)
{
	static const struct {
		const char *line;
		bool tcp, udp;    /* of 127.0.0.1, port 8080 */
		const char *only; /* where else */
	} cases[] = {
		{ "  sl  local_address rem_address   st tx_queue rx_queue", false, false, "" },
		{ "   0: 00000000:1F90 00000000:0000 0A 00000000:00000000", true, false, "" },
		{ "   0: 00000000:1F90 00000000:0000 07 00000000:00000000", false, true, "" },
		{ "   0: 00000000:1F91 00000000:0000 0A 00000000:00000000", false, false, "" },
		{ "   0: 00000000:1F90 00000000:0000 01 00000000:00000000", false, false, "" },
		{ "   0: 00000000:0016 00000000:1F90 0A 00000000:00000000", false, false, "" },
		{ " 12: 00000000000000000000000000000000:1F90"
		  " 00000000000000000000000000000000:0000 0A 00000000:00000000",
		  true, false, "" },
		{ "8080: 00000000:0035 00000000:0000 0A 00000000:00001F90", false, false, "" },
		{ "   0: FFFFFFFF:1F90 00000000:0000 0A", false, false, "255.255.255.255" },
		{ "   0: 000000000000:1F90 00000000:0000 0A", false, false, "" },
		{ "   0: 00000000:1F90 00000000:", false, false, "" },
		{ "   0: 00000000:1F90", false, false, "" },
		{ "   0: 00000000:", false, false, "" },
		{ "0:0:0:0", false, false, "" },
		{ "", false, false, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct parcel parcel = { .protocol = IPPROTO_TCP, .port = 8080 };
		struct ip only = { 0 };
		char text[IP_TEXT_SIZE];

		check(ip_parse("127.0.0.1", &parcel.dst));
		check_int(socket_line_listens(cases[i].line, &parcel, &only), cases[i].tcp);
		check_str(ip_format(&only, text), cases[i].only);
		parcel.protocol = IPPROTO_UDP;
		check_int(socket_line_listens(cases[i].line, &parcel, &only), cases[i].udp);
	}
}
