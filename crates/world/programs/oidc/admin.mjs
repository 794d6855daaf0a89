// The admin endpoint for tests: lifetimes, keys, accounts, sessions and wrong answers.
// Every request wants the bearer token; every answer is JSON.
//
//   GET  /admin                     what is set
//   POST /admin/lifetimes           {"access_token": s, "id_token": s, "refresh_token": s, "session": s}
//   POST /admin/rotate-keys         {"retire": true}: a new signing key; the old ones go at once
//   POST /admin/accounts/<login>    {"groups": [...], "disabled": bool, "employee_number": "..."}
//   POST /admin/sign-out            {"login": "..."}: ends the person's sessions, back-channel logout included
//   POST /admin/revoke              {"login": "..."}: ends the person's refresh tokens without a word
//   POST /admin/misbehave           {"case": "invalid-iss", "where": "id_token"|"logout_token",
//                                    "grant": "authorization_code"|"refresh_token", "times": n}
//   POST /admin/reset               everything as it was at the start, keys and sessions excepted
import { timingSafeEqual } from 'node:crypto';
import { CASES } from './misbehave.mjs';

const LIMIT = 64 * 1024;

class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

async function body(req) {
  const chunks = [];
  let size = 0;
  for await (const chunk of req) {
    size += chunk.length;
    if (size > LIMIT) throw new Refusal(413, `more than ${LIMIT} bytes`);
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks).toString();
  if (!text) return {};
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Refusal(400, `not JSON: ${error.message}`);
  }
}

function authorised(req, token) {
  const given = Buffer.from(req.headers.authorization ?? '');
  const wanted = Buffer.from(`Bearer ${token}`);
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

function account(world, login) {
  const found = world.accounts.get(login);
  if (!found) throw new Refusal(404, `no account ${login}`);
  return found;
}

const routes = {
  'GET /admin': async (world) => ({
    lifetimes: world.lifetimes,
    misbehave: world.misbehave,
    keys: world.keys.map((key) => key.kid),
    accounts: [...world.accounts.values()].map(({ password, ...rest }) => rest),
    cases: CASES,
    backchannel: world.backchannel,
  }),
  'POST /admin/lifetimes': async (world, given) => {
    for (const [name, seconds] of Object.entries(given)) {
      if (!(name in world.lifetimes)) throw new Refusal(400, `no lifetime ${name}: ${Object.keys(world.lifetimes).join(', ')}`);
      if (!Number.isInteger(seconds) || seconds < 1) throw new Refusal(400, `${name}: whole seconds from 1`);
    }
    Object.assign(world.lifetimes, given);
    return world.lifetimes;
  },
  'POST /admin/rotate-keys': async (world, given) => {
    world.rotateKeys(Boolean(given.retire));
    return { keys: world.keys.map((key) => key.kid) };
  },
  'POST /admin/sign-out': async (world, given) => world.signOut(account(world, given.login)),
  'POST /admin/revoke': async (world, given) => world.revoke(account(world, given.login)),
  'POST /admin/misbehave': async (world, given) => {
    if (!CASES.includes(given.case)) throw new Refusal(400, `no case ${given.case}: ${CASES.join(', ')}`);
    world.misbehave = {
      case: given.case, where: given.where ?? 'id_token', grant: given.grant, times: given.times ?? 1,
    };
    return world.misbehave;
  },
  'POST /admin/reset': async (world) => {
    world.reset();
    return {};
  },
};

export async function admin(world, req, res) {
  const answer = (status, value) => {
    res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
    res.end(`${JSON.stringify(value)}\n`);
  };
  try {
    if (!authorised(req, world.config.admin_token)) throw new Refusal(401, 'a bearer token is wanted');
    const { pathname } = new URL(req.url, 'http://localhost');
    const given = req.method === 'POST' ? await body(req) : {};
    const route = routes[`${req.method} ${pathname}`];
    if (route) return answer(200, await route(world, given));
    const login = pathname.match(/^\/admin\/accounts\/([\w-]+)$/)?.[1];
    if (login && req.method === 'POST') {
      const found = account(world, login);
      for (const name of ['groups', 'disabled', 'employee_number', 'name', 'email']) {
        if (name in given) found[name] = given[name];
      }
      const { password, ...rest } = found;
      return answer(200, rest);
    }
    throw new Refusal(404, `no ${req.method} ${pathname}`);
  } catch (error) {
    return answer(error.status ?? 500, { error: error.message });
  }
}
