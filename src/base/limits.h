/* SPDX-License-Identifier: Apache-2.0 */
/* Every bound on what an outsider can make us hold or do, in one place. Sizes are bytes unless named. */
#pragma once

/* Documents fetched from the authority. */
#define SSO_MAX_METADATA (64 * 1024)
#define SSO_MAX_JWKS (256 * 1024)
#define SSO_MAX_KEYS 64
/* All header lines of one outbound answer together. */
#define SSO_MAX_RESPONSE_HEADERS (64 * 1024)
#define SSO_MAX_TOKEN_RESPONSE (256 * 1024)

/* JSON from outside; the second is what no caller can go beyond. */
#define SSO_MAX_JSON_DEPTH 16
#define SSO_MAX_JSON_LEVELS 64

/* JWT in compact serialization: header, and the whole token (200 groups are about 12 KB). */
#define SSO_MAX_JWT (64 * 1024)
#define SSO_MAX_JWT_HEADER 4096
#define SSO_MAX_KID 256
#define SSO_RSA_MIN_BITS 2048
#define SSO_RSA_MAX_BITS 8192

/* Answers of Graph: a page of 999 groups with names; and how many groups of one user are read. */
#define SSO_MAX_GRAPH_RESPONSE (512 * 1024)
#define SSO_MAX_GRAPH_GROUPS 20000
#define SSO_MAX_GRAPH_PAGES 40

/* What a resource wants (WWW-Authenticate), all of it and the claims within it, decoded. */
#define SSO_MAX_CHALLENGE (16 * 1024)
#define SSO_MAX_CHALLENGE_CLAIMS 4096

/* The tenant watch: a page of Graph's delta query, the link to the next, and how many pages one turn reads. */
#define SSO_MAX_DELTA_RESPONSE (1024 * 1024)
#define SSO_MAX_DELTA_USERS 2000
#define SSO_MAX_WATCH_LINK (16 * 1024)
#define SSO_MAX_WATCH_PAGES 50
/* A token of the application that is kept for the next turn. */
#define SSO_MAX_APP_TOKEN (16 * 1024)

/* Claims kept in a session. A name and a value, and the items of a list. */
#define SSO_MAX_CLAIM_NAME 120
#define SSO_MAX_CLAIM_VALUE 4096
#define SSO_MAX_LIST_ITEMS 1500

/* The callback: Entra documents no length of the code; 8 KB is generous. */
#define SSO_MAX_CODE 8192
#define SSO_MAX_QUERY_PAIRS 32

/* Return target: a longer one loses its query, then becomes "/", since the sealed state rides in a URL. */
#define SSO_MAX_RETURN_PATH 2048
#define SSO_MAX_STATE 4096

/* Step-up: an id of an authentication context, how many of them one configuration names (bits of a word), and how often
 * the rules of one refused request are asked again as if one were there. */
#define SSO_MAX_ACR 32
#define SSO_MAX_ACRS 64
#define SSO_MAX_SUPPOSITIONS 16
/* login_hint and domain_hint: they ride in the sealed state. */
#define SSO_MAX_HINT 256

/* Cookies: one chunk stays below what every browser stores for one cookie, attributes included. */
#define SSO_COOKIE_CHUNK 3800
#define SSO_MAX_COOKIE_CHUNKS 4
#define SSO_MAX_SEALED (SSO_COOKIE_CHUNK * SSO_MAX_COOKIE_CHUNKS)
/* Bytes of a cookie and its record that a connection remembers. */
#define SSO_MAX_OPENED 8192

/* Key ring file. */
#define SSO_MAX_KEYFILE (16 * 1024)
#define SSO_MAX_RING_KEYS 16

/* The database: connections of a process, columns of a statement, the text of EntraDatabase. Of a session: a sealed
 * token or record, and every other text. */
#define SSO_MAX_STORE_CONNECTIONS 8
#define SSO_MAX_STORE_COLUMNS 16
#define SSO_MAX_SOURCE 4096
#define SSO_MAX_LISTED_SESSIONS 200000
#define SSO_MAX_STORED_SEALED (96 * 1024)
#define SSO_MAX_STORED_TEXT 4096

/* Sessions of one process that wait for a renewal, or whose result waits for their next request. */
#define SSO_MAX_RENEWALS 2048

/* Forms that wait for a sign-in: the most that EntraPreservePost can allow, and the fields of one; how many of one user
 * are kept in a quarter of an hour, and the bytes of all of them as they are sealed. */
