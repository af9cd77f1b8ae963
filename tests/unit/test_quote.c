/* SPDX-License-Identifier: Apache-2.0 */
/* What a configuration holds stays one word of a command, whatever it is. */
#include "command/quote.h"

#include "unit.h"

static void test_quote_for_a_shell(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quoted;
    } rows[] = {
        {"/etc/apache2/entra/client-secret", "/etc/apache2/entra/client-secret"},
        {"https://app.example.com:8443/.entra/callback", "https://app.example.com:8443/.entra/callback"},
        {"", "''"},
        {"a b", "'a b'"},
        {"it's", "'it'\\''s'"},
        {"'", "''\\'''"},
        {"$(id)", "'$(id)'"},
        {"`id`", "'`id`'"},
        {"a\"b\\c", "'a\"b\\c'"},
        {"a\nb", "'a\nb'"},
        {"~root", "'~root'"},
        {"a;b&c|d>e<f*g?h[i]{j}#k!l", "'a;b&c|d>e<f*g?h[i]{j}#k!l'"},
        {"\xc3\xa4", "'\xc3\xa4'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_quote_shell(unit_pool, rows[i].text), rows[i].quoted);
    }
}

static void test_quote_for_powershell(void **state)
{
    (void)state;
    static const struct {
        const char *text, *quoted;
    } rows[] = {
        {"", "''"},
        {"plain", "'plain'"},
        {"it's", "'it''s'"},
        {"$(Get-Process) `n \"x\"", "'$(Get-Process) `n \"x\"'"},
        /* The four typographic ones end a string, too. */
        {"a\xe2\x80\x98;b", "'a\xe2\x80\x98\xe2\x80\x98;b'"},
        {"\xe2\x80\x99\xe2\x80\x9a\xe2\x80\x9b",
         "'\xe2\x80\x99\xe2\x80\x99\xe2\x80\x9a\xe2\x80\x9a\xe2\x80\x9b\xe2\x80\x9b'"},
        {"\xe2\x80\x9c\xe2\x80\x97", "'\xe2\x80\x9c\xe2\x80\x97'"},
        {"\xe2\x80", "'\xe2\x80'"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_string_equal(sso_quote_powershell(unit_pool, rows[i].text), rows[i].quoted);
    }
}

static void test_quote_for_a_comment(void **state)
{
    (void)state;
    assert_string_equal(sso_quote_comment(unit_pool, "a\nrm -rf /\r\xe2\x80\xa8x"),
                        "a\\x0arm -rf /\\x0d\\xe2\\x80\\xa8x");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        unit_test(test_quote_for_a_shell),
        unit_test(test_quote_for_powershell),
        unit_test(test_quote_for_a_comment),
    };
    return unit_run(tests);
}
