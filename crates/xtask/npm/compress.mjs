// Writes FILE.br beside each text or WebAssembly file under the folder given, if it is newer.
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";

const compress = promisify(brotliCompress);
const wanted = /\.(js|css|wasm|svg|html|txt|json|webmanifest)$/;
const options = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };

const folder = process.argv[2];
for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !wanted.test(entry.name)) continue;
  const file = join(entry.parentPath ?? entry.path, entry.name);
  const target = `${file}.br`;
  const [source, old] = await Promise.all([stat(file), stat(target).catch(() => undefined)]);
  if (old && old.mtimeMs >= source.mtimeMs) continue;
  await writeFile(target, await compress(await readFile(file), options));
}
