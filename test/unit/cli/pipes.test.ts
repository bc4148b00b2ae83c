/** What is left of a command when nobody reads its output any more, as with `autocert … | head -1`. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hierarchy } from '../../support/tiny-ca.ts';

const PROGRAM = `'${process.execPath}' runtime/cli/main.ts`;
/** More than a pipe holds, and not more than a file may have. */
const CERTIFICATES = 400;

let folder: string;
let bundle: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pipes-'));
  bundle = join(folder, 'bundle.pem');
  writeFileSync(bundle, hierarchy().root.certificatePem.repeat(CERTIFICATES));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a line of bash; what `$?` of the first command was is its last line. */
async function bash(line: string) {
  const script = `${line}\necho "code \${PIPESTATUS[0]}"`;
  const { stdout, stderr } = await promisify(execFile)('bash', ['--norc', '-c', script], {
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  return { lines: stdout.trimEnd().split('\n'), stderr };
}

test.each([
  ['a long output', () => `${PROGRAM} inspect --bundle '${bundle}' | head -1`, 'code 0'],
  ['its help', () => `${PROGRAM} --help | true`, 'code 0'],
  ['its errors', () => `${PROGRAM} inspect no-such-file 2>&1 | true`, 'code 2'],
])(
  'a command whose reader leaves %s ends, quietly, with the code that it has anyway',
  async (_, line, code) => {
    const { lines, stderr } = await bash(line());
    expect([lines.at(-1), stderr]).toEqual([code, '']);
  },
  30_000,
);
