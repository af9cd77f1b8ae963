/* SPDX-License-Identifier: Apache-2.0 */
/* Origins, return targets and configured URLs; it never lets through what two parsers could read differently.
 */
#include "base/url.h"

#include <arpa/inet.h>
#include <string.h>

#include <apr_cstr.h>
#include <apr_strings.h>
#include <apr_uri.h>

#include "base/limits.h"

/* RFC 1035 2.3.4, as text. */
#define MAX_HOST 253
#define MAX_LABEL 63

/* How often a proxy and an application behind it may decode a path between them. */
#define MAX_DECODINGS 2

/* What an absolute URL holds behind its origin; NULL for a part that is not there. */
typedef struct {
    const char *path;
    const char *query;
    const char *fragment;
} rest_t;

/* True when all bytes are visible ASCII, and none is a backslash, which browsers read as a slash. */
static bool is_plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p < 0x21 || *p > 0x7e || *p == '\\') {
            return false;
        }
    }
    return true;
}

static bool is_digits(const char *text, apr_size_t len)
{
    for (apr_size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
    }
    return len > 0;
}

/* The one spelling of an address literal, NULL when host is none. */
static const char *canonical_address(apr_pool_t *pool, int family, const char *host)
{
    unsigned char address[sizeof(struct in6_addr)];
    char text[INET6_ADDRSTRLEN];
    if (inet_pton(family, host, address) != 1 || inet_ntop(family, address, text, sizeof(text)) == NULL) {
        return NULL;
    }
    return apr_pstrdup(pool, text);
}

/* A DNS name of lower-case labels. Underscores stand in many intranets, so they are let in. */
static bool is_dns_name(const char *host)
{
    apr_size_t label = 0;
    for (const char *p = host; *p != '\0'; p++) {
        if (*p == '.') {
            if (label == 0) {
                return false;
            }
            label = 0;
        } else if ((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' || *p == '_') {
            if (++label > MAX_LABEL) {
                return false;
            }
        } else {
            return false;
        }
    }
    return label > 0 && strlen(host) <= MAX_HOST;
}

/* SECURITY: browsers read a host whose last label is a number ("2130706433", "0x7f.1", "0177.0.0.1") as an
 * IPv4 address. Only the dotted form with four plain decimals is taken, so that we and they mean the same
 * machine. */
static bool looks_like_ipv4(const char *host)
{
    const char *dot = strrchr(host, '.');
    const char *last = dot != NULL ? dot + 1 : host;
    return is_digits(last, strlen(last)) || strncmp(last, "0x", 2) == 0;
}

/* The host in its one spelling, without brackets, or NULL and why. */
static const char *parse_host(apr_pool_t *pool, const apr_uri_t *uri, const char **ret_why)
{
    if (uri->hostname == NULL || *uri->hostname == '\0') {
        *ret_why = "there is no host";
        return NULL;
    }
    char *host = apr_pstrdup(pool, uri->hostname);
    for (char *p = host; *p != '\0'; p++) {
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p - 'A' + 'a' : *p);
    }
    if (uri->hostinfo[0] == '[') {
        const char *address = canonical_address(pool, AF_INET6, host);
        /* An IPv4 address within an IPv6 one would be a second spelling of a host. */
        if (address == NULL || strchr(address, '.') != NULL) {
            *ret_why = "the IPv6 address is malformed";
            return NULL;
        }
        return address;
    }
    if (!is_dns_name(host)) {
        *ret_why = "the host is no DNS name and no address";
        return NULL;
    }
    if (looks_like_ipv4(host)) {
        const char *address = canonical_address(pool, AF_INET, host);
        if (address == NULL || strcmp(address, host) != 0) {
            *ret_why = "the host is a number, but no IPv4 address of four decimals";
            return NULL;
        }
    }
    return host;
}

/* 1 to 65535, 0 when malformed. apr_uri cuts a port to 16 bits and takes a sign, so its text is read here. */
static int parse_port(const char *text)
{
    apr_size_t len = strlen(text);
    if (!is_digits(text, len) || len > 5 || text[0] == '0') {
        return 0;
    }
    int port = 0;
    for (const char *p = text; *p != '\0'; p++) {
        port = port * 10 + (*p - '0');
    }
    return port <= 65535 ? port : 0;
}

static bool is_loopback(const char *host, bool ipv6)
{
    if (ipv6) {
        return strcmp(host, "::1") == 0;
    }
    /* "127.0.0.1.evil.test" is a name: only a host that ends in a number is an address here. */
    return strcmp(host, "localhost") == 0 || (looks_like_ipv4(host) && strncmp(host, "127.", 4) == 0);
}

