# cnibox: the only build file. `make help` lists the targets.

PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
CNIBINDIR  ?= /opt/cni/bin
MANDIR     ?= $(PREFIX)/share/man
DATADIR    ?= $(PREFIX)/share
DESTDIR    ?=
SANITIZE   ?=
STATIC     ?=
WERROR     ?= $(if $(CI),1)
BUILD      ?= build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
PKG_CONFIG ?= pkg-config
comma      := ,
Q          := $(if $(V),,@)

VERSION    := $(shell git describe --tags --always --dirty 2>/dev/null || cat VERSION 2>/dev/null || echo unknown)
PACKAGES   := libnl-3.0 jansson
APPLETS    := $(sort $(wildcard applets/*/*.c))
LIBS_C     := $(sort $(wildcard lib/*/*.c))
OBJECTS    := $(patsubst %.c,$(BUILD)/%.o,$(LIBS_C) $(APPLETS))
UNIT       := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/unit/*.c)))
FUZZERS    := $(patsubst tests/fuzz/%.c,%,$(sort $(wildcard tests/fuzz/*.c)))

# Ours; the user's CFLAGS and LDFLAGS come last and win.
flags   := -std=gnu11 -D_GNU_SOURCE -Ilib -I$(BUILD) -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
	   -Wmissing-prototypes -Wformat=2 -Wvla -Wundef -Wno-missing-field-initializers \
	   -fno-common -ffunction-sections -fdata-sections -ffile-prefix-map=$(CURDIR)=. \
	   $(if $(WERROR),-Werror) $(shell $(PKG_CONFIG) --cflags $(PACKAGES) 2>/dev/null)
harden  := -fPIE -fstack-protector-strong -fstack-clash-protection -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
link    := -Wl,-z,relro,-z,now,-z,noexecstack,--gc-sections,--as-needed,--hash-style=gnu,--build-id=sha1
ifneq ($(SANITIZE),)
flags   += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
link    += -fsanitize=$(SANITIZE)
else
flags   += $(harden)
endif
link    += $(if $(STATIC),-static-pie,-pie)

# Small libraries are linked statically where the system has their archives: 0.3 ms less for every call.
archive = $(filter /%,$(shell $(CC) -print-file-name=lib$(1).a 2>/dev/null))
libs    := $(foreach l,nl-3 jansson md,$(or $(call archive,$(l)),-l$(l))) -lpthread

all: $(BUILD)/cnibox ## the binary, build/cnibox

$(BUILD)/cnibox: $(BUILD)/main.o $(OBJECTS)
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(link) $(LDFLAGS) $(libs) -o $@

$(BUILD)/unit: $(UNIT) $(filter $(BUILD)/lib/%,$(OBJECTS)) $(BUILD)/applets.o
	@echo "link    $@"
	$(Q)$(CC) $(flags) $(CFLAGS) $^ $(filter $(BUILD)/applets/%,$(OBJECTS)) $(link) $(LDFLAGS) $(libs) -o $@

$(BUILD)/%.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	@echo "cc      $<"
	$(Q)$(CC) $(flags) $(CFLAGS) -MMD -MP -c $< -o $@

# The directory is the registry: APPLET(kind, symbol, "name") for each file, sorted by name.
$(BUILD)/applets.inc: FORCE
	@mkdir -p $(@D)
	@for f in $(APPLETS); do n=$${f##*/}; n=$${n%.c}; k=$${f#applets/}; k=$${k%%/*}; \
	  echo "APPLET($$k, $$(echo $$n | tr - _), \"$$n\")"; done | LC_ALL=C sort -t'"' -k2 >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(flags) $(CFLAGS) $(link) $(LDFLAGS) $(VERSION)' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/main.o: flags += -DVERSION='"$(VERSION)"'
$(BUILD)/main.o: $(BUILD)/applets.inc
-include $(wildcard $(BUILD)/*.d $(BUILD)/*/*.d $(BUILD)/*/*/*.d $(BUILD)/*/*/*/*.d)

bench: $(BUILD)/bench $(BUILD)/raw $(BUILD)/cnibox ## CPU, memory, system calls beside the reference plugins (root)
	@BUILD=$(BUILD) tests/bench/run

# Static, so that neither their start-up nor their memory is in the numbers.
$(BUILD)/bench $(BUILD)/raw: $(BUILD)/%: tests/bench/%.c
	@mkdir -p $(@D)
	@echo "link    $@"
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -static $< -o $@

clean: ## remove what was built
	rm -rf build build-*

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t14

FORCE:
.PHONY: all bench clean help FORCE
.DELETE_ON_ERROR:
