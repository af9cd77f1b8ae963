// SPDX-License-Identifier: Apache-2.0
// A browser without a window: cookies, redirects, the headers that Chromium sends, forms. Every name is served from 127.0.0.1.

import { CookieJar, isLoopback, isTrustworthy, siteOf } from './cookies.mjs';
import { request } from './http.mjs';

const MAX_HOPS = 20;
const USER_AGENT = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const ACCEPT_PAGE = 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7';
const SAFE = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
export const unescapeHtml = (text) => text.replace(/&(?:#(\d+)|#x([0-9a-f]+)|(\w+));/gi, (whole, dec, hex, name) => {
  if (dec) return String.fromCodePoint(Number(dec));
  if (hex) return String.fromCodePoint(parseInt(hex, 16));
  return entities[name] ?? whole;
});

function attributesOf(tag) {
  const found = {};
  for (const [, name, , quoted, single, bare] of tag.matchAll(/([\w-]+)\s*(=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)) {
    found[name.toLowerCase()] = unescapeHtml(quoted ?? single ?? bare ?? '');
  }
  return found;
}

/** Forms of a page: {action, method, fields}. Enough for pages written by programs. */
export function formsOf(html, base) {
  return [...html.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, tag, inside]) => {
    const { action = '', method = 'get' } = attributesOf(tag);
    const controls = [...inside.matchAll(/<(input|button)\b([^>]*)>/gi)].map(([, kind, attributes]) => ({ kind: kind.toLowerCase(), ...attributesOf(attributes) }));
    const isButton = ({ kind, type }) => kind === 'button' || type === 'submit';
    const fields = controls.filter((control) => control.name && !isButton(control)).map(({ name, value = '' }) => [name, value]);
    const buttons = controls.filter(isButton).map(({ name, value = '' }) => ({ name, value }));
    return { action: new URL(action || base, base).href, method: method.toUpperCase(), fields, buttons };
  });
}

/** Targets of the links of a page. */
export const linksOf = (html, base) => [...html.matchAll(/<a\b([^>]*)>/gi)].map(([, tag]) => attributesOf(tag).href).filter((href) => href !== undefined).map((href) => new URL(href, base).href);

/** Where a navigation ended: the last response, and every hop on the way. */
export class Page {
  constructor({ url, response, hops, held, tooMany }) {
    Object.assign(this, { url, response, hops, held, tooMany });
  }

  get status() { return this.response?.status; }

  get text() { return this.response.text; }

  get path() { const { pathname, search } = new URL(this.url); return pathname + search; }

  header(name) { return this.response.header(name); }

  json() { return this.response.json(); }

  /** What a navigation from this page begins with: its address, and what it may say of it. */
  get whence() { return { from: this.url, referrerPolicy: this.header('referrer-policy') }; }

  get forms() { return formsOf(this.text, this.url); }

  get links() { return linksOf(this.text, this.url); }

  /** The hops as text, for messages. */
  get trace() { return this.hops.map(({ method, url, status, location }) => `${method} ${url.slice(0, 160)} -> ${status}${location ? ` ${location.slice(0, 160)}` : ''}`).join('\n'); }

  /** URLs of the hops that match. */
  visited(pattern) { return this.hops.filter(({ url }) => pattern.test(url)).map(({ url }) => url); }
}

export class Browser {
  cookies = new CookieJar();

  /** Every request this browser made: {method, url, headers, status, location}. */
  history = [];

  /**
   * `resolve`: {'https://app.test' or 'app.test' or 'app.test:8443': port}. Other names are not looked up: they fail.
   * `acceptCookies`: false, or a function of the Set-Cookie line that says whether this browser keeps it.
   */
  constructor({ resolve = {}, headers = {}, acceptCookies = true } = {}) {
    Object.assign(this, { resolve: { ...resolve }, headers, acceptCookies: typeof acceptCookies === 'function' ? acceptCookies : () => acceptCookies });
  }

