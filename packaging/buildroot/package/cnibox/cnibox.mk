################################################################################
#
# cnibox
#
################################################################################

# packaging/buildroot of an unpacked tarball, or of a clone, is a br2-external tree, and the source is the tree around it:
#   make BR2_EXTERNAL=/path/to/cnibox/packaging/buildroot menuconfig
# To take a released tarball instead, set CNIBOX_VERSION, CNIBOX_SITE to the folder it is in, CNIBOX_SITE_METHOD = wget, and add the
# checksum that `make dist` prints to cnibox.hash.
# Tried: Config.in by a Kconfig parser, this file by GNU make with a stand-in for Buildroot, and its commands with the machine's compiler
# (tests/841-dist.bats). Not tried: Buildroot itself, a cross compiler.
CNIBOX_SITE = $(realpath $(BR2_EXTERNAL_CNIBOX_PATH)/../..)
CNIBOX_SITE_METHOD = local
CNIBOX_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = --exclude=/build --exclude='/build-*'
CNIBOX_LICENSE = MIT
CNIBOX_LICENSE_FILES = LICENSE NOTICE
CNIBOX_DEPENDENCIES = host-pkgconf jansson libmd libnl libyaml

# In the environment: what the Makefile adds to CFLAGS is not to be lost. Without .git, it cannot know its version.
CNIBOX_MAKE = $(TARGET_MAKE_ENV) $(TARGET_CONFIGURE_OPTS) $(MAKE) -C $(@D) VERSION=$(shell $(CNIBOX_SITE)/packaging/version)

ifeq ($(BR2_PACKAGE_CNIBOX_STORE),y)
CNIBOX_DEPENDENCIES += libcurl
CNIBOX_PROGRAMS = cnibox cnibox-store
else
CNIBOX_PROGRAMS = cnibox
endif

define CNIBOX_BUILD_CMDS
	$(CNIBOX_MAKE) $(addprefix build/,$(CNIBOX_PROGRAMS))
endef

define CNIBOX_INSTALL_TARGET_CMDS
	$(foreach p,$(CNIBOX_PROGRAMS),$(INSTALL) -D -m 0755 $(@D)/build/$(p) $(TARGET_DIR)/usr/bin/$(p)
	)
	$(if $(BR2_PACKAGE_CNIBOX_PLUGINS),$(CNIBOX_MAKE) install-links DESTDIR=$(TARGET_DIR) PREFIX=/usr)
endef

define CNIBOX_INSTALL_INIT_SYSTEMD
	$(foreach u,$(notdir $(wildcard $(@D)/packaging/systemd/*.service $(@D)/packaging/systemd/*.socket)),
		$(INSTALL) -D -m 0644 $(@D)/packaging/systemd/$(u) $(TARGET_DIR)/usr/lib/systemd/system/$(u)
		$(SED) 's,/usr/local/bin/,/usr/bin/,' $(TARGET_DIR)/usr/lib/systemd/system/$(u)
	)
endef

$(eval $(generic-package))
