// SPDX-License-Identifier: Apache-2.0
// A site with every kind of backend in every kind of area, so that one question can be asked of all of them.

import assert from 'node:assert/strict';
import { CGI_ENV, cgiVars, noPhp, startAjp, startFastCgi, startPhp, startScgi, startUwsgi } from './backends.mjs';
import { makeFrame, MARKER } from './echo.mjs';
import { Connection } from './http.mjs';
import { entraLines, startSite } from './site.mjs';

const PHP_ENV = '<?php header("Content-Type: application/octet-stream"); foreach ($_SERVER as $k => $v) if (is_string($v)) echo "$k=$v\\0";\n';

const fold = (name) => name.replace(/[^a-z0-9]/gi, '_').toUpperCase();

/** What a backend got, whatever its protocol: pairs of headers (names in its own spelling) and of variables. */
export class Seen {
  constructor({ headers, vars = [], raw }) {
    this.vars = vars;
    // In the CGI family a header is the variable HTTP_NAME.
    this.headers = headers ?? vars.filter(([name]) => name.startsWith('HTTP_')).map(([name, value]) => [name.slice(5), value]);
    this.raw = raw;
  }

  /** Values of all headers whose name folds to this one, as latin1 bytes. */
  header(name) { return this.headers.filter(([known]) => fold(known) === fold(name)).map(([, value]) => value); }

  variable(name) { return this.vars.find(([known]) => known === name)?.[1]; }

  /** Values of names that fold to `X_ENTRA_…`, by name. */
  get entra() { return Object.fromEntries(this.headers.filter(([name]) => fold(name).startsWith('X_ENTRA_')).map(([name, value]) => [fold(name), value])); }
}

const fromJson = (response) => {
  const json = JSON.parse(response.body.toString('utf8'));
  assert.equal(json.marker, MARKER);
  return json;
};
const fromVars = (vars) => new Seen({ vars, raw: JSON.stringify(vars) });
const bodyVars = (response) => fromVars(cgiVars(response));
const jsonVars = (response) => fromVars(fromJson(response).vars);
const jsonHeaders = (response) => { const json = fromJson(response); return new Seen({ headers: json.headers, raw: JSON.stringify(json) }); };
const ajpSeen = (response) => {
  const json = fromJson(response);
  const vars = json.attributes.map(([name, value]) => [name === 'remote_user' ? 'REMOTE_USER' : name, value]);
  return new Seen({ headers: json.headers, vars, raw: JSON.stringify(json) });
};

/** kind: {path, seen(response), vars: gets variables, user: gets REMOTE_USER}. */
export const KINDS = {
  cgi: { path: 'env', seen: bodyVars, vars: true, user: true },
  http: { path: 'x', seen: jsonHeaders },
  fcgi: { path: 'x', seen: jsonVars, vars: true, user: true },
  scgi: { path: 'x', seen: jsonVars, vars: true, user: true },
  uwsgi: { path: 'x', seen: jsonVars, vars: true, user: true },
  ajp: { path: 'x', seen: ajpSeen, user: true },
  ...(noPhp ? {} : { php: { path: 'env.php', seen: bodyVars, vars: true, user: true } }),
};

export const AREAS = {
  in: 'Require valid-user',
  public: 'Require all granted',
  off: 'AuthType None\n    Require all granted',
  pass: 'EntraUnauthenticated pass\n    Require all granted',
};

export const areaModules = ['proxy_ajp', 'proxy_fcgi', 'proxy_scgi', 'proxy_uwsgi', 'headers', 'rewrite', 'env', 'setenvif', 'include', 'autoindex', 'actions', 'mime', 'filter'];

function areaLines(server, area, rules, ports) {
  const at = (kind) => `/${area}/${kind}/`;
  return `
<Location "/${area}/">
    ${rules}
</Location>
ScriptAlias "${at('cgi')}" "${server.path('cgi')}/"
ProxyPass "${at('http')}" "http://127.0.0.1:${ports.http}/"
ProxyPass "${at('ws')}" "ws://127.0.0.1:${ports.http}/"
ProxyPass "${at('fcgi')}" "fcgi://127.0.0.1:${ports.fcgi}/"
ProxyPass "${at('scgi')}" "scgi://127.0.0.1:${ports.scgi}/"
ProxyPass "${at('uwsgi')}" "uwsgi://127.0.0.1:${ports.uwsgi}/"
ProxyPass "${at('ajp')}" "ajp://127.0.0.1:${ports.ajp}/"
${ports.php ? `Alias "${at('php')}" "${server.path('php')}/"` : ''}`;
}

