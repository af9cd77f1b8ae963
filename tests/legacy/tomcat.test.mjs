// SPDX-License-Identifier: Apache-2.0
// Tomcat 10 as Debian packages it, by AJP (conf.d/tomcat-ajp.conf) and by HTTP (conf.d/tomcat-http.conf). The connectors are those that
// the heads of the two recipes show.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort, missing } from '../e2e/lib/httpd.mjs';
import { assertClosedToStrangers, assertSignsOut, startRecipe, textOf } from '../e2e/lib/recipe.mjs';
import { request } from '../e2e/lib/http.mjs';
import { absent, fileOf, startProgram, temporary } from './lib/packages.mjs';

const noJava = spawnSync('java', ['-version']).status === 0 ? false : 'there is no java (package default-jre-headless)';
const noTomcat = absent(['tomcat10-common', 'usr/share/tomcat10/bin/bootstrap.jar'], ['libtomcat10-java', 'usr/share/java/tomcat10-catalina.jar'], ['libeclipse-jdt-core-java', 'usr/share/java/eclipse-jdt-core.jar']);
const skip = missing || noJava || noTomcat;

// One line for each question, so that a name with quotes in it cannot be taken for another answer.
const PAGE = `<%@ page contentType="text/plain;charset=UTF-8" session="false" %><%
String[] headers = { "X-Entra-User", "X-Entra-Roles", "X-Display-Name", "X-Forwarded-Proto" };
out.println("marker=tomcat-inside-71c3");
out.println("user=" + request.getRemoteUser());
out.println("auth=" + request.getAuthType());
out.println("secure=" + request.isSecure());
out.println("oid=" + request.getAttribute("ENTRA_OID"));
out.println("roles=" + request.getAttribute("ENTRA_ROLES"));
for (String name : headers) out.println(name + "=" + request.getHeader(name));
%>`;

/** Elements that the head of a recipe shows, on one line each. */
const elementsOf = (name) => [...textOf(name).replaceAll(/^# ?/gm, '').matchAll(/<(?:Connector|Valve)[^>]*\/>/g)].map(([element]) => element.replaceAll(/\s+/g, ' '));

async function startTomcat() {
  const base = temporary('tomcat');
  const [ajp, plain] = [await freePort(), await freePort()];
  for (const name of ['conf', 'lib', 'logs', 'temp', 'work', 'webapps/ROOT/WEB-INF']) mkdirSync(path.join(base, name), { recursive: true });
  const jars = path.dirname(fileOf('libtomcat10-java', 'usr/share/java/tomcat10-catalina.jar'));
  for (const jar of readdirSync(jars).filter((name) => /^tomcat10-[a-z-]+\.jar$/.test(name) && !/i18n|catalina-ant|juli/.test(name))) symlinkSync(path.join(jars, jar), path.join(base, 'lib', jar));
  symlinkSync(fileOf('libeclipse-jdt-core-java', 'usr/share/java/eclipse-jdt-core.jar'), path.join(base, 'lib/ecj.jar'));
  const [connectorAjp] = elementsOf('tomcat-ajp');
  const [connectorHttp, valve] = elementsOf('tomcat-http');
  writeFileSync(path.join(base, 'conf/server.xml'), `<Server port="-1"><Service name="Catalina">
${connectorAjp.replace('port="8009"', `port="${ajp}"`)}
${connectorHttp.replace('port="8080"', `port="${plain}"`)}
<Engine name="Catalina" defaultHost="localhost">${valve}<Host name="localhost" appBase="webapps" autoDeploy="false" /></Engine></Service></Server>\n`);
  writeFileSync(path.join(base, 'conf/web.xml'), `<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
<servlet><servlet-name>jsp</servlet-name><servlet-class>org.apache.jasper.servlet.JspServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>jsp</servlet-name><url-pattern>*.jsp</url-pattern></servlet-mapping></web-app>\n`);
  writeFileSync(path.join(base, 'webapps/ROOT/who.jsp'), PAGE);
  const bin = path.dirname(fileOf('tomcat10-common', 'usr/share/tomcat10/bin/bootstrap.jar'));
  const classes = [path.join(bin, 'bootstrap.jar'), path.join(jars, 'tomcat10-juli.jar')].join(':');
  const child = startProgram('java', ['-Xshare:auto', '-XX:TieredStopAtLevel=1', '-Xmx256m', '-cp', classes, `-Dcatalina.home=${base}`, `-Dcatalina.base=${base}`, `-Djava.io.tmpdir=${base}/temp`, 'org.apache.catalina.startup.Bootstrap', 'start']);
  await child.waitFor(/Server startup in/);
  return { ajp, plain, ...child };
}

const answers = (response) => Object.fromEntries(response.text.trim().split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)));

