import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

// The programs that tests start are TypeScript: whoever is not the first finds it compiled. For Jest's own modules, too.
process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'node-compile-cache');

/** Two projects of one make: `npm test` runs `unit`, `npm run interop` the other. */
const swc = {
  jsc: {
    parser: { syntax: 'typescript' },
    target: 'es2024',
    experimental: { keepImportAttributes: true },
  },
  module: { type: 'es6' },
};

export default {
  maxWorkers: availableParallelism() + 1, // one of them waits: for a timer, for a program; those of interop compute
  testTimeout: 30_000,
  testSequencer: './test/support/longest-first.ts',
  projects: ['unit', 'interop'].map((name) => ({
    displayName: name,
    testEnvironment: 'node',
    roots: [`<rootDir>/test/${name}`],
    extensionsToTreatAsEsm: ['.ts'],
    transform: { '^.+\\.ts$': ['@swc/jest', swc] },
    setupFiles: name === 'unit' ? ['<rootDir>/test/support/few-rounds.ts'] : [],
  })),
};
