// SPDX-License-Identifier: Apache-2.0
// Return targets that want to lead away, and queries that want to hurt. H stands for our host, evil.test for the other one.

import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const FILE = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../vectors/return-targets.txt');

const OWN = [
  '//evil.test', '///evil.test', '////evil.test', '/////evil.test/', '//evil.test/%2e%2e', '//evil.test?/', '//evil.test#/',
  'https:evil.test', 'https:/evil.test', 'https:///evil.test', 'http:evil.test', 'http:/evil.test', 'https:www.evil.test', 'HTTPS://evil.test', 'hTTp:evil.test',
  '/\\evil.test', '\\/evil.test', '\\\\evil.test', '/\\/evil.test', '//\\evil.test', 'https:\\\\evil.test', '/\\\\evil.test', '\\evil.test', '/x\\..\\..//evil.test',
  '/%5cevil.test', '//%5cevil.test', '/%5C%5Cevil.test', 'https:%5c%5cevil.test', '/%255cevil.test',
  '/\t/evil.test', '/%09/evil.test', '//%09/evil.test', '/%0a/evil.test', '/\n/evil.test', '/\r/evil.test', '/%0d%0aLocation:%20https://evil.test', '/\r\nLocation: https://evil.test',
  '%0d%0aSet-Cookie:x=1', '/%00/evil.test', '/\u0000/evil.test', '/\u000b/evil.test', '/\u007f/evil.test', ' //evil.test', '\t//evil.test', '/ /evil.test', '/%20/evil.test',
  '/%2f/evil.test', '/%2F/evil.test', '/%2f%2fevil.test', '/%2f%5c%2f%65vil.test', '/%68%74%74%70%3a%2f%2fevil.test', '/%252f%252fevil.test', '%2f%2fevil.test', '%2F/evil.test',
  '////;@evil.test', '///\\;@evil.test', '//H@evil.test', 'https://H@evil.test', 'https://evil.test\\@H', 'https://H%40evil.test', 'https://H:443@evil.test', 'https://H\\.evil.test',
  'https://H.evil.test', 'https://evil-H', 'https://evilH', 'https://evil.test/H', 'https://evil.test?H', 'https://evil.test#H', 'https://evil.test/?https://H/', 'http://H:1@evil.test/', 'http://H%2f@evil.test',
  'javascript:alert(1)', 'java%0ascript:alert(1)', '\u0001javascript:alert(1)', '%01javascript:alert(1)', '/javascript:alert(1)', 'data:text/html,x', 'vbscript:x', 'JaVaScRiPt:x', 'file:///etc/passwd', 'about:blank',
  '/\u3031evil.test', '/\u3035evil.test', '/\u309devil.test', '/\u30fcevil.test', '/\uff70evil.test', '//evil\u3002test', '//\u24d4vil.test', '/\u2215/evil.test', '\uff0f\uff0fevil.test', '/<>//evil.test', '/%ff/evil.test', '/\u00a0/evil.test', '/\ufeff/evil.test',
  'http://[::1]/', 'http://2130706433/', '//0/', '//0177.0.0.1', 'https://H:65536/', 'https://H:80:443/', 'http://H:0/', 'http://H:/', 'evil', 'evil.test', '.evil.test', '@evil.test', '', ' ', '   ', '\t',
  '/../..//evil.test', '/.//evil.test', '/..//evil.test', '/x/..//evil.test', '/%2e%2e//evil.test', '/%2e//evil.test', '/.%2f/evil.test', '/;//evil.test', '/;x//evil.test', '/./\\evil.test', '/x/../\\evil.test', '/x/%2e%2e//evil.test',
  `/${'x'.repeat(8192)}`, `//${'x'.repeat(8000)}.evil.test`, `/?${'x'.repeat(8192)}`, '/.entra/login?rd=//evil.test', '/.entra/login?rd=/.entra/login', '/.entra/logout', '/.entra/callback?code=x&state=y',
];

/** Harmless ones that must come through as they are. */
export const LEGITIMATE = ['/', '/page.html', '/page.html?x=1', '/?//evil.test', '/path?u=https://evil.test', '/a/b/c?d=e&f=%26', '/%E2%82%AC?q=%20', '/app/a;b=c?d', '/a//b', '/~x/', '/x?y=/\\'.slice(0, 4)];

/** Our own hostile targets, with our host put in. */
export function hostileTargets(host) {
  return OWN.map((target) => target.replaceAll(/(?<![A-Za-z0-9])H(?![A-Za-z0-9])|(?<=evil-?)H\b/g, host));
}

/** The site that the vectors are written for. */
export const VECTOR_ORIGIN = 'https://app.example.com';

const unescape = (text) => text.replace(/\\(?:x([0-9a-f]{2})|(.))/gi, (_, hex, one) => (hex ? String.fromCharCode(parseInt(hex, 16)) : { t: '\t', n: '\n', r: '\r', '\\': '\\' }[one]));

/** Rows of tests/vectors/return-targets.txt: {target (bytes as latin1), expected (path)}. Null when the file is not there. */
export function vectorTargets() {
  if (!existsSync(FILE)) return null;
  const lines = readFileSync(FILE, 'utf8').split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const [outcome, escaped] = line.split('\t');
    const target = unescape(escaped);
    const expected = { refuse: '/', keep: target }[outcome] ?? outcome.slice('become='.length);
    return { target, expected };
  });
}

export const JUNK_QUERIES = [
  '', '&', '&&&', '=', '=&=', '?', '%', '%%', '%z', '%0', '%00', 'code', 'state', 'code=', 'state=', 'code=&state=', 'error=', 'code=x', 'state=x', 'code=x&state=', 'code=x&state=x', 'error=x&state=x', 'code=x&error=y&state=z',
  'iss=', 'iss=&x', 'iss=https://evil.test&target_link_uri=https://evil.test/', 'session=iframe_rp&poll=1;alert(1)', "session=iframe_rp&login_uri='-alert(1)-'", 'Your+account+is+blocked,+call+555', 'code=%s%s%s%n%n&state=%s%n',
  'code=x&state=<script>alert(1)</script>', 'error=<script>alert(1)</script>&error_description=%22%3E%3Cscript%3Ealert(1)%3C/script%3E', 'state=a.b.c', 'state=....', `state=${'A'.repeat(4095)}&code=x`, `state=${'A'.repeat(6000)}&code=x`, `code=${'x'.repeat(7000)}&state=y`,
  'x'.repeat(8000), '&'.repeat(8000), '='.repeat(8000), 'a&'.repeat(3500), 'a=b&'.repeat(1900), '%41'.repeat(2600), '\xff\xfe=\x80', 'code=\xff&state=\xff', 'logout=get&sid=guess&iss=x', 'jwks', 'info=json', 'request_uri=x', 'scopes=&auth_request_params=',
];
