# certauth: one Makefile. `make help` says what there is.
#
# Objects live in build/<flavour>/; `make` leaves the release products in build/.
# Flavours: release, test (-DCERTAUTH_TEST: fixed times for cases), asan, tsan,
# clang. `make FLAVOUR=asan quick` runs the same tests in another one.

SHELL    := /bin/bash
FLAVOUR  ?= release
B        := build/$(FLAVOUR)
comma    := ,
VERSION  := 0.1.0

# ------------------------------------------------------------------- flavours
CC_release = gcc
CC_test    = gcc
CC_clang   = clang
CC_asan    = clang
CC_tsan    = clang
CC_fuzz    = clang
CC        := $(CC_$(FLAVOUR))
FLAGS_release =
FLAGS_test    = -DCERTAUTH_TEST
FLAGS_clang   = -DCERTAUTH_TEST
FLAGS_asan    = -DCERTAUTH_TEST -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    = -DCERTAUTH_TEST -fsanitize=thread
FLAGS_fuzz    = -DCERTAUTH_TEST -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS        := $(FLAGS_$(FLAVOUR))
FORTIFY      := $(if $(filter asan tsan fuzz,$(FLAVOUR)),,-D_FORTIFY_SOURCE=2)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wconversion -Wvla -Wformat=2 -Werror
CFLAGS  ?= -O2 -g
CORE_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) -fPIC -fvisibility=hidden -fstack-protector-strong \
	$(FORTIFY) $(FLAGS) -DCERTAUTH_VERSION='"$(VERSION)"' -Ishared -MMD -MP
LDFLAGS += -Wl,-z,relro,-z,now
LIBS     = $(shell pkg-config --libs libcrypto libconfig libpcre2-8 jansson libidn2) -lunistring -lpthread

# ------------------------------------------------------------------- sources
CORE := $(patsubst shared/%,%,$(wildcard shared/*.c shared/*/*.c))
CORE_O  := $(CORE:%.c=$(B)/shared/%.o)
CMD     := main.c terminal.c columns.c progress.c args.c ask_refresher.c commands.c json.c log_lines.c cmd_verify.c complete.c cmd_explain_id.c cmd_check.c doctor.c doctor_conf.c doctor_run.c doctor_nginx.c doctor_apache.c doctor_dovecot.c cmd_compile.c cmd_show.c cmd_publish.c \
	cmd_state.c cmd_deny.c cmd_map.c cmd_map_explain.c cmd_enroll.c cmd_forecast.c cmd_table.c check_running.c module_stamp.c \
	cmd_pool.c cmd_pool_setup.c cmd_pool_fetch.c cmd_pool_accept.c
# certauth apply
CMD     += cmd_apply.c cmd_diff.c certificates.c
# certauth check, init
CMD     += cmd_init.c init_servers.c connect.c connect_link.c connect_talk.c connect_mean.c waiting.c
CMD_O   := $(CMD:%.c=$(B)/modules/command/%.o)
UNIT    := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*/test_*.c))

# --------------------------------------------------------------------- rules
.PHONY: all help deps lib command refresher nginx apache dovecot unit quick check clean
.DELETE_ON_ERROR:
all: command refresher nginx apache dovecot
ifeq ($(FLAVOUR),release)
	@for f in certauth certauth-refresher ngx_http_certauth_module.so mod_certauth.so lib50_certauth_plugin.so; do \
		if [ -e $(B)/$$f ]; then ln -sf release/$$f build/$$f; fi; done
endif

lib: $(B)/libcertauth.a
$(B)/libcertauth.a: $(CORE_O)
	@rm -f $@; ar rcs $@ $^
$(B)/shared/%.o: shared/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) $(CORE_CFLAGS) -c -o $@ $<

command: $(B)/certauth
$(B)/modules/command/cmd_pool_setup.o: CORE_CFLAGS += -DCERTAUTH_SHARE='"$(PREFIX)/share/certauth"'
$(B)/modules/command/%.o: modules/command/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) $(CORE_CFLAGS) -c -o $@ $<
$(B)/certauth: $(CMD_O) $(B)/libcertauth.a
	$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ -lssl $(LIBS)