/** The backends, started once for several sites. */
export async function startBackends() {
  const [fcgi, scgi, uwsgi, ajp, php] = await Promise.all([startFastCgi(), startScgi(), startUwsgi(), startAjp(), noPhp ? null : startPhp()]);
  const all = { fcgi, scgi, uwsgi, ajp, php };
  const running = Object.values(all).filter(Boolean);
  return { ...all, clear() { for (const one of running) one.clear?.(); }, async close() { await Promise.all(running.map((one) => one.close())); } };
}

/** Requests that any backend got since it was cleared, CGI and PHP left out. */
export const backendRequests = (site) => [site.backend, ...['fcgi', 'scgi', 'uwsgi', 'ajp'].map((kind) => site.backends[kind])].flatMap(({ requests }) => requests);

/**
 * A site where /AREA/KIND/PATH is each kind of backend (KINDS, and ws) in each area (AREAS). Options of startSite; `extra(server, ports)`
 * adds lines at the end, `areas` replaces AREAS.
 */
export async function startAreas({ backends: shared, areas = AREAS, extra, directives, files, modules, ...rest } = {}) {
  const backends = shared ?? await startBackends();
  try {
    const site = await startSite({
      ...rest,
      modules: [...areaModules, ...(modules ?? [])],
      files: { 'mime.types': 'text/html html shtml\n', 'cgi/env': CGI_ENV, ...(backends.php ? { 'php/env.php': PHP_ENV } : {}), ...files },
      config: (server, made) => {
        const ports = { http: made.backend.port, ...Object.fromEntries(Object.entries(backends).filter(([, one]) => one?.port).map(([kind, { port }]) => [kind, port])) };
        return `
TypesConfig mime.types
${entraLines(server, made.emu, directives)}
<Location "/">
    AuthType Entra
    Require valid-user
</Location>
<Directory "${server.path('cgi')}">
    Require all granted
</Directory>
<Proxy "http://127.0.0.1:${ports.http}/">
    ProxySet upgrade=websocket
</Proxy>
${ports.php ? `<Directory "${server.path('php')}">\n    Require all granted\n    ProxyFCGIBackendType GENERIC\n    SetHandler "proxy:fcgi://127.0.0.1:${ports.php}"\n</Directory>` : ''}
${Object.entries(areas).map(([area, rules]) => areaLines(server, area, rules, ports)).join('\n')}
${extra ? extra(server, ports) : ''}
`;
      },
    });
    const stop = site.stop.bind(site);
    return Object.assign(site, {
      backends,
      /** What the backend of this kind sees when `browser` (or nobody) asks for it: a Seen, or the response with seen: null. */
      async ask(browser, area, kind, { headers = {}, path = '', method = 'GET', body } = {}) {
        const url = `/${area}/${kind}/${KINDS[kind].path}${path}`;
        const cookie = browser?.cookies.header(new URL(site.at(url)), {});
        const lines = [...(cookie ? [['Cookie', cookie]] : []), ...(Array.isArray(headers) ? headers : Object.entries(headers))];
        const response = await site.httpd.request({ method, path: url, headers: lines, body });
        return { response, seen: response.status === 200 && response.body.length ? KINDS[kind].seen(response) : null };
      },
      /** What the application sees of a WebSocket handshake. */
      async upgrade(browser, path, headers = []) {
        const cookie = browser?.cookies.header(new URL(site.at(path)), {});
        const connection = await Connection.open(site.httpd.port);
        try {
          const given = headers.some(([name]) => /^connection$/i.test(name)) ? [] : [['Connection', 'Upgrade']];
          const response = await connection.request({
            path,
            host: `localhost:${site.httpd.port}`,
            close: false,
            headers: [...given, ['Upgrade', 'websocket'], ['Sec-WebSocket-Version', '13'], ['Sec-WebSocket-Key', 'dGhlIHNhbXBsZSBub25jZQ=='], ...(cookie ? [['Cookie', cookie]] : []), ...headers],
          });
          if (response.status === 101) {
            // Both ends of the tunnel close, so that no worker waits for one of them.
            connection.write(makeFrame(8, '', Buffer.from([1, 2, 3, 4])));
            await connection.rest();
          }
          return { response, seen: response.status === 101 ? new Seen({ headers: site.backend.last().headers, raw: JSON.stringify(site.backend.last()) }) : null };
        } finally {
          connection.close();
        }
      },
      async stop(options) {
        try {
          await stop(options);
        } finally {
          if (!shared) await backends.close();
        }
      },
    });
  } catch (error) {
    if (!shared) await backends.close();
    throw error;
  }
}
