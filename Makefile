# SPDX-License-Identifier: GPL-2.0-or-later
#
# fusepass: `make demo` shows it, `make check` tests it, `make help` lists the rest.
#
# Long steps are scripts in scripts/, each of which finds out by itself what is already
# done; this file says in which order they come and compiles what is in the checkout.
# Kernel builds and downloads live in a cache outside the checkout (see scripts/lib.sh).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := help

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
show = $(if $(filter 1,$(V)),,@$(if $(filter 2,$(V)),,printf '  %-7s %s\n' '$(1)' '$(2)';))
export V

PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
B := build

# The header is the one place where the version stands.
VERSION := $(shell sed -n 's/^\#define FUSEPASS_VERSION[[:space:]]*"\(.*\)"$$/\1/p' include/fusepass.h)

# Where scripts/lib.sh puts things; it is the one that decides.
CACHE := $(shell FUSEPASS_ASK=1; . scripts/lib.sh && echo $$CACHE)
TOOLS := $(CACHE)/tools
LINUX := $(CACHE)/linux
BPFTOOL := $(TOOLS)/bin/bpftool

CC ?= cc
CLANG ?= clang
AR ?= ar
LD ?= ld
OBJCOPY ?= objcopy
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes \
	-Werror=implicit-function-declaration -Werror=implicit-int -Werror=incompatible-pointer-types \
	-Werror=return-type -Wshadow -Wpointer-arith
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) -MMD -MP \
	-I include $(INCLUDES) $(BPF_CFLAGS) $(FUSE_CFLAGS) $(CFLAGS)
FUSE_CFLAGS = $(shell pkg-config --cflags fuse3)
FUSE_LIBS = $(shell pkg-config --libs fuse3)
# The distribution's libbpf (LIBBPF=system), for which no kernel is needed, or the kernel's own
# (LIBBPF=kernel), which the tests take. What says nothing takes the kernel's if it was made
# already, and where the distribution's is too old.
LIBBPF ?= $(if $(wildcard $(TOOLS)/include/bpf),kernel,$(if $(shell pkg-config --exists \
	'libbpf >= 1.2' && echo yes),system,kernel))
LIBBPF := $(LIBBPF)
ifeq ($(LIBBPF),system)
BPF_CFLAGS = $(shell pkg-config --cflags libbpf)
BPF_LIBS = $(shell pkg-config --libs libbpf) -lelf -lz
BPF_READY =
else
BPF_CFLAGS = -I $(TOOLS)/include
BPF_LIBS = $(TOOLS)/lib/libbpf.a -lelf -lz
BPF_READY = $(TOOLS)/include/bpf
endif
LDLIBS_ALL = $(BPF_LIBS) $(FUSE_LIBS) -lpthread

##@ The two commands
.PHONY: demo check
demo: | setup ## from nothing to the demonstration, on Debian's kernel with the module (KERNEL=own: on our own)
	$(Q)$(MAKE) --no-print-directory demo-$(if $(filter own,$(KERNEL)),own,distro)

.PHONY: demo-own demo-distro
demo-own:
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)VM_NAME=demo VM_TIMEOUT=$${VM_TIMEOUT:-1200} tests/vm/vmtest.sh $(CACHE)/out-fast/vmlinux tests/vm/demo.sh

demo-distro: | kernel-tree
	$(Q)scripts/distro.sh boot
	$(Q)scripts/build-tools.sh
	$(Q)$(MAKE) --no-print-directory bpf user $(B)/tests/bin/names $(B)/tests/demo.img
	$(Q)VM_NAME=demo VM_TIMEOUT=$${VM_TIMEOUT:-1200} scripts/distro.sh guest tests/vm/demo.sh

check: | setup ## all tests; ends with "N passed, N failed, N skipped"
	$(Q)$(MAKE) --no-print-directory kernel kernel-debug tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)scripts/distro.sh boot
	$(Q)scripts/check.sh host series vmlinux vm vm-base vm-debug-short conc-short distro-short

