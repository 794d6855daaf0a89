// Builds the style sheet: PatternFly, purged of what no page uses, then our own rules.
//
//   node build.mjs --out FILE
//
// The fonts that the sheet names are written to `fonts/` beside FILE.
import { cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { brotliCompressSync } from "node:zlib";
import { browserslistToTargets, transform } from "lightningcss";
import postcss from "postcss";
import { PurgeCSS } from "purgecss";

const here = dirname(fileURLToPath(import.meta.url));
const patternfly = join(here, "node_modules/@patternfly/patternfly");
const { values } = parseArgs({ options: { out: { type: "string" } } });
if (!values.out) {
  console.error("say where the style sheet goes: node build.mjs --out FILE");
  process.exit(2);
}

/** Every file below a folder that ends so. */
function files(folder, end) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith(end))
    .map((f) => join(f.parentPath ?? f.path, f.name));
}

// Class names are whole words in the sources of the pages, and of the server's own plain pages.
const sources = [...files(join(here, "../app/src"), ".rs"), ...files(join(here, "../server/src/edge"), ".rs")];
const words = new Set(sources.flatMap((f) => readFileSync(f, "utf8").match(/[A-Za-z][\w-]*/g) ?? []));
// Those that the sources put together: `format!("pf-m-{kind}")`.
for (const kind of ["primary", "secondary", "danger", "link", "success", "warning", "info"]) words.add(`pf-m-${kind}`);
// What HTML has that no source needs to name.
for (const tag of ["html", "body", "root"]) words.add(tag);

// Themes, writing directions and effects that the console does not offer.
const UNUSED = /pf-v6-theme-(felt|glass|high-contrast)|\[dir=|pf-v6-m-|:is\(\.pf-v6-c-page__dock|pf-v6-c-(compass|hero|drawer)/;

/** PatternFly without what cannot match here. */
async function purged() {
  const root = postcss.parse(readFileSync(join(patternfly, "patternfly.css"), "utf8"));
  root.walkRules((rule) => {
    if (rule.parent.type === "atrule" && rule.parent.name.endsWith("keyframes")) return;
    const kept = rule.selectors.filter((s) => !UNUSED.test(s));
    if (kept.length === 0) rule.remove();
    else rule.selectors = kept;
  });
  // Our own follow, fewer of them.
  root.walkAtRules("font-face", (rule) => rule.remove());
  root.walkAtRules("supports", (rule) => /webkit-hyphens/.test(rule.params) && rule.remove());
  const extracted = [...words];
  const [result] = await new PurgeCSS().purge({
    content: [{ raw: "", extension: "rs" }],
    css: [{ raw: root.toString() }],
    defaultExtractor: () => extracted,
    safelist: { standard: [":root", "pf-v6-theme-dark"] },
    keyframes: true,
  });
  return postcss.parse(result.css);
}

/** PatternFly turns dark by a class; a page that follows the system has `gh-theme-auto` instead. */
function followTheSystem(root) {
  const media = postcss.atRule({ name: "media", params: "(prefers-color-scheme: dark)" });
  let last;
  root.walkRules(/pf-v6-theme-dark/, (rule) => {
    media.append(rule.clone({ selectors: rule.selectors.map((s) => s.replaceAll(".pf-v6-theme-dark", ".gh-theme-auto")) }));
    last = rule;
  });
  if (!last) throw new Error("no dark theme was found: has PatternFly's class another name?");
  last.after(media);
  return root;
}

/** Takes away definitions of variables that nothing reads, until there are none. */
function dropUnreadVariables(root) {
  for (;;) {
    const read = new Set();
    root.walkDecls((d) => {
      for (const [, name] of d.value.matchAll(/var\(\s*(--[\w-]+)/g)) read.add(name);
    });
    let dropped = 0;
    root.walkDecls(/^--/, (d) => {
      if (!read.has(d.prop)) {
        d.remove();
        dropped += 1;
      }
    });
    root.walkAtRules("property", (rule) => {
      if (!read.has(rule.params.trim())) {
        rule.remove();
        dropped += 1;
      }
    });
    if (dropped === 0) break;
  }
  root.walkRules((rule) => rule.nodes.length === 0 && rule.remove());
  root.walkAtRules((rule) => rule.nodes?.length === 0 && rule.remove());
}

const theirs = followTheSystem(await purged());
const ours = followTheSystem(postcss.parse(readFileSync(join(here, "main.css"), "utf8")));
const whole = postcss.parse(`@layer pf, gh;\n@layer pf {\n${theirs.toString()}\n}\n@layer gh {\n${ours.toString()}\n}\n`);
dropUnreadVariables(whole);
const fonts = readFileSync(join(here, "fonts.css"), "utf8");
const { code } = transform({
  filename: "gatehouse.css",
  code: Buffer.from(`${fonts}\n${whole.toString()}`),
  minify: true,
  targets: browserslistToTargets(["chrome 111", "firefox 114", "safari 16.4"]),
});

const out = resolve(values.out);
mkdirSync(join(dirname(out), "fonts"), { recursive: true });
for (const [, name] of fonts.matchAll(/url\("fonts\/([\w-]+)\.woff2"\)/g)) {
  const folder = name.replace(/VF$/, "");
  cpSync(join(patternfly, "assets/fonts", folder, `${name}.woff2`), join(dirname(out), "fonts", `${name}.woff2`));
}
writeFileSync(out, code);

const size = brotliCompressSync(code).length;
console.log(`${out}: ${code.length} bytes, ${size} after brotli`);
const LIMIT = 35_000;
if (size > LIMIT) {
  console.error(`the style sheet has grown to ${size} bytes after brotli; the limit is ${LIMIT}`);
  process.exit(1);
}
