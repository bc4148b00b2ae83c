import { withoutCode } from '../../scripts/docs/headings.ts';
import { type Block, blocksOf } from '../e2e/guide.ts';
import { autocertProblem, commandProblem, isKnown, npmProblem } from '../support/guide-commands.ts';
import { commandsOf, type SimpleCommand } from '../support/shell-words.ts';
import { nameOf, PAGES, read, typedByTests } from '../support/typed-blocks.ts';

const CI = '.ci/run';
const SHELLS = ['sh', 'bash', 'console'];

/** Text that no shell is named for, and which is commands all the same. */
const isAllCommands = (text: string) => /^(?:(?:autocert|kubectl|npm) .*\n)+$/.test(text);
const commandBlocksOf = (page: string) =>
  blocksOf(read(page)).filter(({ language, text }) => SHELLS.includes(language) || isAllCommands(text));

/** A command as it is compared: in a clone `autocert` is a script. */
const wordsOf = ({ words }: SimpleCommand) => words.join(' ').replace(/^npm run -s autocert -- /, 'autocert ');
const isTyped = ({ step, typedBy }: Block) => step !== undefined || typedBy !== undefined;

test('no block is marked as typed that no test types, and no test types one that is not there', () => {
  const marked = PAGES.flatMap((page) => {
    const blocks = blocksOf(read(page)).filter(({ step, part }) => step !== undefined || part !== undefined);
    return blocks.map((block) => nameOf(page, block));
  });
  expect(typedByTests()).toEqual([...new Set(marked)].sort());
});

describe.each(PAGES)('%s', (page) => {
  const blocks = commandBlocksOf(page);

  test('has each of its commands typed by a test, here or on another page, or says why not', () => {
    const marks = ({ step, typedBy, asIn, notRun }: Block) =>
      [step, typedBy, asIn, notRun].filter((mark) => mark !== undefined).length;
    const unmarked = blocks.filter((block) => marks(block) === 0);
    expect(unmarked.map(({ line, text }) => `${line}: ${text}`)).toEqual([]);
  });

  test('has no command that cannot be right among those that nobody types', () => {
    const untyped = blocks.filter((block) => !isTyped(block));
    const problems = untyped.flatMap(({ line, text }) => {
      // They may be of programs that nobody here has; ours are looked at all the same.
      const commands = commandsOf(text).filter(isKnown);
      return commands.flatMap((command) => {
        const problem = commandProblem(command);
        return problem === undefined ? [] : [`line ${line}: ${problem}: ${command.words.join(' ')}`];
      });
    });
    expect(problems).toEqual([]);
  });

  test('has the same commands as the pages on which they are typed', () => {
    for (const { asIn = [], text } of blocks) {
      if (asIn.length === 0) continue;
      const there = asIn.flatMap(commandBlocksOf).filter(isTyped);
      const typed = there.flatMap((block) => commandsOf(block.text).map(wordsOf));
      expect(typed).toEqual(expect.arrayContaining(commandsOf(text).map(wordsOf)));
    }
  });

  test('is read by each test that is said to type it, and what CI is said to run is in its script', () => {
    for (const { typedBy, text } of blocks) {
      if (typedBy === CI) {
        const run = commandsOf(read(CI)).map(wordsOf);
        for (const command of commandsOf(text).map(wordsOf)) {
          expect(run).toContainEqual(expect.stringMatching(new RegExp(`^${command}(?: |$)`)));
        }
      } else if (typedBy !== undefined) expect(read(typedBy)).toContain(page);
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
