# The front door: `make help`. CMakeLists.txt is the build.

BUILD   ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
# Where the configuration is.
SYSCONFDIR ?= /etc
JOBS    ?= $(shell nproc)
# Tests at a time: most of them wait.
TEST_JOBS ?= $(shell expr 4 '*' $$(nproc))
CMAKE_FLAGS ?=

# What `make install` puts where; uninstall removes the same.
SBIN := l4lb l4lbctl
LIBEXEC := l4lb-api
BIN  := chat_serv chat_clnt
MAN  := $(wildcard docs/*.[158] docs/man/*.[158])
# In folders as here, so that their links lead somewhere.
DOCS := $(wildcard README.md LICENSE docs/*.md docs/*.png docs/bench/*.md iptables/*.md)
UNITS := l4lb.service l4lb@.service
GUARD := $(wildcard iptables/*.sh)

sbindir := $(DESTDIR)$(PREFIX)/sbin
# What only l4lb starts: that is where it looks, from its own folder.
libexecdir := $(DESTDIR)$(PREFIX)/libexec/l4lb
bindir  := $(DESTDIR)$(PREFIX)/bin
mandir  := $(DESTDIR)$(PREFIX)/share/man
docdir  := $(DESTDIR)$(PREFIX)/share/doc/l4lb
datadir := $(DESTDIR)$(PREFIX)/share/l4lb
confdir := $(DESTDIR)$(SYSCONFDIR)/l4lb
unitdir := $(DESTDIR)$(PREFIX)/lib/systemd/system
sysusersdir := $(DESTDIR)$(PREFIX)/lib/sysusers.d
tmpfilesdir := $(DESTDIR)$(PREFIX)/lib/tmpfiles.d
completiondir := $(DESTDIR)$(PREFIX)/share/bash-completion/completions

# What the demo and the lab need.
LAB_TARGETS := l4lb l4lb-api l4lbctl chat_serv chat_clnt sniff

# Sources of ours, as git knows them, and new ones.
ours = $(shell git ls-files -co --exclude-standard -- $(1))

.PHONY: all build deps test test-many sanitize demo cluster cluster-status cluster-down lab \
	check-style check-layers tidy install uninstall fuzz clean help
.DEFAULT_GOAL := all

# The programs. What tests need is built by make test, and by make build.
all:
	@$(MAKE) --no-print-directory build TARGETS='$(SBIN) $(LIBEXEC) $(BIN)'

build: $(BUILD)/CMakeCache.txt
	@env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL cmake --build $(BUILD) -j$(JOBS) \
		$(if $(TARGETS),--target $(TARGETS))

$(BUILD)/CMakeCache.txt:
	@cmake -S . -B $(BUILD) $(CMAKE_FLAGS)

deps:
	@tests/deps.sh build test fuzz

# deps before build also under -j: the build may need what deps installs.
test:
	@tests/deps.sh build test fuzz
	@$(MAKE) --no-print-directory build
	@ctest --test-dir $(BUILD) --output-on-failure -j$(TEST_JOBS) $(CTEST_FLAGS)

# One line a run, beside programs that spin: what fails now and then, fails here.
RUNS ?= 20
test-many:
	@BUILD=$(BUILD) tests/many.sh $(RUNS) $(CTEST_FLAGS)

# The chat's tests, in a build of its own for each: ON is AddressSanitizer and
# UBSan, thread is ThreadSanitizer.
SANITIZE ?= ON thread
sanitize:
	@tests/deps.sh build test
	@for how in $(SANITIZE); do \
		dir=$(BUILD)/sanitize-$$how; \
		$(MAKE) --no-print-directory build BUILD=$$dir \
			CMAKE_FLAGS='$(CMAKE_FLAGS)'" -DL4LB_SANITIZE=$$how" \
			TARGETS='$(SBIN) $(BIN) chat-bus_probe' && \
		ctest --test-dir $$dir --output-on-failure -L chat \
			-E chat/memcheck $(CTEST_FLAGS) || exit; \
	done

demo:
	@tests/deps.sh build demo
	@$(MAKE) --no-print-directory build TARGETS='$(LAB_TARGETS)'
	@L4LB_BUILD=$(abspath $(BUILD)) tests/lab/demo.sh

# The chat as a service; its script says the rest.
cluster:
	@tests/deps.sh build
	@$(MAKE) --no-print-directory build TARGETS='$(SBIN) $(BIN)'
	@BUILD=$(abspath $(BUILD)) backend-chat/cluster.sh up $(CLUSTER_FLAGS)

cluster-status:
	@BUILD=$(abspath $(BUILD)) backend-chat/cluster.sh status

cluster-down:
	@BUILD=$(abspath $(BUILD)) backend-chat/cluster.sh down

lab:
	@tests/deps.sh build demo
	@$(MAKE) --no-print-directory build TARGETS='$(LAB_TARGETS)'
	@L4LB_BUILD=$(abspath $(BUILD)) tests/lab/shell.sh

check-style:
	@tests/deps.sh style
	clang-format --dry-run -Werror $(call ours,'*.c' '*.h')
	shellcheck $(call ours,'*.sh' .ci/run tests/lab/run)
	$(if $(MAN),mandoc -T lint -W warning $(MAN))

# No circle in lb/core, and no layer includes one above it.
check-layers:
	@tests/deps.sh build
	@$(MAKE) --no-print-directory build TARGETS=l4lb_core
	@/usr/bin/python3 tests/layers/layers.py lb $(BUILD)/lb/libl4lb_core.a

# Minutes, not seconds: apart from check-style.
tidy:
	@tests/deps.sh build test style
	@$(MAKE) --no-print-directory $(BUILD)/CMakeCache.txt
	clang-tidy --quiet -p $(BUILD) $(call ours,'lb/*.c' '*-chat/*.c')

install:
	@$(MAKE) --no-print-directory build TARGETS='$(SBIN) $(LIBEXEC) $(BIN)'
	install -d $(sbindir) $(libexecdir) $(bindir) $(docdir) $(datadir) $(confdir) \
		$(unitdir) $(sysusersdir) $(tmpfilesdir) $(completiondir)
	install -m 755 $(SBIN:%=$(BUILD)/%) $(sbindir)
	install -m 755 $(LIBEXEC:%=$(BUILD)/%) $(libexecdir)
	install -m 755 $(BIN:%=$(BUILD)/%) $(bindir)
	$(foreach doc,$(DOCS),install -D -m 644 $(doc) $(docdir)/$(doc) &&) true
	install -d $(datadir)/iptables
	install -m 755 $(GUARD) $(datadir)/iptables
	install -m 644 iptables/README.md $(datadir)/iptables
	$(foreach page,$(MAN),install -D -m 644 $(page) \
		$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)) &&) true
	install -m 644 lb/service/l4lb.conf $(datadir)/l4lb.conf.example
	test -e $(confdir)/l4lb.conf || \
		install -m 644 lb/service/l4lb.conf $(confdir)/l4lb.conf
	$(foreach unit,$(UNITS),lb/service/unit.sh $(unit) $(PREFIX)/sbin \
		$(SYSCONFDIR) >$(unitdir)/$(unit) && \
		chmod 644 $(unitdir)/$(unit) &&) true
	install -m 644 lb/service/l4lb.sysusers $(sysusersdir)/l4lb.conf
	install -m 644 lb/service/l4lb.tmpfiles $(tmpfilesdir)/l4lb.conf
	install -m 644 lb/ctl/l4lbctl.bash $(completiondir)/l4lbctl
	$(if $(DESTDIR),,lb/service/registered.sh $(sysusersdir)/l4lb.conf \
		$(tmpfilesdir)/l4lb.conf)

# The configuration and the user stay.
uninstall:
	rm -f $(SBIN:%=$(sbindir)/%) $(BIN:%=$(bindir)/%)
	rm -f $(foreach page,$(MAN),\
		$(mandir)/man$(subst .,,$(suffix $(page)))/$(notdir $(page)))
	rm -f $(UNITS:%=$(unitdir)/%) $(sysusersdir)/l4lb.conf $(tmpfilesdir)/l4lb.conf
	rm -f $(LIBEXEC:%=$(libexecdir)/%)
	rm -f $(completiondir)/l4lbctl
	rm -rf $(docdir) $(datadir)

-include tests/sim/sim.mk tests/bench/bench.mk

SECONDS_EACH ?= 60
fuzz:
	@tests/deps.sh build test fuzz
	@tests/fuzz/run.sh build $(BUILD)/fuzzing
	@for t in chat command config engine hook http icmp linecmd plan resp state \
		state_file ws wsjson; do \
		tests/fuzz/run.sh $$t $(SECONDS_EACH) $(BUILD)/fuzzing || exit; \
	done

clean:
	rm -rf $(BUILD)

help:
	@echo 'make              build the programs into $(BUILD)/ (BUILD=DIR for elsewhere)'
	@echo 'make deps         install what is missing to build and test (apt-get)'
	@echo 'make demo         see it work: three chat servers, l4lb, people who talk'
	@echo 'make cluster      the chat as a service: Redis, three servers, a page; runs until'
	@echo '                  make cluster-down; make cluster-status'
	@echo 'make test         build, then run every test'
	@echo 'make test-many    that RUNS=$(RUNS) times, on a busy machine'
	@echo 'make sanitize     the chat tests with ASan and UBSan, then with TSan'
	@echo 'make lab          a network to play in: a shell on every host'
	@echo 'make install      into PREFIX=$(PREFIX) (DESTDIR= to stage); make uninstall'
	@echo 'make check-style  formatting, shell scripts, man pages; make tidy: clang-tidy'
	@echo 'make check-layers  who may include and call whom (docs/design.md section 3)'
	@echo 'make fuzz         each fuzz target for SECONDS_EACH=$(SECONDS_EACH) seconds'
	@echo 'make sim          the simulator: SEEDS=N'
	@echo 'make bench        beside the rivals (make deps-bench installs them); bench-quick'
	@echo 'make clean        remove $(BUILD)/'
	@echo
	@echo 'demo, test and lab need no root where user namespaces are allowed.'
	@echo 'Some tests only: make test CTEST_FLAGS="-R NAME"; list: ctest --test-dir $(BUILD) -N'
