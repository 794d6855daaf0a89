// Wrong answers on demand, so that a relying party's checks can be tested against the real
// provider: the cases of the OpenID Foundation's relying-party tests, by their names.
import { createHmac, createPrivateKey, sign } from 'node:crypto';

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const parse = (text) => JSON.parse(Buffer.from(text, 'base64url').toString());

function jwt(header, claims, key) {
  const input = `${part(header)}.${part(claims)}`;
  return `${input}.${sign('RSA-SHA256', Buffer.from(input), createPrivateKey({ key, format: 'jwk' })).toString('base64url')}`;
}

// How each case changes a token's header and claims; the rest is signed as it should be.
const CHANGES = {
  'invalid-iss': (h, c) => { c.iss = 'https://somebody-else.example'; },
  'missing-sub': (h, c) => { delete c.sub; },
  'invalid-sub': (h, c) => { c.sub = 'somebody-else'; },
  'invalid-aud': (h, c) => { c.aud = 'another-client'; },
  'missing-iat': (h, c) => { delete c.iat; },
  'kid-absent': (h) => { delete h.kid; },
  'nonce-invalid': (h, c) => { c.nonce = 'not-the-nonce'; },
  expired: (h, c) => { c.iat -= 86400; c.exp = c.iat + 60; },
  'from-the-future': (h, c) => { c.iat += 86400; c.exp += 86400; c.nbf = c.iat; },
  'groups-as-text': (h, c) => { c.groups = 'gh-platform'; },
  'system-group': (h, c) => { c.groups = [...(c.groups ?? []), 'system:masters']; },
  'no-event': (h, c) => { delete c.events; },
  'wrong-event': (h, c) => { c.events = { 'http://schemas.openid.net/event/other': {} }; },
  'with-nonce': (h, c) => { c.nonce = 'a-nonce'; },
  'idtoken-as-logout': (h, c) => { h.typ = 'JWT'; delete c.events; },
};

export const CASES = [
  ...Object.keys(CHANGES), 'sig-none', 'invalid-sig', 'wrong-alg', 'discovery-issuer-mismatch', 'userinfo-invalid-sub', 'token-error', 'token-hang',
];

// `token` as the case wants it. `keys` is the provider's key set, the signing key first.
export function spoil(kind, token, { keys, clientSecret }) {
  const [head, body] = token.split('.');
  const header = parse(head);
  const claims = parse(body);
  switch (kind) {
    case 'sig-none':
      return `${part({ ...header, alg: 'none', kid: undefined })}.${body}.`;
    case 'invalid-sig': {
      const good = token.split('.')[2];
      const bytes = Buffer.from(good, 'base64url');
      bytes[10] ^= 0xff;
      return `${head}.${body}.${bytes.toString('base64url')}`;
    }
    case 'wrong-alg': {
      const input = `${part({ ...header, alg: 'HS256', kid: undefined })}.${body}`;
      return `${input}.${createHmac('sha256', clientSecret).update(input).digest('base64url')}`;
    }
    default:
      CHANGES[kind]?.(header, claims);
      return jwt(header, claims, keys.find((key) => key.kid === header.kid) ?? keys[0]);
  }
}
