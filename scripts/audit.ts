/**
 * `node scripts/audit.ts`: asks the registry for known vulnerabilities of what is installed (`npm audit`), and whether it
 * signed what is installed (`npm audit signatures`).
 *
 * All of our dependencies are npm's "development" ones, also those that are in the bundles. So `npm audit --omit=dev` would
 * look at nothing, and what counts here is whether a package is in a bundle: then any finding fails; in a tool, findings from
 * `high` upwards. What is accepted all the same is in `scripts/audit-exceptions.json`: the advisory's id, the reason, and until
 * when.
 *
 * A registry that does not offer this, such as a mirror, is named in a warning, and nothing else passes for that;
 * `--require` makes it fail, too.
 * @module
 */
import { execFile } from 'node:child_process';
import { type AuditException, auditVerdict, signatureVerdict, type Verdict } from './audit-verdict.ts';
import { builtPackages } from './bundled-packages.ts';
import { flagsOf } from './flags.ts';
import { buildBundles } from './image.ts';
import { ROOT, readJson } from './project-files.ts';

const HELP = `npm run audit [-- flags]: known vulnerabilities, and signatures, of what npm installed

  --require   fails where the registry does not answer these questions`;

/** A registry may hiccup; one that is not there is not waited for. */
const PATIENCE = ['--fetch-retries=2', '--fetch-retry-mintimeout=1000', '--fetch-timeout=30000'];
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** What npm says, whatever its exit code. */
function npm(...args: string[]): Promise<string> {
  const options = { cwd: ROOT, timeout: 300_000, maxBuffer: OUTPUT_LIMIT };
  return new Promise((resolve) => {
    execFile('npm', [...args, '--json', ...PATIENCE], options, (_, stdout) => resolve(stdout));
  });
}

async function main(): Promise<number> {
  const { values } = flagsOf(HELP, { options: { require: { type: 'boolean', default: false } } });
  const [vulnerabilities, signatures] = [await npm('audit'), await npm('audit', 'signatures')];
  await buildBundles();
  const bundled = builtPackages().flatMap(({ places }) => places);
  const exceptions = readJson<readonly AuditException[]>('scripts/audit-exceptions.json');
  const verdicts: readonly Verdict[] = [
    auditVerdict(vulnerabilities, { bundled, exceptions, today: new Date() }),
    signatureVerdict(signatures),
  ];
  for (const { text } of verdicts) console.log(text);
  const failed = verdicts.some(({ outcome }) => outcome === 'failed' || (values.require && outcome === 'unavailable'));
  return failed ? 1 : 0;
}

if (import.meta.main) process.exitCode = await main();