.PHONY: shell
shell: | setup ## a prompt in the guest, with a tree mounted (DISTRO=1: on Debian's kernel with the module)
	$(Q)$(MAKE) --no-print-directory $(if $(DISTRO),kernel-tree,kernel)
	$(Q)$(if $(DISTRO),scripts/distro.sh boot)
	$(Q)scripts/build-tools.sh
	$(Q)$(MAKE) --no-print-directory bpf user $(B)/tests/demo.img
	$(Q)export VM_NAME=shell VM_TERMINAL=1 VM_TIMEOUT=$${VM_TIMEOUT:-86400} VM_ENV="TERM COLUMNS LINES"; \
		read -r LINES COLUMNS < <(stty size </dev/tty); export LINES COLUMNS; \
		$(if $(DISTRO),scripts/distro.sh guest,tests/vm/vmtest.sh $(CACHE)/out-fast/vmlinux) tests/vm/shell.sh

##@ Tests, one by one
.PHONY: check-host check-vm check-workload check-debug check-kmemleak check-module check-distro check-race soak soak-conc series-verify series-check
check-host: | bpf user tests ## what needs no VM
	$(Q)scripts/check.sh host

check-vm: | kernel bpf user tests ## the VM suite on the fast kernel; T='PATTERN...' for some tests
	$(Q)VM_TESTS='$(T)' scripts/check.sh vm vm-base

check-workload: | kernel bpf user tests ## programs that write, and large trees, at full size
	$(Q)scripts/check.sh workload

check-race: | kernel bpf user tests ## two processes at the same names at the same moment
	$(Q)scripts/check.sh race

check-debug: | kernel-debug bpf user tests ## the whole VM suite on the debugging kernel, then kmemleak
	$(Q)scripts/check.sh vm-debug kmemleak

check-kmemleak: | kernel-debug bpf user tests ## only the kmemleak pass
	$(Q)scripts/check.sh kmemleak

check-distro: | setup ## the whole VM suite on Debian's own kernel with the module fusepass.ko, its packages installed
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests deb
	$(Q)scripts/distro.sh boot
	$(Q)scripts/distro.sh boot 7.2
	$(Q)scripts/check.sh install distro distro-7.2-short

check-module: | kernel-module bpf user tests ## the quick VM suite on a kernel that has FUSE as a module
	$(Q)scripts/check.sh module

soak: | kernel kernel-debug bpf user tests ## random operations on mount and native tree, for hours
	$(Q)scripts/check.sh soak

soak-conc: | kernel kernel-debug bpf user tests ## of it, only what is done at the same time on both
	$(Q)scripts/check.sh conc

series-verify: | kernel-tree ## does the series apply to the base and equal the tree's own export?
	$(Q)scripts/series.sh verify

series-check: | kernel-tree ## checkpatch, build and sparse, patch by patch (PART=, e.g. 2-ino)
	$(Q)scripts/series-check.sh $(PART)

##@ Measurements
.PHONY: bench bench-quick
bench: | setup ## instructions per operation, memory, whole jobs: about half an hour
	$(Q)scripts/setup-packages.sh bench
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)tests/bench/run.sh

bench-quick: | setup ## the same with one round and less of it, for development
	$(Q)scripts/setup-packages.sh bench
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)tests/bench/run.sh quick systems hook memory

##@ Steps
.PHONY: setup kernel-tree series-export kernel kernel-debug kernel-module tools vmlinux-h dkms deb bpf user tests
setup: ## install Debian packages (SKIP_PACKAGES=1: do not)
	$(Q)scripts/setup-packages.sh

kernel-tree: | setup ## fetch the kernel source and apply the series
	$(Q)scripts/fetch-kernel.sh
	$(Q)scripts/series.sh apply

