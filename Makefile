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
show = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' '$(1)' '$(2)';)
export V

PREFIX ?= /usr/local
DESTDIR ?=
B := build

# Where scripts/lib.sh puts things; it is the one that decides.
CACHE := $(shell . scripts/lib.sh && echo $$CACHE)
TOOLS := $(CACHE)/tools
LINUX := $(CACHE)/linux
BPFTOOL := $(TOOLS)/bin/bpftool

CC ?= cc
CLANG ?= clang
AR ?= ar
CFLAGS ?= -O2 -g
WARN := -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes -Wstrict-prototypes \
	-Werror=implicit-function-declaration -Werror=implicit-int -Werror=incompatible-pointer-types \
	-Werror=return-type -Wshadow -Wpointer-arith
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(WARN) -MMD -MP \
	-I include -I user -I $(TOOLS)/include $(FUSE_CFLAGS) $(CFLAGS)
FUSE_CFLAGS = $(shell pkg-config --cflags fuse3)
FUSE_LIBS = $(shell pkg-config --libs fuse3)
BPF_LIBS = $(TOOLS)/lib/libbpf.a -lelf -lz
LDLIBS_ALL = $(BPF_LIBS) $(FUSE_LIBS) -lpthread

##@ The two commands
.PHONY: demo check
demo: | setup ## from nothing to the demonstration: set-up, builds, VM
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)VM_NAME=demo VM_TIMEOUT=$${VM_TIMEOUT:-1200} tests/vmtest.sh $(CACHE)/out-fast/vmlinux tests/vm/demo.sh

check: | setup ## all tests; ends with "N passed, N failed, N skipped"
	$(Q)$(MAKE) --no-print-directory kernel kernel-debug tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)scripts/check.sh host series vmlinux vm vm-base vm-debug-short

##@ Tests, one by one
.PHONY: check-host check-vm check-workload check-debug check-kmemleak soak series-verify series-check
check-host: | bpf user tests ## what needs no VM
	$(Q)scripts/check.sh host

check-vm: | kernel bpf user tests ## the VM suite on the fast kernel
	$(Q)scripts/check.sh vm vm-base

check-workload: | kernel bpf user tests ## programs that write, and large trees, at full size
	$(Q)scripts/check.sh workload

check-debug: | kernel-debug bpf user tests ## the whole VM suite on the debugging kernel, then kmemleak
	$(Q)scripts/check.sh vm-debug kmemleak

check-kmemleak: | kernel-debug bpf user tests ## only the kmemleak pass
	$(Q)scripts/check.sh kmemleak

soak: | kernel kernel-debug bpf user tests ## random operations on mount and native tree, for hours
	$(Q)scripts/check.sh soak

series-verify: | kernel-tree ## does the series apply to the base and equal the tree's own export?
	$(Q)scripts/series.sh verify

series-check: | kernel-tree ## checkpatch, build and sparse, patch by patch
	$(Q)scripts/series-check.sh

##@ Measurements
.PHONY: bench bench-quick
bench: | setup ## instructions per operation, memory, whole jobs: about half an hour
	$(Q)scripts/setup-packages.sh bench
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)scripts/bench.sh

bench-quick: | setup ## the same with one round and less of it, for development
	$(Q)scripts/setup-packages.sh bench
	$(Q)$(MAKE) --no-print-directory kernel tools
	$(Q)$(MAKE) --no-print-directory bpf user tests
	$(Q)scripts/bench.sh quick systems hook memory

##@ Steps
.PHONY: setup kernel-tree series-export kernel kernel-debug tools vmlinux-h bpf user tests
setup: ## install Debian packages (SKIP_PACKAGES=1: do not)
	$(Q)scripts/setup-packages.sh

kernel-tree: | setup ## fetch the kernel source and apply the series
	$(Q)scripts/fetch-kernel.sh
	$(Q)scripts/series.sh apply

series-export: ## write the tree's branch `series` to kernel/patches/
	$(Q)scripts/series.sh export

kernel: | kernel-tree ## the fast kernel
	$(Q)scripts/build-kernel.sh fast

kernel-debug: | kernel ## the debugging kernel
	$(Q)scripts/build-kernel.sh debug

tools: | kernel ## libbpf and bpftool from the kernel's own tools/
	$(Q)scripts/build-tools.sh

vmlinux-h: | tools ## kernel types for bpf/, from the built kernel
	$(Q)scripts/gen-vmlinux-h.sh

