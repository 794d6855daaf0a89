// What the provider remembers (sessions, grants, tokens), kept between runs in one JSON file,
// so that a restarted world does not sign everybody out. The interface is oidc-provider's
// "adapter": https://github.com/panva/node-oidc-provider/blob/main/example/my_adapter.js
import { readFileSync, renameSync, writeFileSync } from 'node:fs';

const GRANTABLE = new Set(['AccessToken', 'AuthorizationCode', 'RefreshToken']);
const now = () => Math.floor(Date.now() / 1000);

export class Store {
  #file;

  #entries = new Map();

  #timer;

  constructor(file) {
    this.#file = file;
    try {
      this.#entries = new Map(Object.entries(JSON.parse(readFileSync(file, 'utf8'))));
    } catch (error) {
      if (error.code !== 'ENOENT') console.error(`${file} is damaged and left aside: ${error.message}`);
    }
  }

  // Entries by key; an entry is {payload, expiresAt?}.
  get(key) {
    const entry = this.#entries.get(key);
    if (entry?.expiresAt && entry.expiresAt < now()) {
      this.delete(key);
      return undefined;
    }
    return entry?.payload;
  }

  set(key, payload, expiresIn) {
    this.#entries.set(key, { payload, expiresAt: expiresIn ? now() + expiresIn : undefined });
    this.#changed();
  }

  delete(key) {
    if (this.#entries.delete(key)) this.#changed();
  }

  // All living payloads whose key begins with a model's name.
  * all(model) {
    for (const key of [...this.#entries.keys()]) {
      if (key.startsWith(`${model}:`)) {
        const payload = this.get(key);
        if (payload) yield [key.slice(model.length + 1), payload];
      }
    }
  }

  save() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const living = [...this.#entries].filter(([, e]) => !e.expiresAt || e.expiresAt >= now());
    writeFileSync(`${this.#file}.new`, JSON.stringify(Object.fromEntries(living)), { mode: 0o600 });
    renameSync(`${this.#file}.new`, this.#file);
  }

  #changed() {
    this.#timer ??= setTimeout(() => this.save(), 100);
  }
}

export function adapter(store) {
  return class Adapter {
    constructor(model) {
      this.model = model;
    }

    key(id) {
      return `${this.model}:${id}`;
    }

    async upsert(id, payload, expiresIn) {
      if (this.model === 'Session') store.set(`uid:${payload.uid}`, id, expiresIn);
      if (GRANTABLE.has(this.model) && payload.grantId) {
        const members = store.get(`grant:${payload.grantId}`) ?? [];
        if (!members.includes(this.key(id))) {
          // The longest-lived member keeps the list; expired members are harmless in it.
          store.set(`grant:${payload.grantId}`, [...members, this.key(id)]);
        }
      }
      store.set(this.key(id), payload, expiresIn);
    }

    async find(id) {
      return store.get(this.key(id));
    }

    async findByUid(uid) {
      const id = store.get(`uid:${uid}`);
      return id && this.find(id);
    }

    async findByUserCode() {
      return undefined;
    }

    async consume(id) {
      const payload = store.get(this.key(id));
      if (payload) {
        payload.consumed = now();
        store.save();
      }
    }

    async destroy(id) {
      store.delete(this.key(id));
    }

    async revokeByGrantId(grantId) {
      for (const key of store.get(`grant:${grantId}`) ?? []) store.delete(key);
      store.delete(`grant:${grantId}`);
    }
  };
}