# -------------------------------------------------------------- refresher
# The only part that links libcurl; libsystemd when its header is there.
REFRESHER   := main.c refresh.c schedule.c fetch.c fetch_url.c fetch_body.c fetch_ldap.c address.c store.c store_memory.c \
	get.c publish.c serve.c inquire.c issuer.c hosts.c kept.c known.c \
	tell.c status.c metrics.c notify.c log.c
# With OpenLDAP's header (Debian: libldap-dev) --directory, too.
ifneq ($(wildcard /usr/include/ldap.h),)
REFRESHER   += directory.c directory_conf.c directory_search.c
endif
REFRESHER_O := $(REFRESHER:%.c=$(B)/modules/refresher/%.o)
# Without curl's headers these can be tested all the same.
REFRESHER_PURE_O := $(patsubst %,$(B)/modules/refresher/%.o,schedule address fetch_ldap)
HAVE_CURL    := $(shell pkg-config --exists libcurl 2>/dev/null && echo yes)
HAVE_LDAP    := $(wildcard /usr/include/ldap.h)
HAVE_SYSTEMD := $(shell pkg-config --exists libsystemd 2>/dev/null && echo yes)
ifeq ($(HAVE_CURL),yes)
refresher: $(B)/certauth-refresher
else
refresher:
	@echo "skipped: certauth-refresher: no libcurl headers (Debian: libcurl4-openssl-dev)"
endif
$(B)/modules/refresher/%.o: modules/refresher/%.c
	@mkdir -p $(@D)
	@echo "  CC $<"; $(CC) $(CFLAGS) $(CORE_CFLAGS) $(if $(HAVE_SYSTEMD),-DHAVE_LIBSYSTEMD) $(if $(HAVE_LDAP),-DHAVE_LDAP) -c -o $@ $<
$(B)/certauth-refresher: $(REFRESHER_O) $(B)/libcertauth.a
	$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $$(pkg-config --libs libcurl $(if $(HAVE_SYSTEMD),libsystemd)) $(if $(HAVE_LDAP),-lldap -llber) $(LIBS)

# ------------------------------------------------------------------ nginx
# Built by nginx's own configure, in a folder of links to the sources that
# nginx-dev installs: they are root's, and configure writes where it stands.
NGX_SRC ?= /usr/share/nginx/src
NGX_DIR := $(B)/nginx
NGX_SO  := $(B)/ngx_http_certauth_module.so
# nginx and each module have a ngx_modules: ASan would take theirs for ours.
NGX_FLAGS := $(if $(filter asan,$(FLAVOUR)),-mllvm -asan-globals=0)
ifeq ($(wildcard $(NGX_SRC)/conf_flags),)
nginx:
	@echo "skipped: nginx module: no sources in $(NGX_SRC) (Debian: nginx-dev)"
else ifeq ($(FLAVOUR),tsan)
nginx:
	@echo "skipped: nginx module: nginx has no threads to look at"
else
nginx: $(NGX_SO)
$(NGX_DIR)/objs/Makefile: modules/nginx/config $(NGX_SRC)/conf_flags
	@mkdir -p $(NGX_DIR)
	@ln -sfn $(NGX_SRC)/auto $(NGX_DIR)/auto; ln -sfn $(NGX_SRC)/src $(NGX_DIR)/src
	@root=$$PWD; . $(NGX_SRC)/conf_flags; cd $(NGX_DIR) && \
	CERTAUTH_ROOT=$$root CERTAUTH_LIB=$$root/$(B)/libcertauth.a \
	bash $(NGX_SRC)/configure "$${NGX_CONF_FLAGS[@]}" --with-cc=$(CC) \
		--with-cc-opt="$(CFLAGS) -fPIC -fstack-protector-strong $(FORTIFY) $(FLAGS) $(NGX_FLAGS)" \
		--with-ld-opt="$(filter -fsanitize%,$(FLAGS)) -Wl,-z,relro,-z,now" \
		--add-dynamic-module=$$root/modules/nginx >configure.log 2>&1 || \
		{ tail -20 configure.log; rm -f objs/Makefile; exit 1; }
