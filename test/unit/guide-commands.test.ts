import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { withoutCode } from '../../scripts/docs/headings.ts';
import { blocksOf } from '../e2e/guide.ts';
import { autocertProblem, commandProblem, isKnown, npmProblem } from '../support/guide-commands.ts';
import { commandsOf } from '../support/shell-words.ts';

const ROOT = join(import.meta.dirname, '../..');
const PAGES = [
  ...['README.md', 'CONTRIBUTING.md', 'SECURITY.md', 'examples/hello-mtls/README.md'],
  ...readdirSync(join(ROOT, 'docs')).map((file) => `docs/${file}`),
].filter((file) => file.endsWith('.md'));
const read = (page: string) => readFileSync(join(ROOT, page), 'utf8');

/** What one types: of a session the lines with a prompt. */
function typed({ language, text }: { language: string; text: string }): string {
  if (language !== 'console') return text;
  return [...text.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line).join('\n');
}

/** Text that no shell is named for, and which is commands all the same: some tests type each block of `sh` of their page. */
const isAllCommands = (text: string) => /^(?:(?:autocert|kubectl|npm) .*\n)+$/.test(text);

describe.each(PAGES)('%s', (page) => {
  const blocks = blocksOf(read(page)).filter(
    ({ language, text }) => ['sh', 'bash', 'console'].includes(language) || isAllCommands(text),
  );

  test('has no command that cannot be right, unless a test types it or it says why none does', () => {
    const untyped = blocks.filter(({ step, typedBy }) => step === undefined && typedBy === undefined);
    const problems = untyped.flatMap((block) => {
      // What is not run may be of programs that nobody here has; ours are looked at all the same.
      const commands = commandsOf(typed(block)).filter((command) => block.notRun === undefined || isKnown(command));
      return commands.flatMap((command) => {
        const problem = commandProblem(command);
        return problem === undefined ? [] : [`line ${block.line}: ${problem}: ${command.words.join(' ')}`];
      });
    });
    expect(problems).toEqual([]);
  });

  test('is read by each test that is said to type it', () => {
    for (const { typedBy } of blocks) {
      if (typedBy !== undefined) expect(read(typedBy)).toContain(page);
    }
  });

  test('says in a sentence why a command is not run', () => {
    for (const { notRun = 'there is no need for a reason here' } of blocks) {
      expect(notRun.split(' ').length).toBeGreaterThan(5);
    }
  });

  test('names in its prose no command, option or script that is not there', () => {
    const prose = withoutCode(read(page));
    const spans = [...prose.matchAll(/`((?:kubectl )?autocert [a-z][^`]*|npm run [^`]*)`/g)].map(
      ([, span = '']) => span,
    );
    const problems = spans.flatMap((span) =>
      commandsOf(span).flatMap(({ words: [program = '', ...args] }) => {
        const own = program === 'kubectl' ? args.slice(1) : args;
        if (program === 'npm') return npmProblem(args) ?? [];
        return ['autocert', 'kubectl'].includes(program) ? (autocertProblem(own, { inProse: true }) ?? []) : [];
      }),
    );
    expect(problems).toEqual([]);
  });
});

describe('a command', () => {
  const problems = (script: string) => commandsOf(script).flatMap((command) => commandProblem(command) ?? []);

  test.each([
    'autocert status -A -o wide',
    'autocert pki backup --out - | sops encrypt /dev/stdin > pki.enc.yaml',
    'source <(autocert completion bash)',
    'npm ci && npm start -- --once',
    'npm run -s autocert -- explain -f web.yaml',
    'K8S_VERSION=1.34.4 npm run e2e -- --only 7.5',
    'PASSWORD=$(kubectl -n step get secret ca-password -o jsonpath="{.data.password}" | base64 -d)',
    'for one in a b; do kubectl --context $one -n step get configmap ca-certs; done',
    'kubectl label namespace shop autocert.step.sm=enabled # why',
    'kubectl -n step delete role,rolebinding autocert-signer \\\n  --ignore-not-found',
    "kubectl run door --rm -it --image=curl -- curl -k 'https://ca.step.svc/health?a&b'",
  ])('that is right is let through: %s', (script) => {
    expect(commandsOf(script).length).toBeGreaterThan(0);
    expect(problems(script)).toEqual([]);
  });

  test.each([
    ['autocert staus', 'autocert has no command staus'],
    ['autocert status --al', 'autocert status has no option --al'],
    ['autocert status -o tabel', 'autocert status -o takes table, wide, json, yaml, and not tabel'],
    ['autocert pki', 'autocert pki takes a command'],
    ['autocert webhook', 'autocert webhook needs --config'],
    ['autocert doctor shop', 'autocert doctor does not take shop'],
    ['echo | autocert pki backup', 'autocert pki backup needs --out'],
    ['A=$(autocert fingerprint)', 'autocert fingerprint takes file'],
    ['npm run dcos', 'package.json has no script for npm run dcos'],
    ['npm run e2e -- --onyl 7', 'npm run e2e has no option --onyl'],
    ['npm install left-pad', 'npm install: which package is left-pad?'],
    ['kubectl gte pods', 'kubectl: the verb gte is not known'],
    ['kubectl get podz', 'kubectl: the kind podz is not known'],
    ['kubectl get pods --al', 'kubectl: the flag --al is not known'],
    ['kubectl apply -f examples/slep.yaml', 'kubectl: there is no examples/slep.yaml'],
    ['kubectl -n step get secret ca-pasword', 'kubectl: Autocert has no secret ca-pasword'],
    ['kubectl -n step logs deployment/autocert-singer', 'kubectl: Autocert has no deployment autocert-singer'],
    ['helm template web', 'helm is not known here: mark the block as not run, and say why'],
  ])('that is wrong is named: %s', (script, problem) => {
    expect(problems(script).filter((one) => !one.startsWith('echo'))).toEqual([problem]);
  });
});
