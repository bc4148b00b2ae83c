/** What the parts of the node write to. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf, writeConfigurations } from '../../../scripts/cluster/components.ts';
import { FIRST_NODE } from '../../../scripts/cluster/settings.ts';

const STATE = '/state';
/** Folders that the node has in its own memory, as `node.sh` mounts them. */
const script = readFileSync('scripts/cluster/node.sh', 'utf8');
const mounted = (/^for dir in (.*); do$/m.exec(script)?.[1] ?? '').split(' ').map((dir) => `/${dir}/`);

test('the node has a /var/lib of its own', () => expect(mounted).toContain('/var/lib/'));

test('the controller manager makes its folder for volume plugins there, not in /usr/libexec', () => {
  const flag = commandOf('controller-manager', { state: STATE, place: FIRST_NODE }).find((word) =>
    word.startsWith('--flex-volume-plugin-dir='),
  );
  const [, folder = ''] = flag?.split('=') ?? [];
  expect(mounted.some((mount) => folder.startsWith(mount))).toBe(true);
});

test('kubelet does too', () => {
  const state = mkdtempSync(join(tmpdir(), 'autocert-node-'));
  try {
    mkdirSync(join(state, 'cni'));
    writeConfigurations({ state, place: FIRST_NODE }, 'group');
    const { volumePluginDir } = JSON.parse(readFileSync(join(state, 'kubelet.json'), 'utf8'));
    expect(mounted.some((mount) => volumePluginDir.startsWith(mount))).toBe(true);
  } finally {
    rmSync(state, { recursive: true });
  }
});