$(NGX_SO): $(wildcard modules/nginx/*) $(B)/libcertauth.a $(NGX_DIR)/objs/Makefile
	@rm -f $(NGX_DIR)/objs/*.so
	$(MAKE) -C $(NGX_DIR) -f objs/Makefile modules
	@cp --remove-destination $(NGX_DIR)/objs/$(@F) $@
endif

# ----------------------------------------------------------------- apache
# Headers of the host with -isystem: its macros are not up to our warnings. The
# core is inside, hidden; -z nodelete because httpd unloads modules between its
# two readings of the configuration while libcrypto keeps pointers to callbacks.
APXS     := $(firstword $(shell command -v apxs2 apxs 2>/dev/null))
APACHE   := mod_certauth.c mod_certauth_check.c mod_certauth_ssl.c \
	mod_certauth_ask.c mod_certauth_gate.c mod_certauth_authz.c mod_certauth_headers.c \
	mod_certauth_log.c mod_certauth_account.c mod_certauth_status.c
APACHE_O := $(APACHE:%.c=$(B)/modules/apache/%.o)
ifeq ($(APXS),)
apache:
	@echo "skipped: mod_certauth.so (no apxs2; apt-get install apache2-dev)"
else
APACHE_CFLAGS = -isystem $(shell $(APXS) -q INCLUDEDIR) \
	$(patsubst -I%,-isystem %,$(filter-out -I/usr/include,$(sort $(shell \
		apr-config --includes; apu-config --includes)))) \
	$(shell $(APXS) -q EXTRA_CPPFLAGS)
apache: $(B)/mod_certauth.so
$(B)/modules/apache/%.o: modules/apache/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) $(APACHE_CFLAGS) -c -o $@ $<
$(B)/mod_certauth.so: $(APACHE_O) $(B)/libcertauth.a modules/apache/exports.map
	$(CC) $(FLAGS) -shared $(LDFLAGS) -Wl,-z,nodelete -Wl,--version-script=modules/apache/exports.map \
		-o $@ $(APACHE_O) $(B)/libcertauth.a -lssl $(LIBS)
endif

# ---------------------------------------------------------------- dovecot
# The plugin reads structures that change from one release to the next, so the
# headers must be of a version that the code knows (modules/dovecot/*.h).
DOVECOT_INC   ?= /usr/include/dovecot
DOVECOT_KNOWN := 2.3.19.1 2.4.1-4
DOVECOT_HAVE  := $(shell sed -n 's/^.define DOVECOT_VERSION "\(.*\)"/\1/p' $(DOVECOT_INC)/config.h 2>/dev/null)
DOVECOT_O     := $(patsubst %,$(B)/modules/dovecot/certauth_login_%.o,ask hold output plugin sasl session smtp ssl $(if $(filter 2.3.%,$(DOVECOT_HAVE)),23 sieve,24))
DOVECOT_CFLAGS = -std=gnu17 $(filter-out -Wpedantic,$(WARN)) -fPIC -fvisibility=hidden -fstack-protector-strong \
	$(FORTIFY) $(FLAGS) -DHAVE_CONFIG_H -isystem $(DOVECOT_INC) -Ishared -MMD -MP
DOVECOT_SKIP  := $(if $(DOVECOT_HAVE),$(if $(filter $(DOVECOT_KNOWN),$(DOVECOT_HAVE)),,Dovecot $(DOVECOT_HAVE) is not one this code knows ($(DOVECOT_KNOWN))),no dovecot-dev)
DOVECOT_SKIP  := $(if $(filter asan tsan,$(FLAVOUR)),a sanitizer cannot be loaded into a login process,$(DOVECOT_SKIP))

ifeq ($(DOVECOT_SKIP),)
dovecot: $(B)/lib50_certauth_plugin.so
else
dovecot:
	@echo "skipped: dovecot: $(DOVECOT_SKIP)"
endif
$(B)/modules/dovecot/%.o: modules/dovecot/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(DOVECOT_CFLAGS) -c -o $@ $<
$(B)/lib50_certauth_plugin.so: $(DOVECOT_O) $(B)/libcertauth.a modules/dovecot/certauth_login.map
	$(CC) -shared $(FLAGS) $(LDFLAGS) -Wl,--version-script=modules/dovecot/certauth_login.map -o $@ $(filter %.o %.a,$^) -lssl $(LIBS)

# ------------------------------------------------------------------- tests
comma := ,
unit: $(UNIT:%=$(B)/unit/%)
$(B)/unit/%: tests/unit/%.c $(B)/libcertauth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -Itests/unit -o $@ $< $(B)/libcertauth.a $(LDFLAGS) $(LIBS) -lcmocka
# OpenSSL's word is taken from us: see there.
$(B)/unit/revocation/test_forced: LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,X509_verify EVP_DigestVerify \
	EVP_DigestVerifyInit EVP_PKEY_verify EVP_PKEY_verify_init EVP_Digest)
$(patsubst %,$(B)/unit/%,$(filter refresher/%,$(UNIT))): $(B)/unit/refresher/%: tests/unit/refresher/%.c $(REFRESHER_PURE_O)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -Imodules/refresher -o $@ $< $(REFRESHER_PURE_O) $(LDFLAGS) -lcrypto -lcmocka

# A file can be replaced while it is read.
$(B)/unit/base/test_file: LDFLAGS += -Wl,--wrap=read
# Its allocations can be made to fail.
$(B)/unit/engine/test_memory: LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,malloc calloc realloc reallocarray \
	aligned_alloc strdup strndup)
# What OpenSSL answers can be forced.
$(B)/unit/engine/test_codes: LDFLAGS += $(patsubst %,-Wl$(comma)--wrap=%,X509_verify EVP_DigestVerify EVP_PKEY_verify \
	EVP_DigestVerifyInit X509_policy_check)

# Large CRLs for tests and benchmarks (tests/lib/mkcrl.c).
.PHONY: mkcrl
mkcrl: $(B)/mkcrl
$(B)/mkcrl: tests/lib/mkcrl.c tests/unit/revocation/make.h $(B)/libcertauth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(CORE_CFLAGS)) -Itests/unit -o $@ $< \
		$(B)/libcertauth.a $(LDFLAGS) $(LIBS)

# The core's runner of tests/cases; `make FLAVOUR=test cases` runs core and command.
.PHONY: runners cases
runners: $(B)/run_cases
$(B)/run_cases: tests/run_cases.c tests/case_file.c tests/case_file.h $(B)/libcertauth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(CORE_CFLAGS)) -o $@ tests/run_cases.c \
		tests/case_file.c $(B)/libcertauth.a $(LDFLAGS) $(LIBS)
cases: runners command
	$(B)/run_cases
	FLAVOUR=$(FLAVOUR) tests/run_cases.py

# ------------------------------------------------- fuzz, deps, docs, promises
FUZZ := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
.PHONY: fuzz fuzz-build fuzz-all docs man demo play unplay asan tsan install

fuzz-build: $(FUZZ:%=$(B)/fuzz/%)
$(B)/fuzz/%: tests/fuzz/fuzz_%.c $(B)/libcertauth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -Itests -fsanitize=fuzzer -o $@ $< $(B)/libcertauth.a $(LDFLAGS) $(LIBS)

$(B)/fuzz/log_lines: modules/command/log_lines.c

# make fuzz T=crl: one fuzzer, one minute (SECONDS_EACH=60); fuzz-all: each.
SECONDS_EACH ?= 60
fuzz:
	@test -n "$(T)" || { echo "make fuzz T=NAME, one of: $(FUZZ)"; exit 2; }
	@tests/fuzz/run $(SECONDS_EACH) $(T)
fuzz-all:
	@tests/fuzz/run $(SECONDS_EACH) $(FUZZ)

# ------------------------------------------------------------------- bench
# make bench: all of tests/bench/run; make bench T=core: one part; its options in
# BENCH=--markdown. Beside each figure stands the stock thing of the same run.
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(wildcard tests/bench/bench_*.c)) \
	$(B)/bench/hsload
.PHONY: bench bench-build
bench-build: $(BENCH_BIN) $(B)/mkcrl
$(BENCH_BIN): $(B)/bench/%: tests/bench/%.c tests/bench/bench.c tests/bench/bench.h $(B)/libcertauth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(filter-out -MMD -MP,$(CORE_CFLAGS)) -o $@ $< tests/bench/bench.c \
		$(B)/libcertauth.a $(LDFLAGS) -lssl $(LIBS)
bench: bench-build nginx apache dovecot
	@FLAVOUR=$(FLAVOUR) tests/bench/run $(BENCH) $(T)

# What is missing on this machine, from Debian; see tests/packages.
deps:
	@tests/deps check

# The pages made from shared/*.def; `make check` fails when they are stale.
docs:
	@docs/generate
MAN := $(patsubst docs/man/%.scd,%,$(wildcard docs/man/*.scd))
man: $(MAN:%=build/man/%)
build/man/%: docs/man/%.scd
	@mkdir -p $(@D)
	scdoc < $< > $@

BUILD_QUIETLY = mkdir -p build; echo "building ..."; \
	$(MAKE) --no-print-directory -j$$(nproc) FLAVOUR=release all >build/make.log 2>&1 || \
	{ cat build/make.log; exit 1; }
demo:
	@tests/deps demo
	@$(BUILD_QUIETLY)
	@tests/demo/demo run
play:
	@tests/deps demo
	@$(BUILD_QUIETLY)
	@tests/demo/demo play
unplay:
	@tests/demo/demo unplay

# The whole promise; PART=... runs one of its parts (tests/check --list).
check: deps
	@tests/check $(PART)
quick:
	@tests/check --flavour $(if $(filter release,$(FLAVOUR)),test,$(FLAVOUR)) unit cases command house
asan tsan:
	@tests/check $@

# The same on Debian 13, in a chroot below build/ (as root).
.PHONY: check-trixie
check-trixie:
	@tests/trixie $(PART)

# Nothing in /etc is touched: docs/install.md says what to switch on. PREFIX goes into
# the units and into what the command looks for; /etc and /var stay where they are.
PREFIX ?= /usr
NGINX_MODULES   ?= $(PREFIX)/lib/nginx/modules
APACHE_MODULES  ?= $(PREFIX)/lib/apache2/modules
DOVECOT_MODULES ?= $(PREFIX)/lib/dovecot/modules/login
UNITS           ?= $(PREFIX)/lib/systemd/system
# What knows PREFIX is compiled again when it changes.
.PHONY: FORCE
$(B)/prefix: FORCE
	@mkdir -p $(@D); echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' >$@
$(B)/modules/command/cmd_pool_setup.o: $(B)/prefix
# $(call unit,NAME...): units, with the folder that the programs are in.
unit_files = @set -e; mkdir -p $(DESTDIR)$(UNITS); for f in $(1); do echo "units: $$f"; \
	sed 's,/usr/bin/certauth,$(PREFIX)/bin/certauth,' conf-examples/$$f >$(DESTDIR)$(UNITS)/$$f; \
	chmod 644 $(DESTDIR)$(UNITS)/$$f; done
install: all
	install -D -m 755 $(B)/certauth $(DESTDIR)$(PREFIX)/bin/certauth
	@for f in ngx_http_certauth_module.so:$(NGINX_MODULES) mod_certauth.so:$(APACHE_MODULES) \
	    lib50_certauth_plugin.so:$(DOVECOT_MODULES); do \
		if [ -e $(B)/$${f%%:*} ]; then \
			set -x; install -D -m 644 $(B)/$${f%%:*} $(DESTDIR)$${f#*:}/$${f%%:*}; \
		else \
			echo "not built, not installed: $${f%%:*}"; \
		fi; \
	done
	@if command -v scdoc >/dev/null; then \
		set -ex; $(MAKE) --no-print-directory man; \
		for m in $(MAN); do install -D -m 644 build/man/$$m $(DESTDIR)$(PREFIX)/share/man/man$${m##*.}/$$m; done; \
	else \
		echo "no scdoc: man pages are not installed"; \
	fi
ifeq ($(HAVE_CURL),yes)
	install -D -m 755 $(B)/certauth-refresher $(DESTDIR)$(PREFIX)/bin/certauth-refresher
	$(call unit_files,certauth-refresher.service certauth-directory@.service certauth-refresh.service certauth-refresh.timer)
else
	@echo "not built, not installed: certauth-refresher"
endif
	$(call unit_files,certauth-compile.service certauth-compile.path)
	install -D -m 644 conf-examples/certauth.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/certauth.conf
	install -D -m 644 conf-examples/certauth.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/certauth.conf
	@for f in $$(cd conf-examples && find personalsign pages metrics -type f); do install -D -m 644 conf-examples/$$f $(DESTDIR)$(PREFIX)/share/certauth/$$f; done
	install -D -m 644 conf-examples/completions/certauth.bash $(DESTDIR)$(PREFIX)/share/bash-completion/completions/certauth
	install -D -m 644 conf-examples/completions/_certauth $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_certauth
	install -D -m 644 conf-examples/completions/certauth.fish $(DESTDIR)$(PREFIX)/share/fish/vendor_completions.d/certauth.fish
	@for f in conf-examples/*.conf; do install -D -m 644 $$f $(DESTDIR)$(PREFIX)/share/doc/certauth/examples/$${f##*/}; done

