# SPDX-License-Identifier: Apache-2.0
# A program for each source file with a subject of its own; `make check` runs them and the guards.
UNIT_TESTS = \
	test_aadsts test_access test_authority test_bytes test_clock test_cookie test_credential test_crypto \
	test_gate test_graph test_http test_identity test_idtoken test_json test_jwt test_keys test_listing \
	test_metadata test_oauth test_record test_result test_seal test_session test_sharing test_signin test_signout \
	test_state test_template test_url
GUARDS = tests/guards/run

UNIT_CPPFLAGS = $(AM_CPPFLAGS) -I $(srcdir)/tests/unit -DTEST_VECTORS_DIR=\"$(abs_srcdir)/tests/vectors\"
UNIT_LIBS = libentra.la $(CMOCKA_LIBS) -lcrypto

if HAVE_CMOCKA
check_PROGRAMS = $(UNIT_TESTS)
TESTS = $(UNIT_TESTS) $(GUARDS)
else
check-local:
	@echo 'cmocka was not found when configure ran: install libcmocka-dev and run configure again' >&2; exit 1
endif
AM_TESTS_ENVIRONMENT = SRCDIR='$(abs_srcdir)' BUILDDIR='$(abs_builddir)' CC='$(CC)'; export SRCDIR BUILDDIR CC;

test_aadsts_SOURCES = tests/unit/test_aadsts.c
test_aadsts_CPPFLAGS = $(UNIT_CPPFLAGS)
test_aadsts_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_aadsts_LDADD = $(UNIT_LIBS)
test_access_SOURCES = tests/unit/test_access.c
test_access_CPPFLAGS = $(UNIT_CPPFLAGS)
test_access_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_access_LDADD = $(UNIT_LIBS)
test_authority_SOURCES = tests/unit/test_authority.c
test_authority_CPPFLAGS = $(UNIT_CPPFLAGS)
test_authority_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_authority_LDADD = $(UNIT_LIBS)
test_bytes_SOURCES = tests/unit/test_bytes.c
test_bytes_CPPFLAGS = $(UNIT_CPPFLAGS)
test_bytes_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_bytes_LDADD = $(UNIT_LIBS)
test_clock_SOURCES = tests/unit/test_clock.c
test_clock_CPPFLAGS = $(UNIT_CPPFLAGS)
test_clock_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_clock_LDADD = $(UNIT_LIBS)
test_cookie_SOURCES = tests/unit/test_cookie.c
test_cookie_CPPFLAGS = $(UNIT_CPPFLAGS)
test_cookie_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_cookie_LDADD = $(UNIT_LIBS)
test_credential_SOURCES = tests/unit/test_credential.c
test_credential_CPPFLAGS = $(UNIT_CPPFLAGS)
test_credential_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_credential_LDADD = $(UNIT_LIBS)
test_crypto_SOURCES = tests/unit/test_crypto.c
test_crypto_CPPFLAGS = $(UNIT_CPPFLAGS)
test_crypto_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_crypto_LDADD = $(UNIT_LIBS)
test_gate_SOURCES = tests/unit/test_gate.c
test_gate_CPPFLAGS = $(UNIT_CPPFLAGS)
test_gate_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_gate_LDADD = $(UNIT_LIBS)
test_graph_SOURCES = tests/unit/test_graph.c
test_graph_CPPFLAGS = $(UNIT_CPPFLAGS)
test_graph_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_graph_LDADD = $(UNIT_LIBS)
test_http_SOURCES = tests/unit/test_http.c
test_http_CPPFLAGS = $(UNIT_CPPFLAGS)
test_http_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_http_LDADD = $(UNIT_LIBS)
test_identity_SOURCES = tests/unit/test_identity.c
test_identity_CPPFLAGS = $(UNIT_CPPFLAGS)
test_identity_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_identity_LDADD = $(UNIT_LIBS)
test_idtoken_SOURCES = tests/unit/test_idtoken.c
test_idtoken_CPPFLAGS = $(UNIT_CPPFLAGS)
test_idtoken_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_idtoken_LDADD = $(UNIT_LIBS)
test_json_SOURCES = tests/unit/test_json.c
test_json_CPPFLAGS = $(UNIT_CPPFLAGS)
test_json_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_json_LDADD = $(UNIT_LIBS)
test_jwt_SOURCES = tests/unit/test_jwt.c
test_jwt_CPPFLAGS = $(UNIT_CPPFLAGS)
test_jwt_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_jwt_LDADD = $(UNIT_LIBS)
test_keys_SOURCES = tests/unit/test_keys.c
test_keys_CPPFLAGS = $(UNIT_CPPFLAGS)
test_keys_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_keys_LDADD = $(UNIT_LIBS)
test_listing_SOURCES = tests/unit/test_listing.c
test_listing_CPPFLAGS = $(UNIT_CPPFLAGS)
test_listing_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_listing_LDADD = $(UNIT_LIBS)
test_metadata_SOURCES = tests/unit/test_metadata.c
test_metadata_CPPFLAGS = $(UNIT_CPPFLAGS)
test_metadata_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_metadata_LDADD = $(UNIT_LIBS)
test_oauth_SOURCES = tests/unit/test_oauth.c
test_oauth_CPPFLAGS = $(UNIT_CPPFLAGS)
test_oauth_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_oauth_LDADD = $(UNIT_LIBS)
test_record_SOURCES = tests/unit/test_record.c
test_record_CPPFLAGS = $(UNIT_CPPFLAGS)
test_record_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_record_LDADD = $(UNIT_LIBS)
test_result_SOURCES = tests/unit/test_result.c
test_result_CPPFLAGS = $(UNIT_CPPFLAGS)
test_result_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_result_LDADD = $(UNIT_LIBS)
test_seal_SOURCES = tests/unit/test_seal.c
test_seal_CPPFLAGS = $(UNIT_CPPFLAGS)
test_seal_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_seal_LDADD = $(UNIT_LIBS)
test_session_SOURCES = tests/unit/test_session.c
test_session_CPPFLAGS = $(UNIT_CPPFLAGS)
test_session_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_session_LDADD = $(UNIT_LIBS)
test_sharing_SOURCES = tests/unit/test_sharing.c
test_sharing_CPPFLAGS = $(UNIT_CPPFLAGS)
test_sharing_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_sharing_LDADD = $(UNIT_LIBS)
test_signin_SOURCES = tests/unit/test_signin.c
test_signin_CPPFLAGS = $(UNIT_CPPFLAGS)
test_signin_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_signin_LDADD = $(UNIT_LIBS)
test_signout_SOURCES = tests/unit/test_signout.c
test_signout_CPPFLAGS = $(UNIT_CPPFLAGS)
test_signout_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_signout_LDADD = $(UNIT_LIBS)
test_state_SOURCES = tests/unit/test_state.c
test_state_CPPFLAGS = $(UNIT_CPPFLAGS)
test_state_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_state_LDADD = $(UNIT_LIBS)
test_template_SOURCES = tests/unit/test_template.c
test_template_CPPFLAGS = $(UNIT_CPPFLAGS)
test_template_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_template_LDADD = $(UNIT_LIBS)
test_url_SOURCES = tests/unit/test_url.c
test_url_CPPFLAGS = $(UNIT_CPPFLAGS)
test_url_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
test_url_LDADD = $(UNIT_LIBS)
