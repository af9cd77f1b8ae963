# SPDX-License-Identifier: Apache-2.0
# A program for each source file with a subject of its own; `make check` runs them and the guards.
UNIT_TESTS = \
	tests/unit/test_aadsts \
	tests/unit/test_access \
	tests/unit/test_accesstoken \
	tests/unit/test_apitoken \
	tests/unit/test_assertion \
	tests/unit/test_attribute \
	tests/unit/test_audit \
	tests/unit/test_authority \
	tests/unit/test_barred \
	tests/unit/test_bearer \
	tests/unit/test_bulk \
	tests/unit/test_bundle \
	tests/unit/test_bytes \
	tests/unit/test_certificates \
	tests/unit/test_challenge \
	tests/unit/test_change \
	tests/unit/test_changed \
	tests/unit/test_claims \
	tests/unit/test_clock \
	tests/unit/test_cookie \
	tests/unit/test_counters \
	tests/unit/test_credential \
	tests/unit/test_crypto \
	tests/unit/test_cursor \
	tests/unit/test_database \
	tests/unit/test_delta \
	tests/unit/test_description \
	tests/unit/test_diagnosis \
	tests/unit/test_directory \
	tests/unit/test_ended \
	tests/unit/test_ending \
	tests/unit/test_entitle \
	tests/unit/test_entries \
	tests/unit/test_exchange \
	tests/unit/test_exhausted \
	tests/unit/test_exposition \
	tests/unit/test_federated \
	tests/unit/test_federation \
	tests/unit/test_file \
	tests/unit/test_filter \
	tests/unit/test_flight \
	tests/unit/test_fold \
	tests/unit/test_form \
	tests/unit/test_frontchannel \
	tests/unit/test_gate \
	tests/unit/test_graph \
	tests/unit/test_graphcall \
	tests/unit/test_groups \
	tests/unit/test_handoff \
	tests/unit/test_headers \
	tests/unit/test_http \
	tests/unit/test_identity \
	tests/unit/test_idtoken \
	tests/unit/test_json \
	tests/unit/test_jwt \
	tests/unit/test_keep \
	tests/unit/test_kept \
	tests/unit/test_keyring \
	tests/unit/test_keys \
	tests/unit/test_listing \
	tests/unit/test_managed \
	tests/unit/test_match \
	tests/unit/test_meaning \
	tests/unit/test_members \
	tests/unit/test_memo \
	tests/unit/test_metadata \
	tests/unit/test_node \
	tests/unit/test_oauth \
	tests/unit/test_opened \
	tests/unit/test_operation \
	tests/unit/test_patch \
	tests/unit/test_people \
	tests/unit/test_posts \
	tests/unit/test_principal \
	tests/unit/test_probe \
	tests/unit/test_projection \
	tests/unit/test_provision \
	tests/unit/test_purge \
	tests/unit/test_question \
	tests/unit/test_record \
	tests/unit/test_quote \
	tests/unit/test_refresh \
	tests/unit/test_registration \
	tests/unit/test_renew \
	tests/unit/test_renewals \
	tests/unit/test_report \
	tests/unit/test_resource \
	tests/unit/test_result \
	tests/unit/test_rotate \
	tests/unit/test_row \
	tests/unit/test_rows \
	tests/unit/test_schema \
	tests/unit/test_schemas \
	tests/unit/test_scim \
	tests/unit/test_scope \
	tests/unit/test_seal \
	tests/unit/test_secret \
	tests/unit/test_serviceassertion \
	tests/unit/test_session \
	tests/unit/test_sharing \
	tests/unit/test_signin \
	tests/unit/test_signing \
	tests/unit/test_signout \
	tests/unit/test_silent \
	tests/unit/test_source \
	tests/unit/test_state \
	tests/unit/test_stepup \
	tests/unit/test_store \
	tests/unit/test_tally \
	tests/unit/test_survey \
	tests/unit/test_template \
	tests/unit/test_tenantwatch \
	tests/unit/test_token \
	tests/unit/test_touched \
	tests/unit/test_trial \
	tests/unit/test_unwritten \
	tests/unit/test_url \
	tests/unit/test_value \
	tests/unit/test_wanted \
	tests/unit/test_watch \
	tests/unit/test_watchrow

# Of its own, so that a run under a sanitizer or valgrind can leave it out: it looks at the source, not at the program.
GUARDS = tests/guards/run

# Sees every statement of a program over SQLite before it is prepared.
check_LTLIBRARIES = libplans.la
libplans_la_SOURCES = tests/unit/plans.c

LDADD = libentra.la libplans.la $(WRAP_PREPARE) $(CMOCKA_LIBS) -lcrypto
# Stands between the code and apr_dbd itself, with tables of its own.
tests_unit_test_database_LDADD = libentra.la $(CMOCKA_LIBS) -lcrypto
tests_unit_test_description_LDADD = libentra_command.la $(LDADD)
tests_unit_test_meaning_LDADD = libentra_command.la $(LDADD)
tests_unit_test_quote_LDADD = libentra_command.la $(LDADD)
tests_unit_test_wanted_LDADD = libentra_command.la $(LDADD)
tests_unit_test_registration_LDADD = libentra_command.la $(LDADD)
tests_unit_test_report_LDADD = libentra_command.la $(LDADD)
tests_unit_test_match_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_VECTORS_DIR=\"$(abs_srcdir)/tests/vectors\"
tests_unit_test_patch_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_VECTORS_DIR=\"$(abs_srcdir)/tests/vectors\"
tests_unit_test_resource_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_VECTORS_DIR=\"$(abs_srcdir)/tests/vectors\"
tests_unit_test_url_CPPFLAGS = $(AM_CPPFLAGS) -DTEST_VECTORS_DIR=\"$(abs_srcdir)/tests/vectors\"

# The test stands between the code and the database, the clock and the waiting.
tests_unit_test_database_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=apr_dbd_query,--wrap=apr_dbd_select,--wrap=apr_dbd_pquery,--wrap=apr_dbd_pselect \
	-Wl,--wrap=apr_dbd_open_ex,--wrap=sso_clock_now,--wrap=apr_thread_cond_timedwait
tests_unit_test_exhausted_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=RAND_bytes
tests_unit_test_gate_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sso_clock_now
tests_unit_test_people_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sso_clock_now
tests_unit_test_flight_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=sso_clock_now,--wrap=apr_thread_cond_timedwait

if HAVE_CMOCKA
check_PROGRAMS = $(UNIT_TESTS)
TESTS = $(UNIT_TESTS) $(GUARDS)
else
check-local:
	@echo 'cmocka was not found when configure ran: install libcmocka-dev and run configure again' >&2; exit 1
endif
AM_TESTS_ENVIRONMENT = SRCDIR='$(abs_srcdir)' BUILDDIR='$(abs_builddir)' CC='$(CC)'; export SRCDIR BUILDDIR CC;