  #portOf(url) {
    for (const name of [url.origin, url.host, url.hostname]) if (this.resolve[name] !== undefined) return this.resolve[name];
    if (url.protocol === 'http:' && isLoopback(url.hostname)) return Number(url.port || 80);
    throw new Error(`the browser was sent to ${url.href}, which is no host of this test`);
  }

  async #send(url, { method, headers, body, crossSite, topLevel, credentials = true, timeout }) {
    const context = { crossSite, lax: topLevel && SAFE.includes(method) };
    const cookie = credentials ? this.cookies.header(url, context) : '';
    const lines = [['Host', url.host], ['Connection', 'keep-alive'], ...headers, ...(cookie ? [['Cookie', cookie]] : [])];
    // Not pathname + search, which would lose a lone "?".
    const path = url.href.slice(url.origin.length).replace(/#.*$/, '');
    const response = await request(this.#portOf(url), { method, path, headers: lines, body, close: false, timeout });
    if (credentials) for (const line of response.cookies.filter((one) => this.acceptCookies(one))) this.cookies.set(line, url, { crossSite: crossSite && !topLevel });
    this.history.push({ method, url: url.href, headers: lines, status: response.status, location: response.location });
    return response;
  }

  /** Sec-Fetch-Site over the whole chain: none when a person typed it, else the most distant relation of any hop. */
  static #relation(initiator, chain) {
    if (!initiator) return 'none';
    const from = new URL(initiator);
    const relations = chain.map((url) => (url.origin === from.origin ? 'same-origin' : siteOf(url) === siteOf(from) ? 'same-site' : 'cross-site'));
    return ['cross-site', 'same-site', 'same-origin'].find((relation) => relations.includes(relation));
  }

  static #referer(referrer, policy, url) {
    if (!referrer || policy === 'no-referrer') return undefined;
    const from = new URL(referrer);
    if (from.protocol === 'https:' && !isTrustworthy(url)) return undefined;
    if (policy === 'origin' || policy === 'strict-origin') return `${from.origin}/`;
    if (policy === 'unsafe-url' || from.origin === url.origin) return from.origin + from.pathname + from.search;
    return policy === 'same-origin' ? undefined : `${from.origin}/`;
  }

  /** Origin of a form: null where the page may not say where it comes from. */
  static #origin(from, policy, url) {
    const { origin, protocol } = new URL(from);
    const hidden = policy === 'no-referrer' || (policy === 'same-origin' && origin !== url.origin) || (protocol === 'https:' && !isTrustworthy(url));
    return hidden ? 'null' : origin;
  }

  #pageHeaders(url, { site, dest, user, referer, extra }) {
    const fetchLines = isTrustworthy(url) ? [['Sec-Fetch-Site', site], ['Sec-Fetch-Mode', 'navigate'], ...(user ? [['Sec-Fetch-User', '?1']] : []), ['Sec-Fetch-Dest', dest]] : [];
    const lines = [
      ['sec-ch-ua', '"Chromium";v="140", "Not=A?Brand";v="24"'], ['sec-ch-ua-mobile', '?0'], ['sec-ch-ua-platform', '"Linux"'],
      ['Upgrade-Insecure-Requests', '1'], ['User-Agent', USER_AGENT], ['Accept', ACCEPT_PAGE], ...fetchLines,
      ...(referer ? [['Referer', referer]] : []), ['Accept-Encoding', 'gzip, deflate, br, zstd'], ['Accept-Language', 'en-US,en;q=0.9'],
    ];
    const added = Object.entries({ ...this.headers, ...extra });
    const replaced = new Set(added.map(([name]) => name.toLowerCase()));
    return [...lines.filter(([name]) => !replaced.has(name.toLowerCase())), ...added.filter(([, value]) => value !== null)];
  }

  /**
   * Opens a page and follows redirects. Options: method, body, contentType, from (URL of the page whose link is followed: makes it
   * cross-site where it is), referrerPolicy, headers {name: value, null takes one away}, dest ('document' or 'iframe'),
   * follow: false, stopBefore(url): holds the navigation there (page.held), hops: how many are allowed.
   */
  async navigate(target, options = {}) {
    const { from, headers: extra = {}, dest = 'document', follow = true, stopBefore, hops: most = MAX_HOPS, timeout } = options;
    let { method = 'GET', body, contentType = 'application/x-www-form-urlencoded', referrerPolicy: policy = 'strict-origin-when-cross-origin' } = options;
    let url = new URL(target, from);
    const chain = options.chain ? options.chain.map((one) => new URL(one)) : [];
    const hops = [];
    for (;;) {
      if (stopBefore?.(url.href)) return new Page({ url: url.href, response: null, hops, held: { ...options, method, body, chain: chain.map(String) } });
      if (hops.length >= most) return new Page({ url: url.href, response: null, hops, tooMany: true });
      chain.push(url);
      const site = Browser.#relation(from, chain);
      const lines = this.#pageHeaders(url, { site, dest, user: !chain.slice(1).length || site === 'none', referer: Browser.#referer(from, policy, url), extra });
      if (body !== undefined) lines.push(['Content-Type', contentType], ...(from ? [['Origin', Browser.#origin(from, policy, url)]] : []));
      const response = await this.#send(url, { method, headers: lines, body, crossSite: site === 'cross-site', topLevel: dest === 'document', timeout });
      hops.push({ ...this.history.at(-1), response, cookies: response.cookies });
      policy = response.header('referrer-policy')?.split(',').at(-1).trim() || policy;
      const redirect = follow && [301, 302, 303, 307, 308].includes(response.status) && response.location !== undefined;
      if (!redirect) return this.#arrive(new Page({ url: url.href, response, hops }));
      if (response.status === 303 || ([301, 302].includes(response.status) && method === 'POST')) {
        method = method === 'HEAD' ? 'HEAD' : 'GET';
        body = undefined;
      }
      url = new URL(response.location, url);
      url.hash = '';
    }
  }

  #arrive(page) { this.page = page; return page; }

  /** Goes on where `stopBefore` held a navigation. */
  resume(page, options = {}) { return this.navigate(page.url, { ...page.held, stopBefore: undefined, ...options }); }

  /** Follows a link or sends a form of a page, as a click does. */
  click(page, href, options = {}) { return this.navigate(href, { ...page.whence, ...options }); }

  submit(page, { form = 0, fields = {}, button = 0, ...options } = {}) {
    const found = typeof form === 'number' ? page.forms[form] : page.forms.find(form);
    if (!found) throw new Error(`the page has no such form: ${page.text.slice(0, 500)}`);
    const pressed = found.buttons[button];
    const pairs = [...found.fields.filter(([name]) => !(name in fields)), ...Object.entries(fields), ...(pressed?.name ? [[pressed.name, pressed.value]] : [])];
    const encoded = new URLSearchParams(pairs).toString();
    if (found.method === 'POST') return this.navigate(found.action, { method: 'POST', body: encoded, ...page.whence, ...options });
    const url = new URL(found.action);
    url.search = encoded;
    return this.navigate(url.href, { ...page.whence, ...options });
  }

  /** What a script's fetch() does. Options: from (page URL, default: same origin), method, body, headers, mode, dest, redirect: 'follow'. */
  async fetch(target, options = {}) {
    const url = new URL(target, options.from);
    const { from = `${url.origin}/`, method = 'GET', body, headers: extra = {}, mode = 'cors', dest = 'empty', credentials = 'same-origin', timeout } = options;
    const site = Browser.#relation(from, [url]);
    const lines = [
      ['User-Agent', USER_AGENT], ['Accept', '*/*'],
      ...(isTrustworthy(url) ? [['Sec-Fetch-Site', site], ['Sec-Fetch-Mode', mode], ['Sec-Fetch-Dest', dest]] : []),
      ['Referer', site === 'same-origin' ? from : `${new URL(from).origin}/`],
      ...(site !== 'same-origin' || !SAFE.includes(method) ? [['Origin', new URL(from).origin]] : []),
      ['Accept-Encoding', 'gzip, deflate, br, zstd'], ['Accept-Language', 'en-US,en;q=0.9'],
    ];
    const added = Object.entries({ ...this.headers, ...extra });
    const replaced = new Set(added.map(([name]) => name.toLowerCase()));
    const all = [...lines.filter(([name]) => !replaced.has(name.toLowerCase())), ...added.filter(([, value]) => value !== null)];
    const withCookies = credentials === 'include' || (credentials === 'same-origin' && site === 'same-origin');
    return this.#send(url, { method, headers: all, body, crossSite: site === 'cross-site', topLevel: false, credentials: withCookies, timeout });
  }
}