describe('Tomcat', { skip }, () => {
  let tomcat;
  let recipe;

  before(async () => { tomcat = await startTomcat(); });
  after(async () => { await tomcat?.close(); });

  const stop = async () => { const one = recipe; recipe = undefined; await one?.stop(); };

  test('by AJP: getRemoteUser is the user, and attributes have the rest', async () => {
    recipe = await startRecipe('tomcat-ajp', { replace: [['127.0.0.1:8009', `127.0.0.1:${tomcat.ajp}`]] });
    await assertClosedToStrangers(recipe, '/who.jsp', { leak: 'tomcat-inside' });
    const root = await recipe.signedIn({ user: 'root', path: '/who.jsp' });
    const got = answers(root.page.response);
    assert.deepEqual([got.user, got.auth, got.secure, got.roles, got['X-Entra-User']], ['root@contoso.example', 'Entra', 'true', 'app.admin,app.reader', 'null']);
    assert.match(got.oid, /^[0-9a-f-]{36}$/);
    const forged = answers((await root.navigate(recipe.at('/who.jsp'), { headers: { 'AJP-ENTRA-OID': 'x', 'Remote-User': 'x', 'X-Entra-User': 'x' } })).response);
    assert.deepEqual(forged, got);
    await assertSignsOut(recipe, root, '/who.jsp');
    await stop();
  });

  test('by AJP: nobody without the secret', async () => {
    recipe = await startRecipe('tomcat-ajp', { replace: [['127.0.0.1:8009', `127.0.0.1:${tomcat.ajp}`], ['secret=change-this', 'secret=other']] });
    const page = await recipe.signedIn({ path: '/who.jsp' }).then(() => 200, (error) => error.message);
    assert.match(String(page), /-> 403/);
    recipe.httpd.allow(/AH/);
    await stop();
  });

  test('by HTTP: request headers have the user', async () => {
    recipe = await startRecipe('tomcat-http', { replace: [['127.0.0.1:8080', `127.0.0.1:${tomcat.plain}`]] });
    await assertClosedToStrangers(recipe, '/who.jsp', { leak: 'tomcat-inside' });
    const eleni = await recipe.signedIn({ user: 'eleni', path: '/who.jsp' });
    const got = answers(eleni.page.response);
    assert.deepEqual([got.user, got['X-Entra-User'], got['X-Entra-Roles'], got['X-Forwarded-Proto']], ['null', 'eleni@contoso.example', 'app.reader', 'https']);
    assert.equal(decodeURIComponent(got['X-Display-Name']), 'Ελένη Παπαδοπούλου');
    assert.equal(got.secure, 'true', 'the valve makes it a request of https');
    const forged = answers((await eleni.navigate(recipe.at('/who.jsp'), { headers: { X_Entra_User: 'x', 'X-Display-Name': 'x' } })).response);
    assert.deepEqual(forged, got);
    await assertSignsOut(recipe, eleni, '/who.jsp');
    await stop();
  });

  test('without httpd nobody is anybody', async () => {
    const got = answers(await request(tomcat.plain, { path: '/who.jsp', headers: {} }));
    assert.equal(got.user, 'null');
  });
});