/* Splits an absolute URL into its origin and the rest. NULL and why when it is none that we would use. */
static sso_origin_t *parse_absolute(apr_pool_t *pool, const char *text, rest_t *ret_rest, const char **ret_why)
{
    apr_uri_t uri;
    *ret_why = "it is no absolute http or https URL";
    if (text == NULL || !is_plain(text) || apr_uri_parse(pool, text, &uri) != APR_SUCCESS || uri.scheme == NULL ||
        uri.hostinfo == NULL) {
        return NULL;
    }
    bool https = apr_cstr_casecmp(uri.scheme, "https") == 0;
    if (!https && apr_cstr_casecmp(uri.scheme, "http") != 0) {
        return NULL;
    }
    /* SECURITY: no user part, no escapes in the host: both are how a URL shows one host and means another. */
    if (strpbrk(uri.hostinfo, "@%") != NULL) {
        *ret_why = "a user name or an escape in the host is not allowed";
        return NULL;
    }
    const char *host = parse_host(pool, &uri, ret_why);
    if (host == NULL) {
        return NULL;
    }
    int default_port = https ? 443 : 80;
    int port = uri.port_str != NULL ? parse_port(uri.port_str) : default_port;
    if (port == 0) {
        *ret_why = "the port is no number from 1 to 65535";
        return NULL;
    }
    bool ipv6 = strchr(host, ':') != NULL;
    sso_origin_t *origin = apr_pcalloc(pool, sizeof(*origin));
    origin->scheme = https ? "https" : "http";
    origin->host = host;
    origin->port = port;
    origin->loopback = is_loopback(host, ipv6);
    const char *port_text = port == default_port ? "" : apr_psprintf(pool, ":%d", port);
    origin->text = apr_pstrcat(pool, origin->scheme, "://", ipv6 ? "[" : "", host, ipv6 ? "]" : "", port_text, NULL);
    *ret_rest = (rest_t){uri.path, uri.query, uri.fragment};
    *ret_why = NULL;
    return origin;
}

const sso_origin_t *sso_origin_parse(apr_pool_t *pool, const char *text, const char **ret_why)
{
    rest_t rest;
    const sso_origin_t *origin = parse_absolute(pool, text, &rest, ret_why);
    if (origin == NULL) {
        return NULL;
    }
    bool bare = rest.path == NULL || strcmp(rest.path, "/") == 0;
    if (!bare || rest.query != NULL || rest.fragment != NULL) {
        *ret_why = "only scheme, host and port are allowed, no path, query or fragment";
        return NULL;
    }
    return origin;
}

/* Nothing but an origin, and a path where it is allowed. */
static const char *rest_check(const rest_t *rest, bool allow_path)
{
    bool bare = rest->path == NULL || strcmp(rest->path, "/") == 0;
    if (!bare && !allow_path) {
        return "a path is not allowed here";
    }
    if (rest->query != NULL || rest->fragment != NULL) {
        return "a query or a fragment is not allowed";
    }
    return NULL;
}

const char *sso_url_check_outbound(apr_pool_t *pool, const char *url, bool allow_path)
{
    rest_t rest;
    const char *why = NULL;
    const sso_origin_t *origin = parse_absolute(pool, url, &rest, &why);
    if (origin == NULL) {
        return why;
    }
    /* SECURITY: secrets and tokens travel to this host. */
    if (strcmp(origin->scheme, "https") != 0 && !origin->loopback) {
        return "https is required, except on loopback";
    }
    return rest_check(&rest, allow_path);
}

const char *sso_url_check_local(apr_pool_t *pool, const char *url, bool allow_path)
{
    rest_t rest;
    const char *why = NULL;
    const sso_origin_t *origin = parse_absolute(pool, url, &rest, &why);
    if (origin == NULL) {
        return why;
    }
    /* SECURITY: who answers there is believed to be the platform, and what is asked is for nobody else to see. */
    bool link_local = looks_like_ipv4(origin->host) && strncmp(origin->host, "169.254.", 8) == 0;
    if (!origin->loopback && !link_local) {
        return "the host must be loopback or link-local (169.254.x.x)";
    }
    return rest_check(&rest, allow_path);
}

