/* Addresses of hardware: what becomes part of a path, and what does not. */
#include "unit.h"

#include "kernel/sysfs.h"

TEST(sysfs_pci_addresses)
{
	static const struct {
		const char *text, *want; /* NULL = none */
	} cases[] = {
		{ "0000:03:00.1", "0000:03:00.1" },
		{ "0000:FF:1F.7", "0000:ff:1f.7" },
		{ "10000:e1:00.0", "10000:e1:00.0" },
		{ "0123abcd:00:00.0", "0123abcd:00:00.0" },
		{ "", NULL },
		{ ".", NULL },
		{ "..", NULL },
		{ "../..", NULL },
		{ "03:00.1", NULL },
		{ "000:03:00.1", NULL },
		{ "000000000:03:00.1", NULL },
		{ "0000:03:00.8", NULL },
		{ "0000:03:00.a", NULL },
		{ "0000:03:00.", NULL },
		{ "0000:03:00.10", NULL },
		{ "0000:03:0.1", NULL },
		{ "0000:3:00.1", NULL },
		{ "0000:033:00.1", NULL },
		{ "0000-03-00.1", NULL },
		{ "0000:03:00.1/", NULL },
		{ "0000:03:00.1 ", NULL },
		{ " 0000:03:00.1", NULL },
		{ "0000:03:00.1/../..", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char out[SYSFS_PCI_SIZE] = "";

		check_int(sysfs_pci_parse(cases[i].text, out), cases[i].want != NULL);
		check_int(sysfs_pci_parse(cases[i].text, NULL), cases[i].want != NULL);
		check_str(out, cases[i].want ? cases[i].want : "");
	}
}

TEST(sysfs_names_on_the_auxiliary_bus)
{
	static const char *const good[] = { "mlx5_core.sf.4", "a", "ice.roce-0" };
	static const char *const bad[] = {
		"",
		".",
		"..",
		".hidden",
		"a/b",
		"../x",
		"a b",
		"a:b",
		"a\n",
		"\xc3\xa4",
		"01234567890123456789012345678901234567890123456789012345678901234",
	};

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		check(sysfs_auxiliary_valid(good[i]));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check(!sysfs_auxiliary_valid(bad[i]));
}

TEST(sysfs_paths)
{
	struct error err = { 0 };
	char path[8192];

	check_ok(sysfs_path_check("/sys/devices/pci0000:00/0000:00:19.0", &err), err);
	check_ok(sysfs_path_check("/sys/devices/a..b/..c/d../e", &err), err);
	check_fails(sysfs_path_check("", &err), err,
		    "kernel device path \"\" must be absolute and begin with /sys/devices/");
	check_fails(sysfs_path_check("/sys/devices", &err), err,
		    "kernel device path \"/sys/devices\" must be absolute and begin with"
		    " /sys/devices/");
	check_fails(sysfs_path_check("/sys/devices/..", &err), err,
		    "kernel device path \"/sys/devices/..\" leads elsewhere");
	check_fails(sysfs_path_check("/sys/devices/a/../../class", &err), err,
		    "kernel device path \"/sys/devices/a/../../class\" leads elsewhere");
	snprintf(path, sizeof(path), "/sys/devices/%05000d", 0);
	check_int(sysfs_path_check(path, &err), -22);
}

TEST(sysfs_long_hardware_addresses)
{
	static const char eight[] = "02:00:5E:10:00:00:00:01",
			  twenty[] = "80-00-00-48-FE-80-00-00-00-00-00-00-F4-52-14-03-00-7B-CB-A1";
	static const char *const bad[] = {
		"",
		"02:00:00:00:00:01",
		"02:00:5e:10:00:00:00:0",
		"02:00:5e:10:00:00:00:0g",
		"02.00.5e.10.00.00.00.01",
		"02:00:5e:10:00:00:00:01:02",
		"020:0:5e:10:00:00:00:01",
	};
	char out[SYSFS_ADDRESS_SIZE];

	check(sysfs_address_parse(eight, out));
	check_str(out, "02:00:5e:10:00:00:00:01");
	check(sysfs_address_parse(twenty, out));
	check_str(out, "80:00:00:48:fe:80:00:00:00:00:00:00:f4:52:14:03:00:7b:cb:a1");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		check(!sysfs_address_parse(bad[i], out));
}

TEST(sysfs_what_is_not_there)
{
	char name[16] = "x", driver[16] = "x", address[SYSFS_PCI_SIZE];
	struct error err = { 0 };

	check(!sysfs_has_pci("ffff:ff:1f.7"));
	check(!sysfs_has_pci("../../.."));
	check(!sysfs_has_auxiliary("none.such.0"));
	check(!sysfs_has_auxiliary(".."));
	check(!sysfs_has_path("/etc"));
	sysfs_pci_driver("ffff:ff:1f.7", driver, sizeof(driver));
	check_str(driver, "");
	check_fails(sysfs_pci_interface("ffff:ff:1f.7", name, &err), err,
		    "no pci device ffff:ff:1f.7");
	check_str(name, "");
	check_fails(sysfs_pci_interface("..", name, &err), err,
		    "\"..\" is not a PCI address such as 0000:03:00.1");
	check_fails(sysfs_auxiliary_interface("a/b", name, &err), err,
		    "\"a/b\" is not a name on the auxiliary bus");
	check_fails(sysfs_auxiliary_interface("none.such.0", name, &err), err,
		    "no net directory under auxiliary device none.such.0");
	check_fails(sysfs_path_interface("/sys/devices/none-such", name, &err), err,
		    "failed to find network devices at \"/sys/devices/none-such/net\"");
	check(!sysfs_interface_pci("lo", address));
	check(!sysfs_interface_pci("../../x", address));
}
