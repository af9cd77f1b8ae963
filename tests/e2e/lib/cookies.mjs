// SPDX-License-Identifier: Apache-2.0
// The cookie jar of the test browser: RFC 6265bis as far as a sign-in can tell the difference.

const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;

export const isLoopback = (host) => LOOPBACK.test(host);

/** Chromium's rule for Secure cookies: https, or a loopback host. */
export const isTrustworthy = (url) => url.protocol === 'https:' || isLoopback(url.hostname);

const isAddress = (host) => /^\d+(\.\d+){3}$/.test(host) || host.startsWith('[');

/** Scheme and registrable domain (the last two labels, which is enough for test names). Ports do not matter. */
export function siteOf(url) {
  const host = isAddress(url.hostname) ? url.hostname : url.hostname.split('.').slice(-2).join('.');
  return `${url.protocol}//${host}`;
}

const domainMatch = (host, domain) => host === domain || (!isAddress(host) && host.endsWith(`.${domain}`));

function pathMatch(path, cookiePath) {
  return path === cookiePath || (path.startsWith(cookiePath) && (cookiePath.endsWith('/') || path[cookiePath.length] === '/'));
}

function defaultPath(pathname) {
  const at = pathname.lastIndexOf('/');
  return at <= 0 ? '/' : pathname.slice(0, at);
}

function parse(line) {
  const [pair, ...rest] = line.split(';');
  const at = pair.indexOf('=');
  const cookie = { name: (at < 0 ? '' : pair.slice(0, at)).trim(), value: (at < 0 ? pair : pair.slice(at + 1)).trim(), attributes: {} };
  for (const part of rest) {
    const eq = part.indexOf('=');
    const name = (eq < 0 ? part : part.slice(0, eq)).trim().toLowerCase();
    cookie.attributes[name] = eq < 0 ? '' : part.slice(eq + 1).trim();
  }
  return cookie;
}

function expiryOf({ 'max-age': maxAge, expires }) {
  if (maxAge !== undefined && /^-?\d+$/.test(maxAge)) return Number(maxAge) <= 0 ? 0 : Date.now() + Number(maxAge) * 1000;
  if (expires !== undefined && !Number.isNaN(Date.parse(expires))) return Date.parse(expires);
  return Infinity;
}

function prefixFault(cookie) {
  const name = cookie.name.toLowerCase();
  if (name.startsWith('__secure-') && !cookie.secure) return '__Secure- without Secure';
  if (name.startsWith('__host-') && (!cookie.secure || !cookie.hostOnly || cookie.attributes.path !== '/')) return '__Host- without Secure, with Domain, or without Path=/';
  return null;
}

export class CookieJar {
  /** {name, value, domain, path, …} of every cookie held. */
  all = [];

  /** Set-Cookie lines a browser would have thrown away, with the reason. */
  refused = [];

  /** Takes one Set-Cookie line. `crossSite`: the response is to a request from another site that is no top-level navigation. */
  set(line, url, { crossSite = false } = {}) {
    const cookie = parse(line);
    const refuse = (why) => { this.refused.push({ line, why }); return null; };
    if (cookie.name.length + cookie.value.length > 4096) return refuse('name and value are longer than 4096 bytes');
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(line)) return refuse('control character');
    const domain = cookie.attributes.domain?.replace(/^\./, '').toLowerCase();
    if (domain && !domainMatch(url.hostname, domain)) return refuse('foreign Domain');
    Object.assign(cookie, {
      hostOnly: !domain,
      domain: domain || url.hostname,
      path: cookie.attributes.path?.startsWith('/') ? cookie.attributes.path : defaultPath(url.pathname),
      secure: 'secure' in cookie.attributes,
      httpOnly: 'httponly' in cookie.attributes,
      sameSite: (cookie.attributes.samesite ?? 'lax').toLowerCase(),
      expires: expiryOf(cookie.attributes),
      line,
    });
    if (cookie.secure && !isTrustworthy(url)) return refuse('Secure over plain http');
    if (cookie.sameSite === 'none' && !cookie.secure) return refuse('SameSite=None without Secure');
    if (crossSite && cookie.sameSite !== 'none') return refuse('SameSite cookie in a cross-site response');
    const fault = prefixFault(cookie);
    if (fault) return refuse(fault);
    const same = (known) => known.name === cookie.name && known.domain === cookie.domain && known.path === cookie.path && known.hostOnly === cookie.hostOnly;
    this.all = this.all.filter((known) => !same(known));
    if (cookie.expires > Date.now()) this.all.push(cookie);
    return cookie;
  }

  /** Cookies for a request. `crossSite`: it comes from another site; `lax`: and is a top-level navigation with a safe method. */
  matching(url, { crossSite = false, lax = true } = {}) {
    this.all = this.all.filter((cookie) => cookie.expires > Date.now());
    return this.all.filter((cookie) => {
      if (cookie.hostOnly ? url.hostname !== cookie.domain : !domainMatch(url.hostname, cookie.domain)) return false;
      if (!pathMatch(url.pathname, cookie.path)) return false;
      if (cookie.secure && !isTrustworthy(url)) return false;
      if (!crossSite || cookie.sameSite === 'none') return true;
      return cookie.sameSite === 'lax' && lax;
    }).sort((a, b) => b.path.length - a.path.length);
  }

  header(url, context) {
    return this.matching(url, context).map(({ name, value }) => (name ? `${name}=${value}` : value)).join('; ');
  }

  get(name) { return this.all.find((cookie) => cookie.name === name); }

  value(name) { return this.get(name)?.value; }

  /** Forgets the cookies whose name matches. */
  drop(pattern) { this.all = this.all.filter((cookie) => !(pattern instanceof RegExp ? pattern.test(cookie.name) : cookie.name === pattern)); }

  clear() { this.all = []; }

  /** Plants a cookie as it stands. */
  plant(name, value, url) { return this.set(`${name}=${value}; Path=/${isTrustworthy(new URL(url)) ? '; Secure' : ''}`, new URL(url)); }

  /** Bytes that the Cookie header to this URL has. */
  bytes(url) { return Buffer.byteLength(this.header(new URL(url))); }
}
