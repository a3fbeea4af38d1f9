import { readFileSync } from 'node:fs';
import t from 'tap';
import { makeCertificates } from '../support/certificates.ts';
import { startChromium } from '../support/chromium.ts';
import { CLIENT, startIdentityProvider } from '../support/identity-provider.ts';
import { SCHEMES } from '../support/secure.ts';
import { startWorld } from '../support/world.ts';

const PEOPLE = { 'alice-1': { preferred_username: 'alice', groups: ['ml-admins'] } };
/** What we kept in this browser, as it says itself. */
type Cookie = {
  readonly name: string;
  readonly httpOnly: boolean;
  readonly sameSite: string;
  readonly secure: boolean;
};

for (const { scheme, secure } of SCHEMES)
  t.test(
    `over ${scheme} a person signs in with Chromium at the provider, and no other site does anything`,
    async (t) => {
      const certificates = makeCertificates(t.testdir({}));
      const provider = await startIdentityProvider(t, PEOPLE, secure ? { certificates } : {});
      const tls = { TLS_CERT: certificates.cert, TLS_KEY: certificates.key, AUTH_OIDC_CA: certificates.ca };
      const world = await startWorld(t, [], {
        settings: {
          AUTH_REQUIRED: 'true',
          AUTH_OIDC_ISSUER: provider.issuer,
          AUTH_OIDC_CLIENT_ID: CLIENT.id,
          AUTH_OIDC_CLIENT_SECRET: CLIENT.secret,
          AUTH_OIDC_GROUPS_ROLES_ADMIN: 'ml-admins',
          ...(secure && tls),
        },
      });
      // Two names of loopback are two sites to a browser: one for each.
      const here = new URL(world.url);
      here.hostname = new URL(provider.issuer).hostname === 'localhost' ? '127.0.0.1' : 'localhost';
      const gateway = here.origin;
      provider.serve(gateway);
      const chromium = await startChromium(t, secure ? readFileSync(certificates.cert, 'utf8') : undefined);
      const tab = await chromium.tab();

      await tab.open(`${gateway}/api/v1/session/oidc?back=/api/v1/session`);
      await tab.until('document.querySelector("[name=login]")');
      t.equal(new URL((await tab.shown()).url).origin, provider.issuer, 'at the provider');
      await tab.evaluate(`for (const [name, value] of [['login', 'alice-1'], ['password', 'any']])
      document.querySelector('[name=' + name + ']').value = value;
      document.querySelector('form').requestSubmit()`);
      await tab.until('document.querySelector("[name=prompt]")?.value === "consent"');
      await tab.evaluate('document.querySelector("form").requestSubmit()');
      await tab.until(
        `location.href === ${JSON.stringify(`${gateway}/api/v1/session`)} && document.readyState === 'complete'`,
      );
      const me = JSON.parse((await tab.shown()).text);
      t.match(me, { name: `${provider.issuer}#alice-1`, shown: 'alice', role: 'admin', csrf: /^[\w-]{43}$/ });
      const cookies = (await tab.cookies(gateway)) as readonly Cookie[];
      const ours = cookies.filter(({ name }) => name.includes('weighbridge'));
      const name = `${secure ? '__Host-' : ''}weighbridge`;
      t.match(ours, [{ name, httpOnly: true, sameSite: 'Strict', secure }], 'what kept the sign-in is gone');
      t.equal(ours.length, 1);
      t.equal(
        await tab.evaluate('document.cookie').catch(() => ''),
        undefined,
        'a page of ours has no cookies to read',
      );

      const stranger = await chromium.tab();
      await stranger.open(`${gateway}/api/v1/session`);
      await stranger.until('document.documentElement.textContent.includes("UNAUTHENTICATED")');

      await tab.open(`${provider.issuer}/.well-known/openid-configuration`);
      await tab.until(`location.origin === ${JSON.stringify(provider.issuer)}`);
      const there = JSON.stringify(`${gateway}/api/v1/session`);
      const read = await tab.evaluate(
        `fetch(${there}, { credentials: 'include' }).then(() => 'read', () => 'not read')`,
      );
      t.equal(read, 'not read', 'another site reads nothing');
      await tab.evaluate(`Promise.all([['DELETE', ''], ['POST', 's/end']].flatMap(([method, path]) =>
      ['cors', 'no-cors'].map((mode) => fetch(${there} + path, { method, mode, credentials: 'include' })
        .catch(() => undefined))))`);
      await tab.evaluate(`location.href = ${there}`);
      await tab.until(`location.href === ${there} && document.documentElement.textContent.includes('UNAUTHENTICATED')`);
      await tab.open(`${gateway}/api/v1/session`);
      await tab.until('document.documentElement.textContent.includes("csrf")');

      await tab.open(`${gateway}/api/v1/session/oidc?again=true&back=/api/v1/sessions`);
      await tab.until('document.querySelector("[name=login]")');
      await tab.evaluate(`document.querySelector('[name=login]').value = 'alice-1';
      document.querySelector('[name=password]').value = 'any'; document.querySelector('form').requestSubmit()`);
      await tab.until(
        `location.href === ${JSON.stringify(`${gateway}/api/v1/sessions`)} && document.readyState === 'complete'`,
      );
      const { sessions } = JSON.parse((await tab.shown()).text);
      t.match(sessions, [{ current: false }, { current: true }], 'seen anew, though the provider remembered');

      const opened = (await world.entries()).filter(({ kind }) => kind === 'session.opened');
      t.match(opened, [{ detail: { via: 'oidc', role: 'admin' } }, { detail: { via: 'oidc' } }]);
      t.equal((await world.entries()).filter(({ kind }) => kind === 'session.closed').length, 0);
    },
  );