bool sso_url_same_origin(apr_pool_t *pool, const char *url, const char *origin_url)
{
    rest_t rest;
    const char *why;
    const sso_origin_t *a = parse_absolute(pool, url, &rest, &why);
    const sso_origin_t *b = parse_absolute(pool, origin_url, &rest, &why);
    /* The text is canonical: scheme, host and port have one spelling each. */
    return a != NULL && b != NULL && strcmp(a->text, b->text) == 0;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    /* Setting this bit makes a capital small, and no other character a letter from a to f. */
    int small = c | 0x20;
    return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/* Decodes %XX in place, a bad escape stays as it is, and gives the new length. apr_unescape_url would refuse
 * a stray
 * '%', which is harmless, and NUL, which we have to see. */
static apr_size_t decode_once(char *path, apr_size_t len)
{
    apr_size_t end = 0;
    for (apr_size_t i = 0; i < len; i++) {
        int high = path[i] == '%' && len - i > 2 ? hex_value(path[i + 1]) : -1;
        int low = high >= 0 ? hex_value(path[i + 2]) : -1;
        if (low >= 0) {
            path[end++] = (char)(high << 4 | low);
            i += 2;
        } else {
            path[end++] = path[i];
        }
    }
    return end;
}

/* What one segment of a path may be taken for by whoever normalises it. */
typedef struct {
    bool blank;   /* nothing is left of it */
    bool dots;    /* "." or ".." is left of it */
    bool control; /* has a control byte */
} segment_t;

/* Reads leniently, as the most forgiving reader might: control bytes are dropped, a parameter (";x") is cut
 * off, %2e is a dot. */
static segment_t classify(const char *path, apr_size_t len)
{
    segment_t segment = {.control = false};
    apr_size_t dots = 0;
    apr_size_t others = 0;
    bool parameter = false;
    for (apr_size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)path[i];
        bool control = c < 0x20 || c == 0x7f;
        segment.control = segment.control || control;
        parameter = parameter || c == ';';
        if (control || parameter) {
            continue;
        }
        if (c == '.') {
            dots++;
        } else if (len - i > 2 && c == '%' && path[i + 1] == '2' && (path[i + 2] | 0x20) == 'e') {
            dots++;
            i += 2;
        } else {
            others++;
        }
    }
    segment.blank = dots == 0 && others == 0;
    segment.dots = others == 0 && (dots == 1 || dots == 2);
    return segment;
}

/* SECURITY: false for a path that somebody could read as "//host". path begins with '/'; '\' counts as '/',
 * since by now it may be a decoded one. The rules are wider than the danger, but nothing that a browser sends
 * on its own breaks them:
 *
 *   /<blank>/...          "//", "/\", "/;/", "/%09/": all that is left is "//"
 *   /<control>...         some readers drop control bytes
 *   dots beside a blank   "/.//x", "/a/..//x": taking the dots away may leave "//x"; likewise a control byte
 */
static bool is_safe_path(const char *path, apr_size_t len)
{
    bool dots = false;
    bool blank = false;
    for (apr_size_t start = 1; start <= len;) {
        apr_size_t end = start;
        while (end < len && path[end] != '/' && path[end] != '\\') {
            end++;
        }
        segment_t segment = classify(path + start, end - start);
        bool first = start == 1;
        bool last = end == len;
        if (first && (segment.control || (segment.blank && !last))) {
            return false;
        }
        /* A blank at the very end is only the closing slash. */
        dots = dots || segment.dots;
        blank = blank || segment.control || (segment.blank && !last);
        start = end + 1;
    }
    return !(dots && blank);
}

/* The same for what the path is after each decoding that may lie between us and the last reader. */
static bool is_safe_decoded_path(apr_pool_t *pool, const char *path, apr_size_t len)
{
    if (!is_safe_path(path, len)) {
        return false;
    }
    if (memchr(path, '%', len) == NULL) {
        return true;
    }
    char *decoded = apr_pstrmemdup(pool, path, len);
    for (int i = 0; i < MAX_DECODINGS; i++) {
        len = decode_once(decoded, len);
        if (!is_safe_path(decoded, len)) {
            return false;
        }
    }
    return true;
}

const char *sso_return_path(apr_pool_t *pool, const sso_origin_t *origin, const char *target)
{
    static const char home[] = "/";
    if (target == NULL || !is_plain(target) || strchr(target, '#') != NULL) {
        return home;
    }
    /* SECURITY: an absolute URL is compared as text with our own origin, and never parsed: what differs in a
     * letter, a default port or a user part is not ours. */
    const char *path = target;
    if (*target != '/') {
        apr_size_t origin_len = origin != NULL ? strlen(origin->text) : 0;
        if (origin == NULL || strncmp(target, origin->text, origin_len) != 0) {
            return home;
        }
        path = target + origin_len;
        if (*path == '\0' || *path == '?') {
            path = apr_pstrcat(pool, "/", path, NULL);
        } else if (*path != '/') {
            return home;
        }
    }
    apr_size_t path_len = strcspn(path, "?");
    if (path_len > SSO_MAX_RETURN_PATH || !is_safe_decoded_path(pool, path, path_len)) {
        return home;
    }
    /* Half a query could mean something else than the whole: none at all then. */
    return strlen(path) <= SSO_MAX_RETURN_PATH ? path : apr_pstrmemdup(pool, path, path_len);
}
