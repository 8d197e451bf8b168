# certauth: one Makefile. `make help` says what there is.
#
# Objects live in build/<flavour>/; `make` leaves the release products in build/.
# Flavours: release, test (-DCERTAUTH_TEST: fixed times for cases), asan, tsan,
# clang. `make FLAVOUR=asan quick` runs the same tests in another one.

SHELL    := /bin/bash
FLAVOUR  ?= release
B        := build/$(FLAVOUR)
VERSION  := 0.1.0

# ------------------------------------------------------------------- flavours
CC_release = gcc
CC_test    = gcc
CC_clang   = clang
CC_asan    = clang
CC_tsan    = clang
CC        := $(CC_$(FLAVOUR))
FLAGS_release =
FLAGS_test    = -DCERTAUTH_TEST
FLAGS_clang   = -DCERTAUTH_TEST
FLAGS_asan    = -DCERTAUTH_TEST -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
FLAGS_tsan    = -DCERTAUTH_TEST -fsanitize=thread
FLAGS        := $(FLAGS_$(FLAVOUR))
FORTIFY      := $(if $(filter asan tsan,$(FLAVOUR)),,-D_FORTIFY_SOURCE=2)

WARN := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wconversion -Wvla -Wformat=2 -Werror
PKGS := libcrypto libconfig libpcre2-8 jansson libxxhash
CFLAGS  ?= -O2 -g
CORE_CFLAGS = -std=c17 -D_GNU_SOURCE $(WARN) -fPIC -fvisibility=hidden -fstack-protector-strong \
	$(FORTIFY) $(FLAGS) -DCERTAUTH_VERSION='"$(VERSION)"' -Ishared -MMD -MP
LDFLAGS += -Wl,-z,relro,-z,now
LIBS     = $(shell pkg-config --libs libcrypto libconfig libpcre2-8 jansson) -lpthread

# ------------------------------------------------------------------- sources
CORE := certauth.c setup.c compile.c input.c \
	base/arena.c base/text.c base/file.c \
	verdict/verdict.c verdict/reasons.c verdict/explain.c \
	trust/cert.c trust/pool.c trust/path.c trust/validate.c trust/policy.c \
	revocation/crl.c revocation/index_read.c revocation/index_write.c \
	revocation/revocation.c revocation/load.c \
	identity/rules.c identity/template.c identity/table.c identity/denied.c \
	config/read.c config/directives.c config/config.c
CORE_O  := $(CORE:%.c=$(B)/shared/%.o)
CMD     := main.c cmd_verify.c cmd_check.c cmd_compile.c cmd_show.c
CMD_O   := $(CMD:%.c=$(B)/modules/command/%.o)
UNIT    := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/*/test_*.c))

# --------------------------------------------------------------------- rules
.PHONY: all help deps lib command nginx apache dovecot unit quick check clean
.DELETE_ON_ERROR:
all: command nginx apache dovecot
ifeq ($(FLAVOUR),release)
	@for f in certauth ngx_http_certauth_module.so mod_certauth.so lib50_certauth_plugin.so; do \
		if [ -e $(B)/$$f ]; then ln -sf release/$$f build/$$f; fi; done
endif

lib: $(B)/libcertauth.a
$(B)/libcertauth.a: $(CORE_O)
	@rm -f $@; ar rcs $@ $^
$(B)/shared/%.o: shared/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -c -o $@ $<

command: $(B)/certauth
$(B)/modules/command/%.o: modules/command/%.c
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -c -o $@ $<
$(B)/certauth: $(CMD_O) $(B)/libcertauth.a
	$(CC) $(FLAGS) $(LDFLAGS) -o $@ $^ $(LIBS)

# ------------------------------------------------------------------ nginx
nginx: ;

# ----------------------------------------------------------------- apache
apache: ;

# ---------------------------------------------------------------- dovecot
dovecot: ;

# ------------------------------------------------------------------- tests
unit: $(UNIT:%=$(B)/unit/%)
$(B)/unit/%: tests/unit/%.c $(B)/libcertauth.a
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CORE_CFLAGS) -Itests/unit -o $@ $< $(B)/libcertauth.a $(LDFLAGS) $(LIBS) -lcmocka

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