series-export: ## write the tree's branch `series` to kernel/patches/ (SUBMITTER=: to send it)
	$(Q)scripts/series.sh export

kernel: | kernel-tree ## the fast kernel
	$(Q)scripts/build-kernel.sh fast

kernel-debug: | kernel ## the debugging kernel
	$(Q)scripts/build-kernel.sh debug

kernel-module: | kernel ## the kernel that has FUSE as a module
	$(Q)scripts/build-kernel.sh module

tools: | kernel ## libbpf and bpftool from the kernel's own tools/
	$(Q)scripts/build-tools.sh

dkms: | kernel-tree ## source of the module fusepass.ko for Debian's own kernels: build/dkms/
	$(Q)scripts/dkms.sh

deb: | kernel-tree ## Debian packages, built in a trixie root: build/deb/
	$(Q)scripts/deb.sh

vmlinux-h: | tools ## kernel types for bpf/, from the built kernel
	$(Q)scripts/gen-vmlinux-h.sh

# BPF policies. vmlinux.h is kept in the checkout; `make check` tells when it is old.
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
bpf: $(BPF_OBJS) ## the policies: build/bpf/*.bpf.o

$(B)/bpf/%.bpf.o: bpf/%.bpf.c | $(B)/bpf $(BPF_READY)
	$(call show,BPF,$@)$(CLANG) -O2 -g -target bpf -mcpu=v3 -Wall -Wno-unused-function \
		-MMD -MP -I include -I . $(BPF_CFLAGS) -c $< -o $@

# What the library, the server, the command and the test programs are made of is in the
# Makefile.inc of their directories.
include user/lib/Makefile.inc user/server/Makefile.inc user/cli/Makefile.inc tests/Makefile.inc

