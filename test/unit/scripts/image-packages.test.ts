import packageJson from '../../../package.json' with { type: 'json' };
import pins from '../../../scripts/image-packages.json' with { type: 'json' };
import { checkNode } from '../../../scripts/image-packages.ts';

describe('scripts/image-packages.json', () => {
  test('pins the Node of package.json, and every package by its SHA-256', () => {
    for (const { node, packages } of Object.values(pins)) {
      expect(node.version).toBe(packageJson.devDependencies.node);
      for (const { sha256 } of [node, ...packages]) expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    }
  });

  test('has the way out in the errors about another Node', () => {
    const node = { version: '24.0.0', sha256: 'aa' };
    expect(() => checkNode(node, undefined)).toThrow(/has none for this architecture.*--update-packages/);
    expect(() => checkNode(node, { version: '24.0.1', sha256: 'aa' })).toThrow(/^Node 24\.0\.0 is installed.*`npm ci`/);
    expect(() => checkNode(node, { version: '24.0.0', sha256: 'bb' })).toThrow(
      /is not the same program, and is not used/,
    );
  });
});