#define SSO_MAX_FORM (1024 * 1024)
#define SSO_MAX_FORM_FIELDS 2000
#define SSO_MAX_FORMS_OF_USER 10
#define SSO_MAX_FORMS_BYTES (64 * 1024 * 1024)
/* One of them sealed and in base64url: its bytes, its address and what comes beside them. */
#define SSO_MAX_FORM_SEALED ((SSO_MAX_FORM + 2 * SSO_MAX_RETURN_PATH + 1024) / 3 * 4)

/* A bundle of CAs; the usual one of a system has a quarter of a megabyte. */
#define SSO_MAX_BUNDLE (4 * 1024 * 1024)

/* Secrets read from files and commands. */
#define SSO_MAX_SECRET (16 * 1024)
/* What the parent hands to the processes at once: two certificates with their keys, and a head. */
#define SSO_MAX_HANDED (4 * SSO_MAX_SECRET + 64)

/* Verified access tokens that one process remembers: sets of ways, and bytes of one (a usual user has 300). */
#define SSO_MEMO_SETS 256
#define SSO_MEMO_WAYS 4
#define SSO_MAX_MEMO_BYTES 1984

/* Access tokens for backends that one process keeps, in sets and ways as above: bytes of one, which is a request header
 * too; and how many are fetched, or lately were in vain, at a time. Scopes of a configuration all ride in one URL. */
#define SSO_MAX_FORWARDED (16 * 1024)
#define SSO_MAX_FLIGHTS 256
#define SSO_MAX_SCOPES_TEXT 1200

/* Ended sessions that a node remembers: slots of 24 bytes, and how many places one id may be put at. */
#define SSO_ENDED_SLOTS (1U << 18)
#define SSO_ENDED_PLACES 32
/* Entra's session id, as it comes from anybody by front-channel logout; and how many of these calls the node works on
 * at once. */
#define SSO_MAX_SID 64
#define SSO_MAX_FRONTCHANNEL 4

/* SCIM: a request's body and its levels; a stored document, its attributes, one value of it, the entries of a plural
 * attribute, the levels of a value that no schema describes; names. A group's members stand in a table of their own. */
#define SSO_MAX_SCIM_BODY (1024 * 1024)
#define SSO_MAX_SCIM_DEPTH 64
#define SSO_MAX_SCIM_DOCUMENT (64 * 1024)
#define SSO_MAX_SCIM_ATTRIBUTES 256
#define SSO_MAX_SCIM_VALUE (16 * 1024)
#define SSO_MAX_SCIM_KEY 512
#define SSO_MAX_SCIM_ENTRIES 500
#define SSO_MAX_SCIM_VALUE_DEPTH 4
#define SSO_MAX_SCIM_URN 256
#define SSO_MAX_SCIM_NAME 120
#define SSO_MAX_SCIM_ID 256
#define SSO_MAX_SCIM_MEMBERS 20000
#define SSO_MAX_SCIM_OPERATIONS 1000
/* SCIM: groups of one user that are read; rows that one filter looks at where no index helps; a page; operations of a
 * bulk request; requests that the node works on at once. */
#define SSO_MAX_SCIM_GROUPS 5000
#define SSO_MAX_SCIM_SCAN 100000
#define SSO_MAX_SCIM_PAGE 200
#define SSO_SCIM_PAGE 100
#define SSO_MAX_SCIM_BULK 100
#define SSO_MAX_SCIM_REQUESTS 16

/* SCIM: a filter or the path of an operation; brackets within brackets; comparisons; names in attributes=. */
#define SSO_MAX_FILTER 2048
#define SSO_MAX_FILTER_DEPTH 16
#define SSO_MAX_FILTER_TERMS 64
#define SSO_MAX_PROJECTION_NAMES 64

/* Changed people that a node remembers: sets of ways, slots of 16 bytes, three for each. Requests of one process that
 * read the directory for their session at once. A federated token request's form. */
#define SSO_TOUCHED_SETS (1U << 14)
#define SSO_TOUCHED_WAYS 16
#define SSO_MAX_REFRESHES 16
#define SSO_MAX_FEDERATED_FORM (SSO_MAX_JWT + 4096)

/* A line of the audit log, which a pipe takes as one piece (PIPE_BUF); and the names of changed attributes in it. */
#define SSO_MAX_AUDIT_LINE 4096
#define SSO_MAX_AUDIT_NAMES 32

/* Outside text in a log line or page. */
#define SSO_MAX_LOGGED 300

/* entra-sso convert: a configuration of httpd, its statements, the words of one. */
#define SSO_MAX_CONVERT (1024 * 1024)
#define SSO_MAX_CONVERT_LINES 50000
#define SSO_MAX_CONVERT_WORDS 500
