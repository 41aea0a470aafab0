// Stands in for the shop's back end, which this demonstration does not have.
//
// A real shop signs on its server and hands the page the finished token: who
// holds the secret can be anybody. A secret never belongs in a page. This one
// is a demo value that the Caddyfile beside the demo knows too.
const WIDGET_ID = '85ea1938-f457-496d-8532-8fa489beea63';
const SECRET_KEY = {
  id: 'demo',
  key: 'ZGVtbyBvbmx5OiBub3QgYSBzZWNyZXQsIGl0IHN0YW5kcyBpbiBhIHB1YmxpYyBwYWdl',
};
const LIFETIME_SECONDS = 60;

/**
 * Signs a Live Chat token (JWT, HS256). Every call makes a fresh one: a token
 * opens a session once, so each page load needs its own.
 *
 * @param {string} email the customer who is signed in
 * @param {string} session the shop's own session id, at most 50 characters
 * @returns {Promise<string>}
 */
export async function liveChatToken(email, session) {
  const now = Math.floor(Date.now() / 1000);
  const claims = {
    iss: WIDGET_ID,
    jti: crypto.randomUUID(),
    sub: email,
    stp: 'email',
    iat: now,
    exp: now + LIFETIME_SECONDS,
    ski: SECRET_KEY.id,
    sid: session,
  };
  const signed = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode(claims)}`;
  const secret = Uint8Array.from(atob(SECRET_KEY.key), (c) => c.charCodeAt(0));
  const key = await crypto.subtle.importKey('raw', secret, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, new TextEncoder().encode(signed));
  return `${signed}.${base64url(new Uint8Array(signature))}`;
}

function encode(value) {
  return base64url(new TextEncoder().encode(JSON.stringify(value)));
}

function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
