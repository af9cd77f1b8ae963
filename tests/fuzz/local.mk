# SPDX-License-Identifier: Apache-2.0
# Fuzzing: every target once more by the ordinary compiler, for `make check`; and for libFuzzer, which tests/fuzz/run builds with clang.
FUZZ_SOURCES = \
	tests/fuzz/fuzz_aadsts.c \
	tests/fuzz/fuzz_arguments.c \
	tests/fuzz/fuzz_certificate.c \
	tests/fuzz/fuzz_challenge.c \
	tests/fuzz/fuzz_clock.c \
	tests/fuzz/fuzz_confline.c \
	tests/fuzz/fuzz_cookie.c \
	tests/fuzz/fuzz_cursor.c \
	tests/fuzz/fuzz_federated.c \
	tests/fuzz/fuzz_filter.c \
	tests/fuzz/fuzz_form.c \
	tests/fuzz/fuzz_graph.c \
	tests/fuzz/fuzz_headers.c \
	tests/fuzz/fuzz_idtoken.c \
	tests/fuzz/fuzz_json.c \
	tests/fuzz/fuzz_jwks.c \
	tests/fuzz/fuzz_jwt.c \
	tests/fuzz/fuzz_keyring.c \
	tests/fuzz/fuzz_metadata.c \
	tests/fuzz/fuzz_patch.c \
	tests/fuzz/fuzz_path.c \
	tests/fuzz/fuzz_query.c \
	tests/fuzz/fuzz_record.c \
	tests/fuzz/fuzz_resource.c \
	tests/fuzz/fuzz_row.c \
	tests/fuzz/fuzz_scimrow.c \
	tests/fuzz/fuzz_scrub.c \
	tests/fuzz/fuzz_seal.c \
	tests/fuzz/fuzz_secret.c \
	tests/fuzz/fuzz_state.c \
	tests/fuzz/fuzz_target.c \
	tests/fuzz/fuzz_template.c \
	tests/fuzz/fuzz_text.c \
	tests/fuzz/fuzz_token.c

# A form's target stands between the code and the database.
FUZZ_WRAP = -Wl,--wrap=sso_posts_add,--wrap=sso_posts_take

tests_fuzz_replay_SOURCES = tests/fuzz/replay.c tests/fuzz/support.c tests/fuzz/pool.c tests/fuzz/fuzz.h tests/fuzz/site.h \
	tests/fuzz/targets.def $(FUZZ_SOURCES)
tests_fuzz_replay_CPPFLAGS = $(AM_CPPFLAGS) $(HTTPD_CPPFLAGS) -DFUZZ_REPLAY
tests_fuzz_replay_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_WRAP)
# Of httpd's half only what needs no httpd is taken out of the archive.
tests_fuzz_replay_LDADD = libentra_httpd.la libentra_command.la libentra.la

if HAVE_CMOCKA
check_PROGRAMS += tests/fuzz/replay
TESTS += tests/fuzz/replay
endif

# tests/fuzz/fuzz_<subject> of each; in a build by clang with --enable-sanitizers=fuzzer-no-link,... alone.
FUZZ_COMPILE = $(CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(HTTPD_CPPFLAGS) $(CPPFLAGS) $(AM_CFLAGS) $(CFLAGS)
FUZZ_LINK = $(LIBTOOL) $(AM_V_lt) --tag=CC --mode=link $(CC) $(AM_CFLAGS) $(CFLAGS) $(AM_LDFLAGS) $(LDFLAGS) -fsanitize=fuzzer
fuzzers: libentra.la libentra_httpd.la libentra_command.la
	@mkdir -p tests/fuzz
	@for name in pool support $(FUZZ_SOURCES:tests/fuzz/%.c=%); do \
		source=$(srcdir)/tests/fuzz/$$name.c; \
		$(FUZZ_COMPILE) -c -o tests/fuzz/$$name.o $$source || exit 1; \
		case $$name in pool|support) continue ;; fuzz_form) wrap='$(FUZZ_WRAP)' ;; *) wrap= ;; esac; \
		$(FUZZ_LINK) $$wrap -o tests/fuzz/$$name tests/fuzz/$$name.o tests/fuzz/pool.o tests/fuzz/support.o \
			libentra_httpd.la libentra_command.la libentra.la || exit 1; \
	done

# FUZZ_SECONDS=60 of each, FUZZ_TARGETS="jwt filter" of these.
fuzz:
	$(srcdir)/tests/fuzz/run
.PHONY: fuzz fuzzers
