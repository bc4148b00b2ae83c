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
  maxWorkers: '100%', // of two cores Jest would leave one alone
  testTimeout: 30_000,
  projects: ['unit', 'interop'].map((name) => ({
    displayName: name,
    testEnvironment: 'node',
    roots: [`<rootDir>/test/${name}`],
    extensionsToTreatAsEsm: ['.ts'],
    transform: { '^.+\\.ts$': ['@swc/jest', swc] },
    setupFiles: name === 'unit' ? ['<rootDir>/test/support/few-rounds.ts'] : [],
  })),
};