MAN_PAGES := $(patsubst %,$(B)/%,$(wildcard man/*.[1-8]))
user: $(B)/bin/fusepass $(B)/lib/libfusepass.a $(B)/lib/libfusepass.so $(B)/lib/pkgconfig/libfusepass.pc $(MAN_PAGES) ## the fusepass command and libfusepass

$(MAN_PAGES): $(B)/man/%: man/% include/fusepass.h | $(B)/man
	$(call show,MAN,$@)sed 's/@VERSION@/$(VERSION)/' $< >$@

tests: $(TEST_PROGS) ## test programs

# Objects are made anew for another libbpf.
$(B)/obj/.libbpf-$(LIBBPF): | $(BPF_READY)
	$(Q)[ $(LIBBPF) = kernel ] || pkg-config --exists 'libbpf >= 1.2' || \
		{ echo "fusepass: LIBBPF=system takes libbpf 1.2 or newer (links of struct_ops)" >&2; exit 1; }
	$(Q)mkdir -p $(@D)
	$(Q)rm -f $(@D)/.libbpf-*
	$(Q)touch $@

$(B)/obj/%.o: %.c $(B)/obj/.libbpf-$(LIBBPF)
	@mkdir -p $(@D)
	$(call show,CC,$@)$(CC) $(ALL_CFLAGS) -fPIC -c $< -o $@

$(B)/bin $(B)/lib $(B)/bpf $(B)/lib/pkgconfig $(B)/man:
	$(Q)mkdir -p $@

$(TOOLS)/include/bpf:
	$(Q)$(MAKE) --no-print-directory tools

-include $(shell [ ! -d $(B) ] || find $(B) -name '*.d')

##@ Install
.PHONY: install uninstall clean distclean help
# Policies are installed as objects, and their sources as examples that compile there.
POLICY_SRCS := $(wildcard bpf/*.bpf.c bpf/*.h) vmlinux.h
# What `fusepass policy new` makes a folder from.
TEMPLATES := $(wildcard bpf/templates/*)
define INSTALLED
bin/fusepass \
$(patsubst %,include/%,$(notdir $(wildcard include/*.h))) include/fusepass/vmlinux.h \
$(patsubst %,lib/fusepass/%,$(notdir $(BPF_OBJS))) \
$(patsubst %,share/fusepass/policies/%,$(notdir $(POLICY_SRCS))) \
$(patsubst %,share/fusepass/templates/%,$(notdir $(TEMPLATES))) \
$(foreach m,$(MAN_PAGES),share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
$(patsubst %,share/bash-completion/completions/%,$(notdir $(wildcard bash-completion/*)))
endef

install: | bpf user ## install below $(DESTDIR)$(PREFIX)
	$(Q)install -D -m 755 $(B)/bin/fusepass '$(DESTDIR)$(PREFIX)/bin/fusepass'
	$(Q)install -D -m 644 $(B)/lib/libfusepass.a '$(DESTDIR)$(LIBDIR)/libfusepass.a'
	$(Q)install -D -m 755 $(B)/lib/libfusepass.so '$(DESTDIR)$(LIBDIR)/$(SONAME)'
	$(Q)ln -sf $(SONAME) '$(DESTDIR)$(LIBDIR)/libfusepass.so'
	$(Q)install -D -m 644 -t '$(DESTDIR)$(LIBDIR)/pkgconfig' $(B)/lib/pkgconfig/libfusepass.pc
	$(Q)sed -i 's|^prefix=.*|prefix=$(PREFIX)|; s|^libdir=.*|libdir=$(LIBDIR)|' '$(DESTDIR)$(LIBDIR)/pkgconfig/libfusepass.pc'
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/include' $(wildcard include/*.h)
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/include/fusepass' vmlinux.h
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/lib/fusepass' $(BPF_OBJS)
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/fusepass/policies' $(POLICY_SRCS)
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/fusepass/templates' $(TEMPLATES)
	$(Q)for m in $(MAN_PAGES); do install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}" "$$m"; done
	$(Q)for c in $(wildcard bash-completion/*); do install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' "$$c"; done

uninstall: ## remove what install put there
	$(Q)for f in $(INSTALLED); do rm -f "$(DESTDIR)$(PREFIX)/$$f"; done
	$(Q)for f in libfusepass.a $(SONAME) libfusepass.so pkgconfig/libfusepass.pc; do rm -f "$(DESTDIR)$(LIBDIR)/$$f"; done
	$(Q)cd '$(DESTDIR)$(PREFIX)' && rmdir -p --ignore-fail-on-non-empty lib/fusepass share/fusepass/policies share/fusepass/templates include/fusepass 2>/dev/null || true

clean: ## remove build/
	$(Q)rm -rf $(B)

# The tree holds whoever's work is in it: it goes only when all of it is in kernel/patches.
distclean: clean ## remove the kernel builds and sources of the cache too
	$(Q)scripts/clean-cache.sh

help: ## this list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@/ { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z][a-z.-]*:.*## / { printf "  %-15s %s\n", $$1, $$2 }' Makefile
	@printf '%s\n' '' 'Variables' '  V=1             show every command' \
		'  KERNEL_SRC=DIR  use this kernel source (copied, never changed)' \
		'  TREE=asis       build the kernel tree as it stands, do not apply the series' \
		'  PREFIX=DIR, LIBDIR=DIR   where make install puts things, and the library' \
		'  KERNEL=own      demo on a kernel that is built with the series' \
		'  LIBBPF=kernel   take the kernel'"'"'s own libbpf, not the distribution'"'"'s' \
		'  DISTRO_REFRESH=1   look for newer kernels of Debian' \
		'  JOBS=N          parallel jobs of the kernel build' \
		'  VM_ACCEL=tcg    kvm or tcg instead of finding out' \
		'  SOAK_EXT4=N, SOAK_OTHER=N, SOAK_PROCS=N, SEED=N   operations of make soak, and how they begin' \
		'  CONC_EXT4=N, CONC_REST=N, CONC_DEBUG=N            seconds of make soak, for each kind of run'
