# cnibox: the only build file. `make help` lists the targets.

PREFIX     ?= $(or $(prefix),/usr/local)
BINDIR     ?= $(PREFIX)/bin
CNIBINDIR  ?= /opt/cni/bin
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share
UNITDIR    ?= $(PREFIX)/lib/systemd/system
DESTDIR    ?=
SANITIZE   ?=
MUSL       ?=
STATIC     ?= $(if $(SANITIZE),,$(have_archives))
WERROR     ?= $(if $(CI),1)
BUILD      ?= build$(if $(MUSL),-musl)$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
PKG_CONFIG ?= pkg-config
comma      := ,
hash       := \#
OPTIMIZE   ?= -Os
parallel   := -j$(shell nproc 2>/dev/null || echo 2)
Q          := $(if $(V),,@)

# MUSL=1, as `make static` does it: with musl beside the system's libc. Its archives are those of tests/musl-deps.
MUSL_DEPS  ?= build/musl
ifneq ($(MUSL),)
CC         := musl-gcc
PKG_CONFIG := false
endif

VERSION    := $(shell packaging/version)
PACKAGES   := libnl-3.0 jansson yaml-0.1
APPLETS    ?=
applets    := $(sort $(if $(APPLETS),$(foreach a,$(APPLETS),$(or $(wildcard applets/$(a)/*.c),$(wildcard applets/*/$(a).c applets/$(a).c),\
	      $(error there is no applet and no kind "$(a)"))),$(wildcard applets/*/*.c)))
APPLETS_C  := $(applets) $(sort $(foreach f,$(applets),$(wildcard $(f:.c=)/*.c)))
LIBS_C     := $(sort $(filter-out lib/remote/% $(if $(MUSL),,lib/base/relocate.c),$(wildcard lib/*/*.c)))
REMOTE_C   := $(sort $(filter-out $(if $(MUSL),,lib/remote/tls_mbedtls.c),$(wildcard lib/remote/*.c)))
FEED_C     := lib/policy/feed.c lib/policy/object_form.c lib/policy/pod.c
# What a plugin's call uses lies together, in front of what it does not use (agents, policies, YAML): the kernel brings code into
# memory by sixteen pages at a time, so that this is a tenth of the memory of a call.
used_first := lib/base/% lib/describe/% lib/kernel/% lib/ipam/% lib/cni/% applets/cni/% lib/firewall/% lib/dhcp/%
in_order    = $(foreach p,$(used_first),$(filter $(p),$(1))) $(filter-out $(used_first),$(1))
OBJECTS    := $(patsubst %.c,$(BUILD)/%.o,$(call in_order,$(LIBS_C) $(APPLETS_C)))
REMOTE     := $(patsubst %.c,$(BUILD)/%.o,$(REMOTE_C) $(filter lib/base/% lib/describe/% lib/lease/% $(FEED_C),$(LIBS_C)))
UNIT       := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/unit/*.c)))
FUZZERS    := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))

# Ours; the user's CFLAGS and LDFLAGS come last and win.
flags   := -std=gnu11 -D_GNU_SOURCE -Ilib -I$(BUILD) $(OPTIMIZE) -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
	   -Wmissing-prototypes -Wformat=2 -Wvla -Wundef -Wno-missing-field-initializers \
	   -fno-common -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(BUILD)=build \
	   $(if $(WERROR),-Werror) $(if $(MUSL),-isystem $(MUSL_DEPS)/include) $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
harden  := -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
# Packed relocations: 85 KB less of the file, and 7 page faults less of every call; linkers without them say so and go on.
link    := -Wl,-z,relro,-z,now,-z,noexecstack,-z,pack-relative-relocs,--gc-sections,--as-needed,--hash-style=gnu,--build-id=sha1
ifneq ($(SANITIZE),)
flags   += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
link    += -fsanitize=$(SANITIZE)
else
# Nothing unwinds here, so the tables for it are left out, of libc's objects as well: a tenth of a static binary.
flags   += $(harden) -fno-asynchronous-unwind-tables -fno-unwind-tables
link    += -Wl,--no-eh-frame-hdr,-T,$(BUILD)/link.ld
endif

# Everything is linked statically where the system has the archives: a quarter less CPU and a third less memory for
# every call, since a call is mostly start-up. `make STATIC=` links libc dynamically. Nothing here looks up host names,
# libnl could: the linker's warning about that is switched off, where it lets one.
archive = $(if $(MUSL),$(MUSL_DEPS)/lib/lib$(1).a,$(filter /%,$(shell $(CC) -print-file-name=lib$(1).a 2>/dev/null)))
have_archives = $(if $(MUSL),1,$(if $(filter 5,$(words $(foreach l,c nl-3 jansson md yaml,$(call archive,$(l))))),1))
# musl-gcc knows no static-pie, nor does musl before 1.2.4 know packed relocations (lib/base/relocate.c).
musl_pie = -static -nostartfiles $(subst Scrt1,rcrt1,$(shell $(CC) '-$(hash)$(hash)$(hash)' -x c /dev/null 2>&1 | grep -o '[^ ]*/Scrt1[.]o')) \
	   -Wl,-pie,--no-dynamic-linker,--wrap=__libc_start_main
static  := $(if $(STATIC),$(if $(MUSL),$(musl_pie),-static-pie),-pie)
quiet   := $(if $(STATIC),$(addprefix -Wl$(comma),$(shell $(CC) -Wl,--help 2>/dev/null | grep -o -m1 -e --no-warnings)))
# What objects of libraries mention and nothing here gets to leads to one function instead, which ends the program
# (lib/base/unreached.c): of libnl-3 only messages and attributes are used, yet its objects pull each other in, and
# getaddrinfo() with them; threads come to their end, so that nothing unwinds one that is cancelled, and look up no names;
# there is no language but C's (nobody calls setlocale()), no wide stream, and so no conversion of character sets, and none
# is loaded; nothing prints a number as %a, nor asks for the names of all links. `unneeded` is called and need not be: the
# places where shared libraries would lie. `small` has a function of ours, which libc has five or six times over, one for
# each generation of processors, or with catalogs of messages behind it.
unreached := __str2type __type2str nl_addr_get_binary_addr nl_addr_get_len nl_cache_ops_associate_safe nl_cache_ops_put \
	     nl_cache_parse nl_data_get nl_data_get_size nl_msgtype_lookup nl_strerror_l
unreached_data := nl_debug
ifneq ($(and $(STATIC),$(if $(MUSL),,1)),)
unreached += _Unwind_Backtrace _Unwind_ForcedUnwind _Unwind_GetCFA _Unwind_GetIP _Unwind_Resume __gcc_personality_v0 \
	     __res_vinit __res_iclose __res_randomid __resolv_context_freeres strncat _nl_find_domain _nl_load_domain \
	     __vfwprintf_internal __mbsrtowcs __wcsrtombs __wcsmbs_clone_conv __wcsmbs_load_conv __wcsmbs_named_conv \
	     __gconv __gconv_open __gconv_close __gconv_create_spec __gconv_destroy_spec __gconv_release_step \
	     _IO_wsetb _IO_wdo_write _IO_free_wbackup_area _IO_wpadn __woverflow __wcrtomb __wctrans __towctrans __wmemset \
	     _dl_runtime_profile_avx512 _dl_runtime_profile_avx _dl_runtime_profile_sse _dl_runtime_resolve_fxsave \
	     _dl_runtime_resolve_xsave _dl_runtime_resolve_xsavec __printf_fphex \
	     __netlink_open __netlink_request __netlink_close __netlink_free_handle
unreached_data += __gconv_lock __wcsmbs_gconv_fcts_c _IO_wfile_jumps _IO_wfile_jumps_mmap _IO_wfile_jumps_maybe_mmap
unneeded  := _dl_init_paths _dl_get_origin
small     := strncpy strcpy stpcpy strncmp strcasecmp strncasecmp strstr strcasestr \
	     __stpcpy:stpcpy __strncasecmp_l:strncasecmp __dcgettext:dcgettext
endif
cut_to  = $(foreach f,$(1),-Wl,--wrap=$f,--defsym=__wrap_$f=$(2))
cut     := $(call cut_to,$(unreached),unreached) $(call cut_to,$(unreached_data),unreached_data) \
	   $(call cut_to,$(unneeded),unneeded) \
	   $(foreach p,$(small),$(call cut_to,$(firstword $(subst :, ,$p)),small_$(lastword $(subst :, ,$p))))
libs    := $(if $(call archive,nl-3),$(cut)) $(foreach l,yaml md nl-3 jansson,$(or $(call archive,$(l)),-l$(l))) \
	   -lpthread $(quiet)

# The program for stores over a network: the system's libcurl comes with thirty shared libraries, so it is linked dynamically;
# with musl, tests/musl-deps has made one of HTTP and a small TLS library alone, and it is static.
have_curl := $(if $(MUSL),$(wildcard $(MUSL_DEPS)/lib/libcurl.a),$(shell $(PKG_CONFIG) --exists libcurl 2>/dev/null && echo 1))
remote_libs = $(if $(MUSL),$(foreach l,curl mbedtls,$(call archive,$(l))),$(shell $(PKG_CONFIG) --libs libcurl)) \
	      $(foreach l,jansson md yaml,$(or $(call archive,$(l)),-l$(l))) -lpthread
remote_pie := $(if $(MUSL),$(static),-pie)

# APPLETS="bridge host-local tool/cni", or a kind: APPLETS=cni; all of them otherwise. Into a BUILD of its own.
all: $(BUILD)/cnibox $(if $(have_curl),$(BUILD)/cnibox-store,without-store) ## the programs, build/cnibox and build/cnibox-store

$(BUILD)/link.ld: $(BUILD)/flags
	@echo 'SECTIONS { /DISCARD/ : { *(.eh_frame .eh_frame.* .gcc_except_table .gcc_except_table.*) } } INSERT BEFORE .text;' >$@

$(BUILD)/cnibox: $(BUILD)/main.o $(OBJECTS) | $(BUILD)/link.ld
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(static) $(link) $(LDFLAGS) $(libs) -o $@

$(BUILD)/cnibox-store: $(BUILD)/store.o $(REMOTE)
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(remote_pie) $(link) $(LDFLAGS) $(remote_libs) -o $@

without-store:
	@echo "without cnibox-store (etcd, Kubernetes): $(if $(MUSL),there is no $(MUSL_DEPS)/lib/libcurl.a; that of a build without MUSL=1 works beside this cnibox,libcurl's development files are missing (tests/deps build))"

# What it has without libcurl is for unit tests and fuzzing, too.
$(BUILD)/remote.a: $(filter-out %/http.o %/http_stream.o %/tls.o %/tls_mbedtls.o,$(REMOTE_C:%.c=$(BUILD)/%.o))
	@rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/unit: $(UNIT) $(OBJECTS) $(BUILD)/remote.a
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(static) $(link) $(LDFLAGS) -Wl,--wrap=clock_wall_ms,--wrap=clock_gettime $(libs) -o $@

$(BUILD)/http: $(BUILD)/tests/lib/http.o $(REMOTE)
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(remote_pie) $(link) $(LDFLAGS) $(remote_libs) -o $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "cc      $<"
	$(Q)$(CC) $(flags) $(own) $(CFLAGS) $(NAMED) -MMD -MP -c $< -o $@

# The directory is the registry: APPLET(kind, symbol, "name") for each file, sorted by name.
$(BUILD)/applets.inc: FORCE
	@mkdir -p $(@D)
	@for f in $(applets); do n=$${f##*/}; n=$${n%.c}; k=$${f#applets/}; k=$${k%%/*}; \
	  echo "APPLET($$k, $$(echo $$n | tr - _), \"$$n\")"; done | LC_ALL=C sort -t'"' -k2 >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

# Every packet goes through it.
$(BUILD)/lib/relay/%.o: private own := -O2

# Stamps: other flags rebuild everything, another version only what prints it.
$(BUILD)/flags: text = $(CC) $(flags) $(CFLAGS) $(static) $(link) $(LDFLAGS)
$(BUILD)/version: text = $(VERSION)
$(BUILD)/flags $(BUILD)/version: FORCE
	@mkdir -p $(@D)
	@echo '$(text)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/lib/remote/tls.o: private own := $(if $(MUSL),-DWITH_MBEDTLS)
$(BUILD)/main.o: private own := -DVERSION='"$(VERSION)"'
$(BUILD)/main.o: $(BUILD)/version
$(BUILD)/main.o $(UNIT) $(FUZZERS:%=$(BUILD)/tests/fuzz/%.o): $(BUILD)/applets.inc
-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)

# Static, so that neither their start-up nor their memory is in the numbers.
bench_programs := bench raw empty onepacket traffic flows
$(bench_programs:%=$(BUILD)/%): $(BUILD)/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "link    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -static $< -o $@

# With the library: what it takes to read and compile policies, and to bring them into force.
$(BUILD)/compile $(BUILD)/enforce: $(BUILD)/%: $(BUILD)/tests/bench/%.o $(OBJECTS)
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(static) $(link) $(LDFLAGS) $(libs) -o $@

# ---- set-up, tests, checks: `deps` installs first, then make runs again and sees what is there ----

deps: ## install what building needs, with the system's package manager
	@tests/deps build

static: ## static binaries, with the system's libc and with musl (build-musl)
	@tests/deps build musl
	@$(MAKE) -s $(parallel) STATIC=1 all
	@if command -v musl-gcc >/dev/null; then tests/musl-deps $(MUSL_DEPS) && $(MAKE) -s $(parallel) MUSL=1 all; \
	  else echo "without one of musl: there is no musl-gcc"; fi

# For the tests: the plugins alone first, so that what stays in build-musl is the whole.
musl:
	@$(MAKE) -s $(parallel) MUSL=1 APPLETS=cni build-musl/cnibox
	@cp build-musl/cnibox build-musl/cnibox-plugins
	@$(MAKE) -s $(parallel) MUSL=1 all build-musl/http

demo: ## build, show pods on and across nodes; STORE=etcd: with etcd
	@tests/deps build demo $(filter etcd,$(STORE))
	@$(MAKE) -s $(parallel) all
	@tests/demo
	@tests/demo-policy
	@STORE=$(STORE) tests/demo-cluster

shell: ## a shell in a throw-away node, to try what the README shows
	@tests/deps build demo
	@$(MAKE) -s $(parallel) all
	@tests/shell

check: ## set up, build, and run every test
	@tests/deps build demo check fuzz musl
	@! tests/musl-deps $(MUSL_DEPS) || $(MAKE) -s musl || :
	@$(MAKE) -s $(parallel) all tests SANITIZE=
	@$(MAKE) -s $(parallel) all tests SANITIZE=address,undefined
	@! command -v $(FUZZ_CC) >/dev/null || $(MAKE) -s $(parallel) fuzzers
	@tests/run -u build-address-undefined/unit -s $(CURDIR)/build-address-undefined/cnibox -m $(CURDIR)/build-musl/cnibox

tests: $(BUILD)/unit $(bench_programs:%=$(BUILD)/%) $(if $(have_curl),$(BUILD)/http) ## build the programs that tests use

# Everything again with clang, instrumented, in a folder of its own. FUZZ_CC=afl-clang-fast works as well.
FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 20

fuzz: ## random bytes for all that reads foreign ones, FUZZ_SECONDS each
	@tests/deps build fuzz
	@$(MAKE) -s $(parallel) fuzzers
	@tests/fuzz/run $(FUZZ_SECONDS)

fuzzers: ## build what `make fuzz` runs
	@$(MAKE) -s CC=$(FUZZ_CC) WERROR= SANITIZE=fuzzer-no-link,address,undefined BUILD=build-fuzz \
	  $(FUZZERS:%=build-fuzz/fuzz/%)

$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.o $(OBJECTS) $(BUILD)/remote.a
	@mkdir -p $(@D)
	@echo "link    $@"
	$(Q)$(CC) $(flags) -fsanitize=fuzzer $(CFLAGS) $^ $(static) $(link) $(LDFLAGS) $(libs) -o $@

# %c: counted in the file itself, so that what was killed, or never came back from fork(), counts too; %8m: into eight of them.
# Static functions are told apart by the name of their file, which is to have its folder.
counted := -O1 -Wno-format-nonliteral -fcoverage-mapping -mllvm -runtime-counter-relocation \
	   -fprofile-instr-generate=$(CURDIR)/build-coverage/raw/%c%8m.profraw
coverage: ## how many of the lines of lib/ the tests reach
	@tests/deps build check fuzz
	@$(MAKE) -s $(parallel) CC=$(FUZZ_CC) WERROR= SANITIZE= STATIC= BUILD=build-coverage CFLAGS='$(counted)' \
	  NAMED='-Xclang -main-file-name -Xclang $$<' all tests
	@tests/coverage

soak: ## 20 000 attachments by 32 at once, with calls killed half way
	@tests/deps build check
	@$(MAKE) -s $(parallel) all
	@SOAK_COUNT=10000 FILE_DEADLINE=7200 tests/run 610-soak

lint: ## style, static analysis, layers, shell
	@tests/deps build lint
	@$(MAKE) -s $(BUILD)/applets.inc
	@CC='$(CC)' FLAGS='$(flags)' BUILD='$(BUILD)' tests/lint

bench: ## speed and memory beside the reference; ROWS=relay: those alone
	@tests/deps build bench
	@$(MAKE) -s $(parallel) all $(bench_programs:%=$(BUILD)/%) $(BUILD)/compile $(BUILD)/enforce
	@BUILD=$(BUILD) tests/bench/run $(ROWS)

# ---- installing: links come from the applet table; every file is renamed into place ----

to_install = BUILD="$(BUILD)" DESTDIR="$(DESTDIR)" BINDIR="$(BINDIR)" CNIBINDIR="$(CNIBINDIR)" MANDIR="$(MANDIR)" \
	     DATADIR="$(DATADIR)" UNITDIR="$(UNITDIR)" packaging/install

install: all man ## programs, links in the CNI plugin folder, man pages, units
	@$(to_install)

uninstall: all man ## take it all back; plugins that were replaced return
	@$(to_install) --remove

# For packages, whose manager knows what was there: CNIBINDIR= with the first, and this.
install-links: ## plain links to the binary in CNIBINDIR
	@mkdir -p "$(DESTDIR)$(CNIBINDIR)"
	@for name in $(notdir $(basename $(filter applets/cni/%,$(applets)))); do \
	  ln -sf "$(BINDIR)/cnibox" "$(DESTDIR)$(CNIBINDIR)/$$name" || exit; done

man: $(BUILD)/cnibox ## the manual pages, printed by the binary
	@SOURCE_DATE_EPOCH=$${SOURCE_DATE_EPOCH:-$$(packaging/version --epoch)} packaging/man "$(BUILD)" "$(VERSION)"

# ---- giving away: packaging/ ----

DIST := cnibox-$(patsubst %+changed,%,$(VERSION))

dist: ## what is committed, as build/cnibox-VERSION.tar.gz
	@packaging/dist "$(BUILD)" "$(DIST)"

deb: dist ## Debian packages, in build/deb
	@tests/deps build package
	@packaging/deb "$(BUILD)" "$(DIST)"

image: all ## an image for container runtimes, build/cnibox-image.tar
	@packaging/container/image $(BUILD)/cnibox-image.tar "$(BUILD)"

# libnl and glibc are under the LGPL: whoever gets a static binary may link it again with a libnl or libc of their own.
relinkable: $(BUILD)/cnibox ## for who gets a static binary: its objects, and how they are linked
	@rm -rf $(BUILD)/cnibox-relinkable && mkdir -p $(BUILD)/cnibox-relinkable
	@cp LICENSE NOTICE packaging/LGPL-2.1 $(BUILD)/link.ld $(BUILD)/cnibox-relinkable
	@cd $(BUILD) && cp --parents $(patsubst $(BUILD)/%,%,$(BUILD)/main.o $(OBJECTS)) cnibox-relinkable
	@{ echo '#!/bin/sh'; echo 'cd "$$(dirname "$$0")" || exit'; \
	  echo '$(CC) $(patsubst $(BUILD)/%,%,$(BUILD)/main.o $(OBJECTS)) $(static) $(subst $(BUILD)/link.ld,link.ld,$(link)) $(LDFLAGS) $(libs) -o cnibox'; \
	  } >$(BUILD)/cnibox-relinkable/link
	@tar -C $(BUILD) -czf $(BUILD)/cnibox-relinkable.tar.gz cnibox-relinkable
	@rm -r $(BUILD)/cnibox-relinkable
	@echo $(BUILD)/cnibox-relinkable.tar.gz

reproducible: ## build twice in two folders and compare
	@$(MAKE) -s BUILD=build-a all && $(MAKE) -s BUILD=build-b all && cmp build-a/cnibox build-b/cnibox && echo same

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t14

FORCE:
.PHONY: all relinkable deps static demo shell check tests fuzz fuzzers coverage soak lint bench install uninstall install-links man dist deb \
	image musl reproducible clean help without-store FORCE
.DELETE_ON_ERROR:
