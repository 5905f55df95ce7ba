// Builds the Redux DevTools app into one folder: node build.mjs OUT
//
// The packages that the lock file names, by hash, are installed into a folder of their own (none of
// their scripts is run), bundled into app.js and app.css, and removed again. The licence texts of all
// that went into the bundle are collected beside it, from what esbuild says it read.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const SOURCES = path.dirname(fileURLToPath(import.meta.url));
const COPIED = ['index.html', 'icon.svg'];
const LICENCES = 'THIRD_PARTY_LICENSES.txt';
const COMPRESSED = ['app.js', LICENCES];

// The standard texts, for the few packages that name their licence and come without it.
const PERMISSION = {
  ISC: `Permission to use, copy, modify, and/or distribute this software for any purpose with or
without fee is hereby granted, provided that the above copyright notice and this permission notice
appear in all copies.

THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS
SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE
AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT,
NEGLIGENCE OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF
THIS SOFTWARE.`,
  MIT: `Permission is hereby granted, free of charge, to any person obtaining a copy of this software
and associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial
portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT
NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND
NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES
OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`,
};

async function build(out) {
  await mkdir(out, { recursive: true });
  const work = await mkdtemp(path.join(out, 'work-'));
  try {
    for (const name of ['package.json', 'package-lock.json', '.npmrc', 'entry.jsx', 'page.css']) {
      // Not every way of packing sources takes files that begin with a dot; the lock decides anyway.
      if (existsSync(path.join(SOURCES, name))) {
        await copyFile(path.join(SOURCES, name), path.join(work, name));
      }
    }
    install(work);
    const inputs = await bundle(work, out);
    const packages = await licences(work, inputs);
    await writeFile(path.join(out, LICENCES), text(packages));
    for (const name of COPIED) await copyFile(path.join(SOURCES, name), path.join(out, name));
    for (const name of COMPRESSED) await compress(out, name);
    console.log(`${packages.length} packages bundled`);
  } finally {
    await rm(work, { recursive: true, force: true, maxRetries: 3 });
  }
}

function install(work) {
  const windows = process.platform === 'win32';
  const flags = ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  console.log('npm ci: the packages of package-lock.json');
  const done = spawnSync(windows ? 'npm.cmd' : 'npm', flags, {
    cwd: work,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: windows,
  });
  if (done.error) throw new Error(`npm could not be started: ${done.error.message}`);
  if (done.status !== 0) throw new Error(`npm ci ended with ${done.status ?? done.signal}`);
}

async function bundle(work, out) {
  const esbuild = createRequire(path.join(work, 'package.json'))('esbuild');
  const result = await esbuild.build({
    absWorkingDir: work,
    entryPoints: { app: 'entry.jsx' },
    outdir: out,
    bundle: true,
    minify: true,
    metafile: true,
    format: 'iife',
    target: ['es2022'],
    define: { 'process.env.NODE_ENV': '"production"', global: 'globalThis' },
    legalComments: 'none', // THIRD_PARTY_LICENSES.txt has the whole texts
    logLevel: 'warning',
    sourcemap: false,
    plugins: [
      { name: 'system fonts', setup: withoutFonts },
      { name: 'listeners', setup: withListeners },
    ],
  });
  const page = await esbuild.transform(await readFile(path.join(work, 'page.css'), 'utf8'), {
    loader: 'css',
    minify: true,
  });
  const styles = path.join(out, 'app.css');
  const theirs = existsSync(styles) ? await readFile(styles, 'utf8') : '';
  await writeFile(styles, theirs + page.code);
  // What tree shaking left nothing of is not distributed either.
  const used = new Set();
  for (const output of Object.values(result.metafile.outputs)) {
    for (const [name, { bytesInOutput }] of Object.entries(output.inputs)) {
      if (bytesInOutput > 0) used.add(name);
    }
  }
  return used;
}

// The fonts that come with the app have licences, and terms, of their own, which it does not name: the
// fonts of the machine do as well.
function withoutFonts(build) {
  build.onLoad({ filter: /[\\/]fonts[\\/]index\.css$/ }, () => ({ contents: '', loader: 'css' }));
}

// Where rows have no buttons, as ours, the list gives `false` for a listener, and React calls it.
function withListeners(build) {
  build.onLoad({ filter: /inspector-monitor[\\/]lib[\\/]ActionListRow\.js$/ }, async ({ path }) => {
    const parts = (await readFile(path, 'utf8')).split('(!hideActionButtons &&');
    if (parts.length !== 3) throw new Error('ActionListRow.js is not the one that is put right');
    return { contents: parts.join('(hideActionButtons ? undefined :'), loader: 'js' };
  });
}

async function licences(work, inputs) {
  const folders = new Set();
  for (const name of inputs) {
    const at = name.lastIndexOf('node_modules/');
    if (at < 0) continue;
    const parts = name.slice(at + 'node_modules/'.length).split('/');
    const own = parts.slice(0, parts[0].startsWith('@') ? 2 : 1).join('/');
    folders.add(name.slice(0, at) + 'node_modules/' + own);
  }
  const found = new Map();
  for (const folder of [...folders].sort()) {
    const whole = path.join(work, folder);
    const about = JSON.parse(await readFile(path.join(whole, 'package.json'), 'utf8'));
    const files = (await readdir(whole)).filter((name) => /^(licen[cs]e|copying|notice)/i.test(name));
    const texts = [];
    for (const file of files.sort()) texts.push(await readFile(path.join(whole, file), 'utf8'));
    const licence = about.license?.type ?? about.license ?? about.licenses?.[0]?.type;
    found.set(`${about.name} ${about.version}`, { about, licence, texts });
  }
  return [...found].sort(([a], [b]) => (a < b ? -1 : 1));
}

function text(packages) {
  const parts = [
    'Redux DevTools as served here is made of these packages from npm, bundled by\nsync/devtools/ui/build.mjs of crdtstore, without the fonts of the app, and with one mistake in\nits ActionListRow.js put right.\n',
  ];
  for (const [name, { about, licence, texts }] of packages) {
    const author = typeof about.author === 'object' ? about.author.name : about.author;
    const home = about.homepage ?? about.repository?.url ?? about.repository ?? '';
    const standard = texts.length > 0 || PERMISSION[licence];
    if (!standard) throw new Error(`${name} comes without the text of its licence, ${licence}`);
    const none = `Copyright (c) ${author ?? `the authors of ${about.name}`}\n\n${standard}`;
    parts.push(
      `${'='.repeat(78)}\n${name}\nLicence: ${licence ?? 'see below'}\n${home}\n`,
      `${texts.length > 0 ? texts.map((one) => one.trim()).join('\n\n') : none}\n`,
    );
  }
  return parts.join('\n').replaceAll('\r\n', '\n');
}

async function compress(out, name) {
  const bytes = await readFile(path.join(out, name));
  await writeFile(path.join(out, `${name}.gz`), gzipSync(bytes, { level: 9 }));
}

if (process.argv.length !== 3) {
  console.error('usage: node build.mjs OUT');
  process.exitCode = 2;
} else {
  await build(path.resolve(process.argv[2])).catch((error) => {
    console.error(`Redux DevTools was not built: ${error.message}`);
    process.exitCode = 1;
  });
}