# --------------------------------------------------------------- packages
# The files that git knows (without git: all that are here), with the date of the last
# commit (of the newest file): the same sources give the same bytes.
.PHONY: dist deb check-deb
DIST       := certauth-$(VERSION)
IN_GIT     := $(wildcard .git)
DIST_FILES  = $(if $(IN_GIT),git ls-files,find . -path ./build -prune -o ! -type d -printf '%P\n')
DIST_DATE   = $(if $(IN_GIT),git log -1 --format=%ct,find . -path ./build -prune -o -type f -printf '%Ts\n' | sort -n | tail -n 1)
dist:
	@mkdir -p build
	@set -e -o pipefail; date=$$($(DIST_DATE)); $(DIST_FILES) | LC_ALL=C sort | \
	tar -c --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX --mtime=@$$date --format=gnu \
		--transform='flags=r;s,^,$(DIST)/,' -T - | gzip -9n >build/$(DIST).tar.gz
	@echo build/$(DIST).tar.gz
deb: dist
	@tests/deps build build-essential debhelper
	@modules/debian/build $(VERSION)
# In a bare Debian of its own, as root: installed, upgraded, removed (tests/deb).
check-deb:
	@tests/deps deb
	@/usr/bin/python3 -B -m pytest -q -p no:cacheprovider -rfEs tests/deb

help:
	@echo 'make                 build/certauth, build/certauth-refresher and the three server modules'
	@echo 'make demo            installs what is missing, builds, real servers, real clients, one table'
	@echo 'make play | unplay   the same, left running, with lines to copy | removed'
	@echo 'make check           installs what is missing, builds, runs every test (PART=name: one part)'
	@echo 'make check-trixie    the same on Debian 13, in a chroot (as root)'
	@echo 'make quick           unit tests, cases, house rules'
	@echo 'make asan | tsan     the tests under sanitizers'
	@echo 'make fuzz T=NAME     one fuzzer for SECONDS_EACH=60; fuzz-all: each of them'
	@echo 'make bench           what it costs, beside the stock servers (T=core: one part)'
	@echo 'make docs | man      the pages made from shared/*.def and the command | manual pages, in build/man'
	@echo 'make install         into DESTDIR= PREFIX=/usr; see docs/install.md'
	@echo 'make dist | deb      a tarball of the sources | Debian packages, in build/deb'
	@echo 'make check-deb       the packages in a bare Debian: installed, upgraded, removed; as root'
	@echo 'make deps | clean'

clean:
	rm -rf build

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
