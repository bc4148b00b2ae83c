/**
 * The order of test files. Jest goes by how long they took the last time, and in a clean clone by their size: a short file
 * that takes long would then be the last one, with nothing beside it.
 * @module
 */
import { createRequire } from 'node:module';

/** Jest's own sequencer, of the version that runs. */
const { default: Sequencer } = createRequire(import.meta.resolve('jest'))('@jest/test-sequencer');

/** What takes ten seconds and more, the longest first: of either project, which run by themselves. */
const LONGEST = [
  ...[
    'cli/demo',
    'package',
    'agent/agent-script',
    'supervisor/ca-script',
    'pki/twelve-years',
    'bench/simulation',
    'cli/status-watch',
    'cli/completion',
  ].map((name) => `unit/${name}`),
  ...[
    'guides',
    'docs-site',
    'database-trials',
    'dashboard',
    'package',
    'registry',
    'ca-names',
    'shared-database',
    'monitoring',
    'bbolt',
    'hello-mtls',
    'image',
  ].map((name) => `interop/${name}`),
];

interface TestFile {
  readonly path: string;
}

const rankOf = ({ path }: TestFile) => {
  const index = LONGEST.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return index === -1 ? LONGEST.length : index;
};

/** See the module. */
export default class LongestFirst extends Sequencer {
  sort(tests: readonly TestFile[]): TestFile[] {
    return super.sort(tests).sort((one: TestFile, other: TestFile) => rankOf(one) - rankOf(other));
  }
}