# BPF policies. vmlinux.h is kept in the checkout; `make check` tells when it is old.
BPF_OBJS := $(patsubst bpf/%.bpf.c,$(B)/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
bpf: $(BPF_OBJS) ## the policies: build/bpf/*.bpf.o

$(B)/bpf/%.bpf.o: bpf/%.bpf.c | $(B)/bpf $(TOOLS)/include/bpf
	$(call show,BPF,$@)$(CLANG) -O2 -g -target bpf -mcpu=v3 -Wall -Wno-unused-function \
		-MMD -MP -I include -I . -I $(TOOLS)/include -c $< -o $@

# What the library, the command and the test programs are made of is in the Makefile.inc
# of their directories.
USER_SRCS := $(wildcard user/*.c)
LIB_SRCS ?= $(wildcard user/lib*.c user/loader*.c)
BIN_SRCS ?= $(filter-out $(LIB_SRCS),$(USER_SRCS))
-include user/Makefile.inc
-include tests/Makefile.inc

LIB_OBJS = $(LIB_SRCS:%.c=$(B)/obj/%.o)
BIN_OBJS = $(BIN_SRCS:%.c=$(B)/obj/%.o)
SONAME := libfusepass.so.0
USER_OUT := $(if $(USER_SRCS),$(B)/bin/fusepass $(B)/lib/libfusepass.a $(B)/lib/libfusepass.so $(B)/lib/pkgconfig/libfusepass.pc)
user: $(USER_OUT) $(USER_EXTRA) ## the fusepass command and libfusepass

tests: $(TEST_PROGS) ## test programs

$(B)/obj/%.o: %.c | $(TOOLS)/include/bpf
	@mkdir -p $(@D)
	$(call show,CC,$@)$(CC) $(ALL_CFLAGS) -fPIC $(CFLAGS_$(*F)) -c $< -o $@

$(B)/lib/libfusepass.a: $(LIB_OBJS) | $(B)/lib
	$(call show,AR,$@)rm -f $@; $(AR) rcsD $@ $^

$(B)/lib/libfusepass.so: $(LIB_OBJS) | $(B)/lib
	$(call show,LD,$@)$(CC) -shared -Wl,-soname,$(SONAME) -Wl,--exclude-libs,ALL $(LDFLAGS) -o $@ $^ $(LIB_LDFLAGS) $(BPF_LIBS)
	$(Q)ln -sf libfusepass.so $(B)/lib/$(SONAME)

# Static into the command: it must run from build/ and from anywhere else.
$(B)/bin/fusepass: $(BIN_OBJS) $(B)/lib/libfusepass.a | $(B)/bin
	$(call show,LD,$@)$(CC) $(LDFLAGS) -o $@ $(BIN_OBJS) $(B)/lib/libfusepass.a $(LDLIBS_ALL)

$(B)/lib/pkgconfig/libfusepass.pc: Makefile | $(B)/lib/pkgconfig
	$(Q)printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' \
		'Name: libfusepass' 'Description: kernel policies for FUSE mounts' 'Version: 0.1' \
		'Libs: -L$${libdir} -lfusepass' 'Libs.private: -lbpf -lelf -lz' \
		'Cflags: -I$${includedir}' >$@

$(B)/bin $(B)/lib $(B)/bpf $(B)/lib/pkgconfig:
	$(Q)mkdir -p $@

$(TOOLS)/include/bpf:
	$(Q)$(MAKE) --no-print-directory tools

-include $(shell [ ! -d $(B) ] || find $(B) -name '*.d')

##@ Install
.PHONY: install uninstall clean distclean help
MAN_PAGES = $(wildcard man/*.[1-8])
define INSTALLED
bin/fusepass lib/libfusepass.a lib/$(SONAME) lib/libfusepass.so lib/pkgconfig/libfusepass.pc \
$(patsubst %,include/%,$(notdir $(wildcard include/*.h))) \
$(patsubst %,lib/fusepass/%,$(notdir $(BPF_OBJS))) \
$(foreach m,$(MAN_PAGES),share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m))) \
$(patsubst %,share/bash-completion/completions/%,$(notdir $(wildcard bash-completion/*)))
endef

install: | bpf user ## install below $(DESTDIR)$(PREFIX)
	$(Q)install -D -m 755 $(B)/bin/fusepass '$(DESTDIR)$(PREFIX)/bin/fusepass'
	$(Q)install -D -m 644 $(B)/lib/libfusepass.a '$(DESTDIR)$(PREFIX)/lib/libfusepass.a'
	$(Q)install -D -m 755 $(B)/lib/libfusepass.so '$(DESTDIR)$(PREFIX)/lib/$(SONAME)'
	$(Q)ln -sf $(SONAME) '$(DESTDIR)$(PREFIX)/lib/libfusepass.so'
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/lib/pkgconfig' $(B)/lib/pkgconfig/libfusepass.pc
	$(Q)sed -i 's|^prefix=.*|prefix=$(PREFIX)|' '$(DESTDIR)$(PREFIX)/lib/pkgconfig/libfusepass.pc'
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/include' $(wildcard include/*.h)
	$(Q)install -D -m 644 -t '$(DESTDIR)$(PREFIX)/lib/fusepass' $(BPF_OBJS)
	$(Q)for m in $(MAN_PAGES); do install -D -m 644 -t "$(DESTDIR)$(PREFIX)/share/man/man$${m##*.}" "$$m"; done
	$(Q)for c in $(wildcard bash-completion/*); do install -D -m 644 -t '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' "$$c"; done

uninstall: ## remove what install put there
	$(Q)for f in $(INSTALLED); do rm -f "$(DESTDIR)$(PREFIX)/$$f"; done
	$(Q)rmdir --ignore-fail-on-non-empty '$(DESTDIR)$(PREFIX)/lib/fusepass' 2>/dev/null || true

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
		'  JOBS=N          parallel jobs of the kernel build' \
		'  VM_ACCEL=tcg    kvm or tcg instead of finding out' \
		'  SOAK_EXT4=N, SOAK_OTHER=N, SOAK_PROCS=N, SEED=N   operations of make soak, and how they begin'
